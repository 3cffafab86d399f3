import type { TaskOutput, WorkerRequest } from "../exec/mod.ts";
import type { PackedBatches } from "./batch_transfer.ts";
import type { TransferredError } from "./error_transfer.ts";

/** What a worker thread is started with. */
export interface WorkerSetup {
  readonly memory: WebAssembly.Memory;
  readonly index: number;
  /** Module with the job, whose builder gives the user functions; null when the job has none. */
  readonly bundleUrl: string | null;
}

export interface ToWorker {
  readonly id: number;
  /** Without its batches where there are any. */
  readonly request: WorkerRequest;
  /** The batches of the request's source. */
  readonly batches: PackedBatches | null;
}

export type FromWorker =
  | { readonly kind: "output"; readonly id: number; readonly output: TaskOutput }
  | { readonly kind: "done"; readonly id: number; readonly value: unknown }
  | { readonly kind: "failed"; readonly id: number; readonly error: TransferredError };
