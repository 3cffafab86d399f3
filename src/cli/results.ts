/** Rows of a job's results to stdout or a file, wherever the job runs. */
import { type Arena, type Batch, releaseBatch, type Schema } from "../arrow/mod.ts";
import { type OutputFile, openOutputFile, type Terminal } from "../platform/mod.ts";
import { OutputError, UsageError } from "./error.ts";
import { rowWriter } from "./format/row_writer.ts";
import { paintFor } from "./paint.ts";
import type { WrittenFile } from "./summary.ts";
import { isSystemError, systemReason } from "./system_reason.ts";
import type { Format } from "./values.ts";

export interface Result {
  readonly isSink: boolean;
  /** Asked for in turn; null when there is nothing to be read, as of a sink on another machine. */
  open(): Promise<{ readonly schema: Schema; readonly batches: AsyncGenerator<Batch> } | null>;
}

export interface Printing {
  /** Command whose help is worth reading. */
  readonly command: string;
  readonly format: Format;
  readonly outputPath: string | null;
  readonly arena: Arena;
  readonly results: readonly Result[];
  /** Before anything is printed on the terminal. */
  clear(): Promise<void>;
}

/** Runs sinks, prints every other result; gives the file that `--output` asked for. */
export async function printResults(terminal: Terminal, printing: Printing): Promise<WrittenFile | null> {
  const { command, arena, outputPath } = printing;
  checkResults(printing.results, printing);
  const file = outputPath === null ? null : openFile(outputPath, command);
  try {
    let rows = 0;
    for (const result of printing.results) {
      const opened = await result.open();
      if (opened === null) continue;
      if (result.isSink) for await (const batch of opened.batches) releaseBatch(arena, batch);
      else rows += await printRows(terminal, { ...printing, ...opened, file });
    }
    file?.commit();
    return outputPath === null ? null : { path: outputPath, rows };
  } finally {
    file?.abort();
  }
}

/** @throws {UsageError} when the results cannot be shown in the way that was asked for */
export function checkResults(
  results: readonly { readonly isSink: boolean }[],
  { command, format, outputPath }: Pick<Printing, "command" | "format" | "outputPath">,
): void {
  const count = results.filter((result) => !result.isSink).length;
  if (count > 1 && format !== "table") {
    throw new UsageError(
      `The job has ${count} results, and --format ${format} can hold one. Give each a sink, such as .toCsv(path).`,
      { command },
    );
  }
  if (count === 0 && outputPath !== null) {
    throw new UsageError("The job writes its rows to its own sinks, so there are none for --output.", { command });
  }
}

type Shown = Printing & {
  readonly schema: Schema;
  readonly batches: AsyncGenerator<Batch>;
  readonly file: OutputFile | null;
};

async function printRows(terminal: Terminal, printing: Shown): Promise<number> {
  const { format, outputPath, arena, schema, batches, file } = printing;
  const writer = await rowWriter(format, {
    arena,
    schema,
    emit: async (chunk) => {
      if (file === null) await printing.clear();
      await writeRows(file ?? terminal.out, chunk, outputPath);
    },
    width: file === null ? tableWidth(terminal) : null,
    paint: paintFor(file === null ? terminal.out : { hasColor: false }),
    isFile: file !== null && !outputPath?.endsWith(".arrows"),
  });
  let rows = 0;
  for await (const batch of batches) {
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

const COLUMNS_DEFAULT = 80;

/** What a table may take: the terminal, else COLUMNS, else as much as it needs. */
function tableWidth(terminal: Terminal): number | null {
  if (terminal.out.isTerminal)
    return terminal.out.columns || Number(terminal.environment("COLUMNS")) || COLUMNS_DEFAULT;
  return Number(terminal.environment("COLUMNS")) || null;
}

function openFile(path: string, command: string): OutputFile {
  try {
    return openOutputFile(path);
  } catch (cause) {
    throw new UsageError(`Cannot write --output ${path}: ${systemReason(cause)}.`, { command, cause });
  }
}
