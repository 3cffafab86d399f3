import { type Arena, type Column, valueType } from "../../arrow/mod.ts";
import { ConnectorError } from "../error.ts";
import type { WriteLeaf } from "./write_schema.ts";

/** Values of some rows of a column as Parquet's PLAIN encoding. `rows` are the rows that are not null, in order. */
export function plainValues(arena: Arena, column: Column, leaf: WriteLeaf, rows: Int32Array): Uint8Array {
  const type = valueType(leaf.type);
  const source = column.dictionary === null ? { column, rows } : throughDictionary(arena, column, rows);
  switch (type.kind) {
    case "null":
      return new Uint8Array(0);
    case "bool":
      return bits(arena, source.column, source.rows);
    case "int8":
    case "int16":
    case "uint8":
    case "uint16":
      return widened(arena, source.column, source.rows);
    case "decimal":
      return reversed(fixed(arena, source.column, source.rows, 16));
    case "fixedSizeBinary":
      return fixed(arena, source.column, source.rows, type.byteWidth);
    case "int64":
    case "uint64":
    case "float64":
    case "duration":
      return fixed(arena, source.column, source.rows, 8);
    case "timestamp":
      return seconds(fixed(arena, source.column, source.rows, 8), { leaf, scale: type.unit === "second", width: 8 });
    case "time": {
      const width = type.unit === "second" || type.unit === "millisecond" ? 4 : 8;
      return seconds(fixed(arena, source.column, source.rows, width), { leaf, scale: type.unit === "second", width });
    }
    case "utf8":
    case "largeUtf8":
    case "binary":
    case "largeBinary":
      return byteArrays(arena, source.column, source.rows);
    default:
      return fixed(arena, source.column, source.rows, 4);
  }
}

function throughDictionary(arena: Arena, column: Column, rows: Int32Array): { column: Column; rows: Int32Array } {
  const indices = new Int32Array(arena.buffer, column.data, column.length);
  const through = new Int32Array(rows.length);
  for (let i = 0; i < rows.length; i++) through[i] = indices[rows[i] as number] as number;
  return { column: column.dictionary as Column, rows: through };
}

function isRange(rows: Int32Array): boolean {
  const { length } = rows;
  return length > 0 && (rows[length - 1] as number) - (rows[0] as number) === length - 1;
}

function fixed(arena: Arena, column: Column, rows: Int32Array, width: number): Uint8Array {
  const out = new Uint8Array(rows.length * width);
  if (rows.length === 0) return out;
  if (isRange(rows) && isSorted(rows)) {
    const start = column.data + (rows[0] as number) * width;
    out.set(new Uint8Array(arena.buffer, start, out.length));
    return out;
  }
  const bytes = new Uint8Array(arena.buffer, column.data, column.length * width);
  for (let i = 0; i < rows.length; i++) {
    const from = (rows[i] as number) * width;
    for (let b = 0; b < width; b++) out[i * width + b] = bytes[from + b] as number;
  }
  return out;
}

function isSorted(rows: Int32Array): boolean {
  for (let i = 1; i < rows.length; i++) if ((rows[i] as number) !== (rows[i - 1] as number) + 1) return false;
  return true;
}

function bits(arena: Arena, column: Column, rows: Int32Array): Uint8Array {
  const source = new Uint8Array(arena.buffer, column.data, (column.length + 7) >>> 3);
  const out = new Uint8Array((rows.length + 7) >>> 3);
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i] as number;
    const bit = ((source[row >>> 3] as number) >>> (row & 7)) & 1;
    out[i >>> 3] = (out[i >>> 3] as number) | (bit << (i & 7));
  }
  return out;
}

function widened(arena: Arena, column: Column, rows: Int32Array): Uint8Array {
  const { kind } = valueType(column.type);
  const { buffer } = arena;
  const [at, length] = [column.data, column.length];
  const view =
    kind === "int8"
      ? new Int8Array(buffer, at, length)
      : kind === "uint8"
        ? new Uint8Array(buffer, at, length)
        : kind === "int16"
          ? new Int16Array(buffer, at, length)
          : new Uint16Array(buffer, at, length);
  const out = new Int32Array(rows.length);
  for (let i = 0; i < rows.length; i++) out[i] = view[rows[i] as number] as number;
  return new Uint8Array(out.buffer);
}

/** Big endian, as decimals are stored. */
function reversed(bytes: Uint8Array): Uint8Array {
  for (let at = 0; at < bytes.length; at += 16) bytes.subarray(at, at + 16).reverse();
  return bytes;
}

/** Seconds become milliseconds. */
function seconds(bytes: Uint8Array, what: { leaf: WriteLeaf; scale: boolean; width: number }): Uint8Array {
  if (!what.scale) return bytes;
  if (what.width === 4) {
    const values = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
    for (let i = 0; i < values.length; i++) values[i] = (values[i] as number) * 1000;
    return bytes;
  }
  const values = new BigInt64Array(bytes.buffer, bytes.byteOffset, bytes.length / 8);
  for (let i = 0; i < values.length; i++) {
    const value = (values[i] as bigint) * 1000n;
    if (BigInt.asIntN(64, value) !== value) {
      throw new ConnectorError(
        "unsupported",
        `Cannot write column "${what.leaf.name}" as Parquet: a timestamp does not fit milliseconds.`,
      );
    }
    values[i] = value;
  }
  return bytes;
}

const PAGE_BYTES_MAX = 2 ** 31 - 1;

export function byteArrays(arena: Arena, column: Column, rows: Int32Array): Uint8Array {
  const offsets = new Int32Array(arena.buffer, column.offsets, column.length + 1);
  let total = rows.length * 4;
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i] as number;
    total += (offsets[row + 1] as number) - (offsets[row] as number);
  }
  if (total > PAGE_BYTES_MAX)
    throw new ConnectorError("unsupported", "A Parquet page of more than 2 GiB of text: write smaller batches.");
  const heap = new Uint8Array(arena.buffer, column.data, offsets[column.length] as number);
  const out = new Uint8Array(total);
  const view = new DataView(out.buffer);
  let at = 0;
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i] as number;
    const start = offsets[row] as number;
    const length = (offsets[row + 1] as number) - start;
    view.setUint32(at, length, true);
    at += 4;
    if (length < 32) for (let b = 0; b < length; b++) out[at + b] = heap[start + b] as number;
    else out.set(heap.subarray(start, start + length), at);
    at += length;
  }
  return out;
}
