/** Rows that tasks give for the client, kept until the JobManager says that they are not needed. */
import type { Disk } from "../kernel/mod.ts";
import type { TaskRun } from "../protocol/mod.ts";
import { AgentError } from "./error.ts";
import { sizeText } from "./exit_reason.ts";
import type { RowsItem } from "./ports.ts";
import { Signal } from "./signal.ts";

/** Of one run in memory; what comes then goes to a file. */
const RUN_MEMORY_BYTES_MAX = 1 << 20;
/** Of all runs together. */
const MEMORY_BYTES_MAX = 32 << 20;

interface Chunk {
  readonly fromRow: number;
  readonly rowCount: number;
  readonly length: number;
  /** Null: in the file at `offset`. */
  readonly bytes: Uint8Array | null;
  readonly offset: number;
}

/** Of which run of which job's attempt. */
export interface RowsKey {
  readonly jobId: string;
  readonly jobAttempt: number;
  readonly run: TaskRun;
}

function textOf({ jobId, jobAttempt, run }: RowsKey): string {
  return `${jobId}.${jobAttempt}.${run.task.fragment}.${run.task.index}.${run.attempt}`;
}

class RunRows {
  readonly key: RowsKey;
  readonly path: string;
  readonly chunks: Chunk[] = [];
  readonly changed = new Signal();
  bytes = 0;
  memoryBytes = 0;
  fileBytes = 0;
  rows = 0;
  file: ReturnType<Disk["openWrite"]> | null = null;
  /** Null while more may come. */
  end: "whole" | AgentError | null = null;

  constructor(key: RowsKey, path: string) {
    this.key = key;
    this.path = path;
  }
}

export class Results {
  readonly #disk: Disk;
  readonly #directory: string;
  readonly #runs = new Map<string, RunRows>();
  #memoryBytes = 0;

  /** `directory` is made when it is needed. */
  constructor(disk: Disk, directory: string) {
    this.#disk = disk;
    this.#directory = directory;
  }

  /** Bytes in memory, of all runs. */
  get memoryBytes(): number {
    return this.#memoryBytes;
  }

  /** A run that gives rows may be asked for before it has given any. */
  open(key: RowsKey): void {
    const text = textOf(key);
    if (!this.#runs.has(text)) this.#runs.set(text, new RunRows(key, `${this.#directory}/${text}`));
  }

  /**
   * Rows in order; rows that are here already are left out.
   *
   * @throws {AgentError} result-limit, disk, unknown-run
   */
  append(key: RowsKey, item: RowsItem, bytesMax: number): void {
    const run = this.#runs.get(textOf(key));
    if (run === undefined || run.end !== null) {
      throw new AgentError("unknown-run", "These rows are not wanted any more: their task has ended or was replaced.");
    }
    if (item.fromRow < run.rows || (item.rowCount === 0 && run.chunks.length > 0)) return;
    if (item.fromRow > run.rows) {
      const text = `Rows from ${run.rows} on are missing before row ${item.fromRow} of a result.`;
      throw new AgentError("unknown-run", text);
    }
    if (run.bytes + item.bytes.length > bytesMax) throw tooMany(bytesMax);
    run.chunks.push(this.#keep(run, item));
    run.bytes += item.bytes.length;
    run.rows += item.rowCount;
    run.changed.emit();
  }

  /** The run has given all. */
  finish(key: RowsKey): void {
    this.#end(this.#runs.get(textOf(key)), "whole");
  }

  /** What the run gave counts no more. */
  drop(key: RowsKey, reason: string): void {
    this.#remove(this.#runs.get(textOf(key)), reason);
  }

  /** All runs of the job's attempts up to this one. */
  dropJob(jobId: string, options: { readonly upToAttempt: number; readonly reason: string }): void {
    for (const run of this.#runs.values()) {
      if (run.key.jobId === jobId && run.key.jobAttempt <= options.upToAttempt) this.#remove(run, options.reason);
    }
  }

  /** What is not whole is of no use once the job's attempt is over. */
  dropUnfinished(jobId: string, options: { readonly upToAttempt: number; readonly reason: string }): void {
    for (const run of this.#runs.values()) {
      if (run.key.jobId !== jobId || run.end === "whole") continue;
      if (run.key.jobAttempt <= options.upToAttempt) this.#remove(run, options.reason);
    }
  }

  /** Runs whose rows are all here, by attempt of their job. */
  kept(): { jobId: string; jobAttempt: number; runs: TaskRun[] }[] {
    const found = new Map<string, { jobId: string; jobAttempt: number; runs: TaskRun[] }>();
    for (const { key, end } of this.#runs.values()) {
      const { jobId, jobAttempt, run } = key;
      if (end !== "whole") continue;
      const text = `${jobId}.${jobAttempt}`;
      const entry = found.get(text) ?? { jobId, jobAttempt, runs: [] };
      found.set(text, entry);
      entry.runs.push(run);
    }
    return [...found.values()];
  }

  /** All rows of a run that gives rows are here; of no rows at least one message is. */
  isWhole(key: RowsKey): boolean {
    const run = this.#runs.get(textOf(key));
    return run !== undefined && run.end === "whole" && run.chunks.length > 0;
  }

  has(key: RowsKey): boolean {
    return this.#runs.has(textOf(key));
  }

  /**
   * Messages from the one with `fromRow` on; waits for more until the run has finished.
   *
   * @throws {AgentError} unknown-run, rows-lost, disk
   */
  async *read(key: RowsKey, fromRow: number, signal: AbortSignal): AsyncGenerator<RowsItem, void> {
    const run = this.#runs.get(textOf(key));
    if (run === undefined) throw new AgentError("unknown-run", "No rows of this run are here.");
    let next = run.chunks.findIndex((chunk) => chunk.fromRow + chunk.rowCount > fromRow);
    if (next < 0) next = fromRow === 0 ? 0 : run.chunks.length;
    while (!signal.aborted) {
      const chunk = run.chunks[next];
      if (run.end instanceof AgentError) throw run.end;
      if (chunk !== undefined) {
        next++;
        if (fromRow > 0 && chunk.fromRow + chunk.rowCount <= fromRow) continue;
        yield { fromRow: chunk.fromRow, rowCount: chunk.rowCount, bytes: chunk.bytes ?? this.#fromFile(run, chunk) };
      } else if (run.end === "whole") return;
      else await run.changed.next(signal);
    }
  }

  /** Ends all readers. */
  close(): void {
    for (const run of this.#runs.values()) this.#remove(run, "the node is stopping");
  }

  #keep(run: RunRows, { fromRow, rowCount, bytes }: RowsItem): Chunk {
    const { length } = bytes;
    const hasRoom = run.memoryBytes + length <= RUN_MEMORY_BYTES_MAX && this.#memoryBytes + length <= MEMORY_BYTES_MAX;
    if (hasRoom) {
      run.memoryBytes += length;
      this.#memoryBytes += length;
      return { fromRow, rowCount, length, bytes, offset: 0 };
    }
    try {
      if (run.file === null) {
        this.#disk.makeDirectory(this.#directory);
        run.file = this.#disk.openWrite(run.path);
      }
      run.file.append(bytes);
    } catch (cause) {
      const text = `Cannot keep the rows of a result in ${run.path}: ${messageOf(cause)}`;
      throw new AgentError("disk", text, { cause, retryable: true });
    }
    const offset = run.fileBytes;
    run.fileBytes += length;
    return { fromRow, rowCount, length, bytes: null, offset };
  }

  #fromFile(run: RunRows, chunk: Chunk): Uint8Array {
    const bytes = new Uint8Array(chunk.length);
    try {
      const file = this.#disk.openRead(run.path);
      try {
        if (file.readAt(chunk.offset, bytes, chunk.length) === chunk.length) return bytes;
      } finally {
        file.close();
      }
    } catch (cause) {
      throw new AgentError("disk", `Cannot read the rows of a result: ${messageOf(cause)}`, { cause, retryable: true });
    }
    throw new AgentError("disk", `Cannot read the rows of a result: ${run.path} has become shorter.`);
  }

  #end(run: RunRows | undefined, end: "whole" | AgentError): void {
    if (run === undefined || run.end !== null) return;
    run.end = end;
    run.changed.emit();
  }

  #remove(run: RunRows | undefined, reason: string): void {
    if (run === undefined) return;
    const lost = new AgentError("rows-lost", `The rows are not here any more: ${reason}.`, { retryable: true });
    run.end = lost;
    run.changed.emit();
    this.#runs.delete(textOf(run.key));
    this.#memoryBytes -= run.memoryBytes;
    if (run.file === null) return;
    run.file.close();
    this.#disk.remove(run.path);
  }
}

function tooMany(bytesMax: number): AgentError {
  const text = `A task gives more than ${sizeText(bytesMax)} of rows to the client, which is the job's limit. Write them to a sink, or raise the limit (resultBytesMax).`;
  return new AgentError("result-limit", text);
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
