import { invariant, unreachable } from "../kernel/mod.ts";
import type { Address, Arena } from "./arena.ts";
import { type Cell, formatDecimal } from "./cell.ts";
import type { Batch, Column } from "./column.ts";
import { byteWidth, type DataType } from "./types.ts";

/** Reads the cell of a row; rows must be below the column's length. Valid while the column's memory is held. */
export type CellReader = (row: number) => Cell;

/** Heaps of up to so many bytes are decoded as one string, whose slices are the cells. */
const WHOLE_HEAP_BYTES_MAX = 64 * 2 ** 20;
/** With fewer rows it is not worth it. */
const WHOLE_HEAP_ROWS_MIN = 16;

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * A reader over the column's text. When the heap is ASCII (the usual case) the whole of it is decoded at once and rows
 * are slices; otherwise each row is decoded by itself. The heap is decoded at the first row that is read.
 */
function textReader(arena: Arena, column: Column): CellReader {
  const { buffer, u8 } = arena;
  const { length, data } = column;
  if (column.offsets === 0) return () => "";
  const offsets = new Int32Array(buffer, column.offsets, length + 1);
  const start = offsets[0] as number;
  const end = offsets[length] as number;
  let whole: string | null = null;
  let tried = length < WHOLE_HEAP_ROWS_MIN || end - start > WHOLE_HEAP_BYTES_MAX;
  return (row) => {
    if (!tried) {
      tried = true;
      const text = decoder.decode(u8.subarray(data + start, data + end));
      if (text.length === end - start) whole = text; // fewer units than bytes unless all is ASCII
    }
    const from = offsets[row] as number;
    const to = offsets[row + 1] as number;
    if (whole !== null) return whole.slice(from - start, to - start);
    return from === to ? "" : decoder.decode(u8.subarray(data + from, data + to));
  };
}

function decimalReader(arena: Arena, data: Address, scale: number, length: number): CellReader {
  const low = new BigUint64Array(arena.buffer, data, 2 * length);
  const high = new BigInt64Array(arena.buffer, data, 2 * length);
  return (row) => formatDecimal(((high[2 * row + 1] as bigint) << 64n) | (low[2 * row] as bigint), scale);
}

function listReader(arena: Arena, column: Column): CellReader {
  if (column.offsets === 0) return () => [];
  const offsets = new Int32Array(arena.buffer, column.offsets, column.length + 1);
  const item = columnReader(arena, column.children[0] as Column);
  return (row) => {
    const cells: Cell[] = [];
    const end = offsets[row + 1] as number;
    for (let i = offsets[row] as number; i < end; i++) cells.push(item(i));
    return cells;
  };
}

/** Sets a property as own data also for names like `__proto__`. */
function setOwn(object: Record<string, Cell>, name: string, value: Cell): void {
  if (name === "__proto__") {
    Object.defineProperty(object, name, { value, enumerable: true, writable: true, configurable: true });
  } else object[name] = value;
}

function structReader(arena: Arena, column: Column): CellReader {
  invariant(column.type.kind === "struct", "only structs have fields");
  const names = column.type.fields.map((f) => f.name);
  const readers = column.children.map((child) => columnReader(arena, child));
  return (row) => {
    const object: Record<string, Cell> = {};
    for (let i = 0; i < names.length; i++) setOwn(object, names[i] as string, (readers[i] as CellReader)(row));
    return object;
  };
}

/** Values are read once each and kept. */
function dictionaryReader(arena: Arena, column: Column, dictionary: Column): CellReader {
  const indices = new Int32Array(arena.buffer, column.data, column.length);
  const read = columnReader(arena, dictionary);
  const cells: (Cell | undefined)[] = [];
  const keep = dictionary.type.kind !== "binary" && dictionary.children.length === 0;
  return (row) => {
    const index = indices[row] as number;
    let cell = cells[index];
    if (cell === undefined) {
      cell = read(index);
      if (keep) cells[index] = cell;
    }
    return cell;
  };
}

function valueReader(arena: Arena, column: Column): CellReader {
  const { data, length, type, dictionary } = column;
  const { buffer, u8 } = arena;
  if (dictionary !== null) return dictionaryReader(arena, column, dictionary);
  switch (type.kind) {
    case "null":
      return () => null;
    case "bool":
      return (row) => (((u8[data + (row >>> 3)] as number) >>> (row & 7)) & 1) === 1;
    case "utf8":
    case "largeUtf8":
      return textReader(arena, column);
    case "binary":
    case "largeBinary": {
      if (column.offsets === 0) return () => new Uint8Array();
      const offsets = new Int32Array(buffer, column.offsets, length + 1);
      return (row) => u8.slice(data + (offsets[row] as number), data + (offsets[row + 1] as number));
    }
    case "fixedSizeBinary": {
      const { byteWidth: width } = type;
      return (row) => u8.slice(data + row * width, data + (row + 1) * width);
    }
    case "decimal":
      return decimalReader(arena, data, type.scale, length);
    case "list":
      return listReader(arena, column);
    case "struct":
      return structReader(arena, column);
    case "dictionary":
      return invariant(false, "a dictionary column has a dictionary") as never;
    default:
      return numberReader(arena, column, type);
  }
}

type NumberType = Exclude<
  DataType,
  {
    kind:
      | "null"
      | "bool"
      | "utf8"
      | "largeUtf8"
      | "binary"
      | "largeBinary"
      | "fixedSizeBinary"
      | "decimal"
      | "list"
      | "struct"
      | "dictionary";
  }
>;

/** The column's values as a typed array over the arena. */
function values(arena: Arena, column: Column, type: NumberType) {
  const { data, length } = column;
  const { buffer } = arena;
  switch (type.kind) {
    case "int8":
      return new Int8Array(buffer, data, length);
    case "int16":
      return new Int16Array(buffer, data, length);
    case "int32":
    case "date32":
      return new Int32Array(buffer, data, length);
    case "uint8":
      return new Uint8Array(buffer, data, length);
    case "uint16":
      return new Uint16Array(buffer, data, length);
    case "uint32":
      return new Uint32Array(buffer, data, length);
    case "float32":
      return new Float32Array(buffer, data, length);
    case "float64":
      return new Float64Array(buffer, data, length);
    case "uint64":
      return new BigUint64Array(buffer, data, length);
    case "int64":
    case "timestamp":
    case "duration":
      return new BigInt64Array(buffer, data, length);
    case "time":
      return byteWidth(type) === 4 ? new Int32Array(buffer, data, length) : new BigInt64Array(buffer, data, length);
    default:
      return unreachable(type);
  }
}

function numberReader(arena: Arena, column: Column, type: NumberType): CellReader {
  const array = values(arena, column, type);
  return (row) => array[row] as number | bigint;
}

/** A reader of the column's cells: make one and read many rows with it. */
export function columnReader(arena: Arena, column: Column): CellReader {
  const read = valueReader(arena, column);
  const { validity } = column;
  if (validity === 0) return read;
  const bits = new Uint8Array(arena.buffer, validity, (column.length + 7) >>> 3);
  return (row) => ((((bits[row >>> 3] as number) >>> (row & 7)) & 1) === 0 ? null : read(row));
}

/** One cell; for many rows of a column use `columnReader`. */
export function readCell(arena: Arena, column: Column, row: number): Cell {
  invariant(row >= 0 && row < column.length, "row outside the column");
  return columnReader(arena, column)(row);
}

/** The batch's rows as objects with a property a column. */
export function* rowsOf(arena: Arena, batch: Batch): Generator<Record<string, Cell>> {
  const names = batch.schema.fields.map((f) => f.name);
  const readers = batch.columns.map((column) => columnReader(arena, column));
  for (let row = 0; row < batch.rowCount; row++) {
    const object: Record<string, Cell> = {};
    for (let i = 0; i < names.length; i++) setOwn(object, names[i] as string, (readers[i] as CellReader)(row));
    yield object;
  }
}
