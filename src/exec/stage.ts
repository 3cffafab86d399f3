import type { Batch } from "../arrow/mod.ts";

/** Rows of a batch on their way through a pipeline. */
export interface Rows {
  readonly batch: Batch;
  readonly start: number;
  readonly end: number;
  /** Position of the batch's row 0 in the operator's input: grows with input order. */
  readonly rowBase: bigint;
}

/**
 * One part of a running pipeline in a worker. Stages form a chain: each pushes what it makes into the next. The pusher
 * owns the batch; a stage that keeps it takes a reference of its own.
 */
export interface Stage {
  push(rows: Rows): void | Promise<void>;
  /** The task's rows have all been pushed: hand on what is held back. */
  endTask(): void | Promise<void>;
  /** Frees what the stage holds; idempotent. */
  dispose(): void;
}
