import type { Arena, Batch, OwnerId, Schema } from "../arrow/mod.ts";
import type { Compression, Disk } from "../kernel/mod.ts";
import type { ConnectorSpec, TypedExpression } from "../plan/mod.ts";

/** What a source may use on the main thread. */
export interface Tools {
  readonly disk: Disk;
  readonly compression: Compression;
  /** To be called where there is much to look through: timers and signals get their turn. Throws when the job is over. */
  readonly turn?: () => void | Promise<void>;
}

/** What a source may use in a worker. */
export interface SourceContext extends Tools {
  readonly arena: Arena;
  readonly owner: OwnerId;
  /** The usual number of rows of a batch. */
  readonly batchRows: number;
  /** Set from outside to make a long read stop at the next batch. */
  readonly signal: { readonly aborted: boolean };
}

export interface SourceInfo {
  readonly schema: Schema;
  /** null when unknown. */
  readonly rowCount: number | null;
  /** False when `rowCount` is an estimate. */
  readonly rowCountExact: boolean;
  readonly files: readonly string[];
}

/** What the plan wants of a source. */
export interface SourceRequest {
  /** Distinct names of the source's schema: the batches have exactly these, in this order. */
  readonly columns: readonly string[];
  /** Rows for which it is not true are not needed; the source may leave them out or not. */
  readonly predicate: TypedExpression | null;
  /** At most so many rows are needed, from the start; null when all. */
  readonly rowLimit: number | null;
}

/** A part of a source that one worker reads. Splits in order of `index`, concatenated, are the source's rows in order. */
export interface Split {
  readonly index: number;
  readonly estimatedRows: number | null;
  readonly estimatedBytes: number;
  /** Plain data, structured-cloneable; only the connector knows what it means. */
  readonly data: unknown;
}

export interface Source {
  /** Main thread. Throws ConnectorError when nothing is there or it cannot be read. */
  describe(spec: ConnectorSpec, tools: Tools): SourceInfo | Promise<SourceInfo>;
  /** Main thread. Parts that provably hold no row wanted are left out. */
  splits(spec: ConnectorSpec, request: SourceRequest, tools: Tools): Split[] | Promise<Split[]>;
  /** In a worker. */
  open(spec: ConnectorSpec, request: SourceRequest, split: Split, context: SourceContext): SplitReader;
}

export interface SplitReader {
  /** Up to `maxRows` rows that the caller then owns; null at the end. Never an empty batch. */
  read(maxRows: number): Batch | null | Promise<Batch | null>;
  /** Where the next read goes on, as plain data. */
  position(): unknown;
  /** Lines left out so far because they were bad. */
  skippedRows?(): number;
  /** Idempotent. */
  close(): void;
}

export interface SinkContext extends Tools {
  readonly arena: Arena;
}

export interface Sink {
  /** One writer a job, on the main thread; nothing is visible under the final name before `commit`. */
  open(spec: ConnectorSpec, schema: Schema, context: SinkContext): SinkWriter;
}

/**
 * Guarantee of the file sinks: after `commit` returned the whole file stands under its name; before, or after `abort`,
 * whatever stood there before does. All three are idempotent.
 */
export interface SinkWriter {
  /** Batches in order; the caller keeps its reference and releases it after. */
  write(batch: Batch): void | Promise<void>;
  /** Everything written is on stable storage, under a temporary name. */
  prepare(epoch: number): void | Promise<void>;
  commit(epoch: number): void | Promise<void>;
  abort(epoch: number): void | Promise<void>;
}
