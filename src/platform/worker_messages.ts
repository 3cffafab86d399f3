import type { TaskOutput, WorkerRequest } from "../exec/mod.ts";
import type { LogMark } from "../kernel/mod.ts";
import type { PackedBatches } from "./batch_transfer.ts";
import type { TransferredError } from "./error_transfer.ts";

/** What a worker thread is started with. */
export interface WorkerSetup {
  readonly memory: WebAssembly.Memory;
  readonly index: number;
  /** Module with the job, whose builder gives the user functions; null when the job has none. */
  readonly bundleUrl: string | null;
  /** Values of the job's parameters, as JSON. */
  readonly params: string;
  /** Stdout is for rows: what is logged goes to stderr. Otherwise only warnings and errors do. */
  readonly hasRowsOnStdout: boolean;
  /** `BEAT_WORDS` words a worker. */
  readonly beats: Int32Array;
}

/** What a pool's workers show while they compute, so that one that never returns from a function is noticed. */
export const BEAT_WORDS = 2;
/** Word of a worker's beats that counts up between batches. */
export const BEAT_COUNT = 0;
/** Word of a worker's beats that is 1 while it computes and waits for nobody. */
export const BEAT_IS_COMPUTING = 1;

/** The job's module, for a worker that was started before the job was known. Comes before the first request. */
export interface LoadMessage {
  readonly kind: "load";
  readonly bundleUrl: string;
  readonly params: string;
}

export interface RequestMessage {
  readonly kind?: never;
  readonly id: number;
  /** Without its batches where there are any. */
  readonly request: WorkerRequest;
  /** The batches of the request's source. */
  readonly batches: PackedBatches | null;
}

/** What the job's code prints from now on belongs to this run of a task. */
export interface PrintsMessage {
  readonly kind: "prints";
  readonly mark: LogMark;
}

export type ToWorker = RequestMessage | LoadMessage | PrintsMessage;

export type FromWorker =
  | { readonly kind: "output"; readonly id: number; readonly output: TaskOutput }
  | { readonly kind: "done"; readonly id: number; readonly value: unknown }
  | { readonly kind: "failed"; readonly id: number; readonly error: TransferredError };
