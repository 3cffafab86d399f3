import type { IsOpen } from "./types.ts";

/** A column as a user's batch function gets it: an `apache-arrow` vector over the engine's memory, valid during the call. */
export interface BatchVector<T = unknown> {
  readonly length: number;
  readonly nullCount: number;
  get(row: number): T | null;
  /** For columns without nulls of fixed-width types the values themselves, not copied. */
  toArray(): ArrayLike<unknown>;
  [Symbol.iterator](): Iterator<T | null>;
}

/** A batch as a user's batch function gets it: an `apache-arrow` table. */
export interface BatchTable<R = Readonly<Record<string, unknown>>> {
  readonly numRows: number;
  readonly numCols: number;
  getChild<K extends IsOpen<R> extends true ? string : keyof R & string>(
    name: K,
  ): BatchVector<K extends keyof R ? NonNullable<R[K]> : unknown> | null;
}

/** Columns by name: typed arrays, arrays of cells, or vectors, all equally long. */
export type BatchColumns<R> = { readonly [K in keyof R]: ArrayLike<unknown> | BatchVector };
