import { ClosedOutputError, createEngine, type Terminal } from "../platform/mod.ts";
import { EXIT } from "./error.ts";
import { firstThrown, reportFailure } from "./failure.ts";
import { type OpenJob, openJob } from "./job.ts";
import { paintFor } from "./paint.ts";
import { ProgressLine } from "./progress.ts";
import { printResults } from "./results.ts";
import type { RunOptions } from "./run_options.ts";
import { summaryText } from "./summary.ts";

/** `sage run`: rows to stdout or a file, all else to stderr. Gives the exit code. */
export async function run(terminal: Terminal, options: RunOptions): Promise<number> {
  terminal.redirectConsole();
  const job = await openJob(options.file, options);
  const abort = new AbortController();
  let interruptCode: number | null = null;
  const stopListening = terminal.onInterrupt((exitCode) => {
    interruptCode = exitCode;
    abort.abort();
  });
  const progress = new ProgressLine(terminal, options);
  try {
    await execute(terminal, { options, job, progress, signal: abort.signal });
    return interruptCode ?? EXIT.ok;
  } catch (error) {
    await progress.erase();
    if (interruptCode !== null) return interruptCode;
    if (firstThrown(error) instanceof ClosedOutputError) return EXIT.ok;
    return await reportFailure(terminal, error, job.bundle.sourceMap);
  } finally {
    stopListening();
    job.bundle.dispose();
  }
}

interface Execution {
  readonly options: RunOptions;
  readonly job: OpenJob;
  readonly progress: ProgressLine;
  readonly signal: AbortSignal;
}

async function execute(terminal: Terminal, execution: Execution): Promise<void> {
  const { options, job, progress, signal } = execution;
  await using engine = await createEngine({
    bundleUrl: job.bundle.url,
    params: job.params,
    ...(options.workers === null ? {} : { workers: options.workers }),
    ...(options.memoryBytes === null ? {} : { memoryBytes: options.memoryBytes }),
  });
  await using run = await engine.run(job.plan, {
    signal,
    onProgress: (report) => progress.update(report),
    ...(options.timeoutMs === null ? {} : { timeoutMs: options.timeoutMs }),
  });
  const results = run.roots.map((root) => ({ isSink: root.isSink, open: async () => root }));
  const { format, outputPath } = options;
  const clear = () => progress.erase();
  const written = await printResults(terminal, {
    command: "run",
    arena: engine.arena,
    format,
    outputPath,
    results,
    clear,
  });
  await progress.erase();
  if (!options.isQuiet) await terminal.err.write(summaryText(run.stats(), written, paintFor(terminal.err)));
}
