import type { Arena } from "../arrow/mod.ts";
import type { TaskOutput, WorkerRequest } from "./messages.ts";

/** Workers that carry out requests over one arena: threads (`platform/`) or the calling thread (`InlinePool`). */
export interface Pool {
  readonly arena: Arena;
  readonly size: number;
  /** Every worker carries out `request`; resolves with their results by worker index, rejects with the first error. */
  broadcast(request: WorkerRequest, onOutput: (output: TaskOutput) => void): Promise<readonly unknown[]>;
  /** Ends workers at once; later broadcasts are refused. */
  close(): Promise<void>;
}
