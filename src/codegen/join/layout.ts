/**
 * An entry: one row of the build side.
 *
 *   0       address of the next entry of the chain, 0 at its end
 *   hash    4 bytes, when there are keys
 *   keys    in key form (see aggregate/key_field.ts), without null flags: null keys never match
 *   columns as they are; a column that is a key is stored once
 *   status  1 byte, when matches are tracked
 */
import { valueType } from "../../arrow/mod.ts";
import { type KeyField, keyField, Packing } from "../aggregate/mod.ts";
import { reprOf } from "../value.ts";
import type { BuildShape } from "./shape.ts";

export interface EntryLayout {
  readonly keys: readonly KeyField[];
  readonly hashOffset: number | null;
  /** By name. */
  readonly columns: ReadonlyMap<string, EntryColumn>;
  readonly statusOffset: number | null;
  readonly entryBytes: number;
}

export interface EntryColumn {
  readonly field: KeyField;
  /** The field is a key's and stored with it. */
  readonly isKey: boolean;
}

export const NEXT_OFFSET = 0;

export function entryLayout(shape: BuildShape): EntryLayout {
  const packing = new Packing();
  packing.take(4);
  const hashOffset = shape.keys.length > 0 ? packing.take(4) : null;
  const keys = shape.keys.map(({ type }) => keyField(packing, { type, nullable: false }));
  const columns = new Map<string, EntryColumn>();
  for (const { name, type, nullable } of shape.columns) {
    const key = keyOfColumn(shape, name);
    const shared = key < 0 ? undefined : keys[key];
    const field = shared ?? keyField(packing, { type: valueType(type), nullable: false });
    const flagged = shape.hasNullEntry || (nullable && (shared === undefined || shape.tracksMatches));
    const nullOffset = flagged ? packing.take(1) : null;
    columns.set(name, { field: { ...field, nullOffset }, isKey: shared !== undefined });
  }
  const statusOffset = shape.tracksMatches ? packing.take(1) : null;
  return { keys, hashOffset, columns, statusOffset, entryBytes: packing.bytes };
}

/** Whether comparing keys is more work than comparing hashes. */
export function comparesHashes(shape: BuildShape): boolean {
  const [key, second] = shape.keys;
  if (key === undefined) return false;
  if (second !== undefined) return true;
  const repr = reprOf(key.type);
  return repr === "bytes" || repr === "i128";
}

/** Which key has the column's bits; -1 for none. Floats in key form have lost the sign of zero. */
function keyOfColumn(shape: BuildShape, name: string): number {
  return shape.keys.findIndex((key) => {
    if (key.kind !== "column" || key.name !== name) return false;
    const repr = reprOf(key.type);
    return repr !== "f32" && repr !== "f64";
  });
}

/** Whether the table may be addressed by the key itself: one key, a whole number of at most 64 bits. */
export function canBeDense(shape: BuildShape): boolean {
  const [key, second] = shape.keys;
  if (key === undefined || second !== undefined) return false;
  const repr = reprOf(key.type);
  return repr === "i32" || repr === "i64";
}
