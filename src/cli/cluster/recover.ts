import { defaultDataDirectory, recoverNode, type Terminal } from "../../platform/mod.ts";
import { EXIT, UsageError } from "../error.ts";
import type { ParsedCommand } from "../parse.ts";
import { printer } from "./output.ts";

/** Makes a stopped node the only voter of its cluster: for when the majority is gone for ever. */
export async function recover(on: Terminal, parsed: ParsedCommand): Promise<number> {
  const { values, flags } = parsed;
  const print = printer(on, parsed);
  const dataDir = values.get("data-dir") ?? on.environment("SAGE_DATA_DIR") ?? defaultDataDirectory();
  if (!flags.has("accept-data-loss")) {
    throw new UsageError(
      `This makes the node of ${dataDir} a cluster of its own. What only the lost nodes knew is gone for ever, and none of them may run again with its old data. If that is what you want, add --accept-data-loss.`,
      { command: "cluster recover" },
    );
  }
  const { peer, index, lostVoters } = await recoverNode(dataDir);
  await print(
    `node ${peer} is the only voter now, from log index ${index} on; voters given up: ${lostVoters.length}\n` +
      `start it with: sage node --data-dir ${dataDir}`,
    { peer, index, lostVoters, dataDir },
  );
  return EXIT.ok;
}
