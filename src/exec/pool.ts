import type { Arena } from "../arrow/mod.ts";
import type { LogMark } from "../kernel/mod.ts";
import type { TaskOutput, WorkerRequest } from "./messages.ts";

/** Workers that carry out requests over one arena: threads (`platform/`) or the calling thread (`InlinePool`). */
export interface Pool {
  readonly arena: Arena;
  readonly size: number;
  /** Every worker carries out `request`; resolves with their results by worker index, rejects with the first error. */
  broadcast(request: WorkerRequest, onOutput: (output: TaskOutput) => void): Promise<readonly unknown[]>;
  /** What the job's code prints from now on, it prints for this run of a task. */
  prints?(mark: LogMark): void;
  /** Ends workers at once; later broadcasts are refused. */
  close(): Promise<void>;
}
