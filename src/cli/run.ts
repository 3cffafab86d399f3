import { type Arena, releaseBatch } from "../arrow/mod.ts";
import {
  ClosedOutputError,
  createEngine,
  type OutputFile,
  openOutputFile,
  type RootResult,
  type Run,
  type Terminal,
} from "../platform/mod.ts";
import { EXIT, OutputError, UsageError } from "./error.ts";
import { firstThrown, reportFailure } from "./failure.ts";
import { rowWriter } from "./format/row_writer.ts";
import { type OpenJob, openJob } from "./job.ts";
import { paintFor } from "./paint.ts";
import { ProgressLine } from "./progress.ts";
import type { RunOptions } from "./run_options.ts";
import { summaryText, type WrittenFile } from "./summary.ts";
import { isSystemError, systemReason } from "./system_reason.ts";

/** `sage run`: rows to stdout or a file, all else to stderr. Gives the exit code. */
export async function run(terminal: Terminal, options: RunOptions): Promise<number> {
  terminal.redirectConsole();
  const job = await openJob(options.file, options.timeoutMs);
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
    ...(options.workers === null ? {} : { workers: options.workers }),
    ...(options.memoryBytes === null ? {} : { memoryBytes: options.memoryBytes }),
  });
  await using run = await engine.run(job.plan, {
    signal,
    onProgress: (report) => progress.update(report),
    ...(options.timeoutMs === null ? {} : { timeoutMs: options.timeoutMs }),
  });
  const written = await printResults(terminal, { ...execution, arena: engine.arena, run });
  await progress.erase();
  if (!options.isQuiet) await terminal.err.write(summaryText(run.stats(), written, paintFor(terminal.err)));
}

interface Printing extends Execution {
  readonly arena: Arena;
  readonly run: Run;
}

/** Runs sinks, prints every other result; gives the file that `--output` asked for. */
async function printResults(terminal: Terminal, printing: Printing): Promise<WrittenFile | null> {
  const { options, run } = printing;
  checkResultCount(options, run);
  const file = options.outputPath === null ? null : openFile(options.outputPath);
  try {
    let rows = 0;
    for (const root of run.roots) {
      if (root.isSink) await drain(printing.arena, root.batches);
      else rows += await printRows(terminal, { ...printing, root, file });
    }
    file?.commit();
    return options.outputPath === null ? null : { path: options.outputPath, rows };
  } finally {
    file?.abort();
  }
}

function checkResultCount(options: RunOptions, run: Run): void {
  const count = run.roots.filter((root) => !root.isSink).length;
  if (count > 1 && options.format !== "table") {
    throw new UsageError(
      `The job has ${count} results, and --format ${options.format} can hold one. Give each a sink, such as .toCsv(path).`,
      { command: "run" },
    );
  }
  if (count === 0 && options.outputPath !== null) {
    throw new UsageError("The job writes its rows to its own sinks, so there are none for --output.", {
      command: "run",
    });
  }
}

async function printRows(
  terminal: Terminal,
  printing: Printing & { readonly root: RootResult; readonly file: OutputFile | null },
): Promise<number> {
  const { options, arena, progress, root, file } = printing;
  const writer = await rowWriter(options.format, {
    arena,
    schema: root.schema,
    emit: async (chunk) => {
      if (file === null) await progress.erase();
      await writeRows(file ?? terminal.out, chunk, options.outputPath);
    },
    width: file === null ? tableWidth(terminal) : null,
    paint: paintFor(file === null ? terminal.out : { hasColor: false }),
    isFile: file !== null && !options.outputPath?.endsWith(".arrows"),
  });
  let rows = 0;
  for await (const batch of root.batches) {
    try {
      rows += batch.rowCount;
      await writer.write(batch);
    } finally {
      releaseBatch(arena, batch);
    }
  }
  await writer.end();
  return rows;
}

async function writeRows(
  to: { write(chunk: string | Uint8Array): Promise<void> },
  chunk: string | Uint8Array,
  path: string | null,
): Promise<void> {
  try {
    await to.write(chunk);
  } catch (cause) {
    if (!isSystemError(cause)) throw cause;
    throw new OutputError("write", `Cannot write the rows to ${path ?? "stdout"}: ${systemReason(cause)}.`, { cause });
  }
}

async function drain(arena: Arena, batches: RootResult["batches"]): Promise<void> {
  for await (const batch of batches) releaseBatch(arena, batch);
}

const COLUMNS_DEFAULT = 80;

/** What a table may take: the terminal, else COLUMNS, else as much as it needs. */
function tableWidth(terminal: Terminal): number | null {
  if (terminal.out.isTerminal)
    return terminal.out.columns || Number(terminal.environment("COLUMNS")) || COLUMNS_DEFAULT;
  return Number(terminal.environment("COLUMNS")) || null;
}

function openFile(path: string): OutputFile {
  try {
    return openOutputFile(path);
  } catch (cause) {
    throw new UsageError(`Cannot write --output ${path}: ${systemReason(cause)}.`, { command: "run", cause });
  }
}
