import type * as Apache from "apache-arrow";
import type { Address, Arena, OwnerId } from "./arena.ts";
import { emptyBatch, releaseBatch } from "./batch.ts";
import { columnBuilder } from "./builder.ts";
import { type CellInput, showValue, wrongValue } from "./cell.ts";
import type { Batch, Column } from "./column.ts";
import { concatBatches } from "./concat.ts";
import { ArrowError } from "./error.ts";
import { apacheArrow } from "./interop.ts";
import { readIpc } from "./ipc_reader.ts";
import { columnReader } from "./reader.ts";
import { typeName } from "./typename.ts";
import {
  byteWidth,
  type DataType,
  type Field,
  isBinary,
  isNumeric,
  isString,
  type Schema,
  typeEquals,
  valueType,
} from "./types.ts";

export interface FromColumnsOptions {
  readonly schema: Schema;
  readonly owner: OwnerId;
}

interface Made {
  readonly column: Column;
  readonly blocks: readonly Address[];
}

// Tables are known by their shape: the one of a user's bundle is of another copy of the library.

function isTable(value: object): value is Apache.Table {
  return "batches" in value && Array.isArray(value.batches) && "schema" in value && "numRows" in value;
}

function isRecordBatch(value: object): value is Apache.RecordBatch {
  return "numRows" in value && "schema" in value && "data" in value && !("batches" in value);
}

function isVector(value: unknown): value is Apache.Vector {
  return typeof value === "object" && value !== null && "data" in value && "type" in value && "getChildAt" in value;
}

function releaseAll(arena: Arena, blocks: readonly Address[]): void {
  for (const block of blocks) arena.release(block);
}

/**
 * An apache-arrow table or record batch as one batch with the types it has; the caller owns it. Values are copied.
 * Needs `loadApacheArrow()`.
 */
export function fromArrowTable(arena: Arena, source: Apache.Table | Apache.RecordBatch, owner: OwnerId): Batch {
  const lib = apacheArrow();
  const table = isTable(source) ? source : new lib.Table([source]);
  const reader = readIpc(arena, lib.tableToIPC(table, "stream"), { owner });
  const batches: Batch[] = [];
  try {
    for (const batch of reader) batches.push(batch);
    if (batches.length > 1) return concatBatches(arena, batches, owner);
    return batches.pop() ?? emptyBatch(reader.schema);
  } finally {
    for (const batch of batches) releaseBatch(arena, batch);
    reader.close();
  }
}

/** Whether cells of one type mean the same in the other; that each value fits is seen when it is stored. */
function means(from: DataType, to: DataType): boolean {
  const [a, b] = [valueType(from), valueType(to)];
  if (typeEquals(a, b) || a.kind === "null") return true;
  if (a.kind === "list") return b.kind === "list" && means(a.item.type, b.item.type);
  if (a.kind === "struct") {
    if (b.kind !== "struct") return false;
    return b.fields.every((f) => a.fields.some((g) => g.name === f.name && means(g.type, f.type)));
  }
  if (a.kind === "timestamp" || a.kind === "time" || a.kind === "duration")
    return b.kind === a.kind && a.unit === b.unit;
  return (isNumeric(a) && isNumeric(b)) || (isString(a) && isString(b)) || (isBinary(a) && isBinary(b));
}

/** A column of the field's type from values that may be of any type. */
function buildColumn(
  arena: Arena,
  f: Field,
  owner: OwnerId,
  cells: { length: number; at(row: number): CellInput },
): Made {
  const builder = columnBuilder(arena, owner, f.type);
  const blocks: Address[] = [];
  try {
    for (let row = 0; row < cells.length; row++) {
      const cell = cells.at(row);
      const missing = cell === null || cell === undefined;
      if ((missing && !f.nullable) || !builder.append(cell)) {
        throw wrongValue(`Column "${f.name}", row ${row}`, cell, `${typeName(f.type)}${f.nullable ? "" : " not null"}`);
      }
    }
    return { column: builder.finish(blocks), blocks };
  } catch (error) {
    releaseAll(arena, blocks);
    builder.abort();
    throw error;
  }
}

/** The column as the field wants it: as it is where the layout is the same, else value by value into new blocks. */
function adapt(arena: Arena, column: Column, f: Field, owner: OwnerId): Made {
  const { type } = column;
  if (!means(type, f.type)) {
    throw new ArrowError("type", `Column "${f.name}": expected ${typeName(f.type)}, got ${typeName(type)}.`);
  }
  const encodedAsWanted = column.dictionary !== null || f.type.kind !== "dictionary";
  if (typeEquals(valueType(type), valueType(f.type)) && encodedAsWanted && (f.nullable || column.nullCount === 0)) {
    return { column: { ...column, type: f.type }, blocks: [] };
  }
  return buildColumn(arena, f, owner, { length: column.length, at: columnReader(arena, column) });
}

function missingColumn(f: Field, names: readonly string[]): ArrowError {
  return new ArrowError(
    "type",
    `Column "${f.name}" (${typeName(f.type)}) is missing; there are: ${names.join(", ") || "none"}.`,
  );
}

function fromTable(arena: Arena, source: Apache.Table | Apache.RecordBatch, options: FromColumnsOptions): Batch {
  const { owner } = options;
  const batch = fromArrowTable(arena, source, owner);
  const blocks = [...batch.blocks];
  try {
    const names = batch.schema.fields.map((f) => f.name);
    const columns = options.schema.fields.map((f) => {
      const column = batch.columns[names.indexOf(f.name)];
      if (column === undefined) throw missingColumn(f, names);
      const made = adapt(arena, column, f, owner);
      blocks.push(...made.blocks);
      return made.column;
    });
    return { schema: options.schema, rowCount: batch.rowCount, columns, blocks };
  } catch (error) {
    releaseAll(arena, blocks);
    throw error;
  }
}

/** Typed arrays whose bytes are a column of the kind. */
const ARRAY_KINDS: ReadonlyMap<string, string> = new Map([
  ["Int8Array", "int8"],
  ["Int16Array", "int16"],
  ["Int32Array", "int32"],
  ["BigInt64Array", "int64"],
  ["Uint8Array", "uint8"],
  ["Uint16Array", "uint16"],
  ["Uint32Array", "uint32"],
  ["BigUint64Array", "uint64"],
  ["Float32Array", "float32"],
  ["Float64Array", "float64"],
]);

function copyArray(arena: Arena, array: ArrayBufferView, type: DataType, owner: OwnerId): Made {
  const bytes = array.byteLength;
  const data = arena.allocate(bytes, owner);
  arena.u8.set(new Uint8Array(array.buffer, array.byteOffset, bytes), data);
  const length = bytes / byteWidth(type);
  return {
    column: { type, length, nullCount: 0, validity: 0, offsets: 0, data, children: [], dictionary: null },
    blocks: [data],
  };
}

function fromValues(arena: Arena, value: unknown, f: Field, owner: OwnerId): Made {
  if (isVector(value)) {
    const table = new (apacheArrow().Table)({ [f.name]: value });
    const batch = fromTable(arena, table, { schema: { fields: [f] }, owner });
    return { column: batch.columns[0] as Column, blocks: batch.blocks };
  }
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) {
    const kind = ARRAY_KINDS.get(Object.prototype.toString.call(value).slice(8, -1));
    if (kind === f.type.kind) return copyArray(arena, value, f.type, owner);
    const numbers = value as unknown as ArrayLike<number | bigint>; // every view but DataView is a typed array
    return buildColumn(arena, f, owner, { length: numbers.length, at: (row) => numbers[row] });
  }
  if (!Array.isArray(value)) {
    throw new ArrowError(
      "type",
      `Column "${f.name}": expected an array, a typed array or a vector, got ${showValue(value)}.`,
    );
  }
  return buildColumn(arena, f, owner, { length: value.length, at: (row) => value[row] as CellInput });
}

/**
 * Columns as a user function returns them, as a batch of the schema that the caller owns: an apache-arrow table or
 * record batch, or an object with an array, typed array or vector a column. Values are copied; numbers may be of
 * another numeric type when each value fits. Throws `ArrowError` "type" that names the column. Tables and vectors need
 * `loadApacheArrow()`.
 */
export function fromColumns(arena: Arena, source: object, options: FromColumnsOptions): Batch {
  if (isTable(source) || isRecordBatch(source)) return fromTable(arena, source, options);
  const columns: Column[] = [];
  const blocks: Address[] = [];
  try {
    for (const f of options.schema.fields) {
      if (!Object.hasOwn(source, f.name)) throw missingColumn(f, Object.keys(source));
      const made = fromValues(arena, (source as Record<string, unknown>)[f.name], f, options.owner);
      blocks.push(...made.blocks);
      columns.push(made.column);
      const rows = columns[0]?.length ?? 0;
      if (made.column.length === rows) continue;
      const first = options.schema.fields[0]?.name;
      throw new ArrowError("type", `Column "${f.name}" has ${made.column.length} rows, but "${first}" has ${rows}.`);
    }
    return { schema: options.schema, rowCount: columns[0]?.length ?? 0, columns, blocks };
  } catch (error) {
    releaseAll(arena, blocks);
    throw error;
  }
}
