import type { IsOpen } from "./types.ts";

/** A column as a user's batch function gets it: over the engine's memory and valid during the call, with the
 * names of an `apache-arrow` vector. */
export interface BatchVector<T = unknown> {
  readonly length: number;
  readonly nullCount: number;
  get(row: number): T | null;
  /** For columns without nulls of fixed-width types the values themselves, not copied. */
  toArray(): ArrayLike<unknown>;
  [Symbol.iterator](): Iterator<T | null>;
}

/** What every table has; also those of `apache-arrow`. */
export interface AnyTable {
  readonly numRows: number;
  readonly numCols: number;
}

/** A batch as a user's batch function gets it, with the names of an `apache-arrow` table. */
export interface BatchTable<R = Readonly<Record<string, unknown>>> extends AnyTable {
  getChild<K extends IsOpen<R> extends true ? string : keyof R & string>(
    name: K,
  ): BatchVector<K extends keyof R ? NonNullable<R[K]> : unknown> | null;
}

/** Columns by name: typed arrays, arrays of cells, or vectors, all equally long. */
export type BatchColumns<R> = { readonly [K in keyof R]: ArrayLike<unknown> | BatchVector };
