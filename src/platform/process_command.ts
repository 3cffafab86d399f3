import { fileURLToPath } from "node:url";
import { isCompiled } from "./build_flags.ts";

export interface ProcessCommand {
  readonly file: string;
  readonly args: readonly string[];
}

/** How this very program is started with other arguments, the way it was itself. */
export function selfCommand(args: readonly string[]): ProcessCommand {
  const file = process.execPath;
  if (isCompiled) return { file, args };
  const entry = fileURLToPath(new URL("../../cli.ts", import.meta.url));
  if ("Deno" in globalThis) return { file, args: ["run", "-A", entry, ...args] };
  if ("Bun" in globalThis) return { file, args: [entry, ...args] };
  return { file, args: [...process.execArgv, entry, ...args] };
}
