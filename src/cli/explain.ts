import { ClosedOutputError, createEngine, type Terminal } from "../platform/mod.ts";
import { EXIT } from "./error.ts";
import { firstThrown, reportFailure } from "./failure.ts";
import { openJob } from "./job.ts";
import { readParams } from "./param_option.ts";
import type { ParsedCommand } from "./parse.ts";

/** `sage explain`: plans to stdout. Gives the exit code. */
export async function explain(terminal: Terminal, { positionals, lists, flags }: ParsedCommand): Promise<number> {
  terminal.redirectConsole();
  const job = await openJob(positionals[0] ?? "", { params: readParams("explain", lists.get("param")) });
  try {
    await using engine = await createEngine({ bundleUrl: job.bundle.url, params: job.params, workers: 1 });
    const text = await engine.explain(job.plan, { wasm: flags.has("wasm") });
    await terminal.out.write(text.endsWith("\n") ? text : `${text}\n`);
    return EXIT.ok;
  } catch (error) {
    if (firstThrown(error) instanceof ClosedOutputError) return EXIT.ok;
    return await reportFailure(terminal, error, job.bundle.sourceMap);
  } finally {
    job.bundle.dispose();
  }
}
