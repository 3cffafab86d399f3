/** Picks rows of a column by number: for nested columns that are carried past generated code, and for unnest. */
import type { Address, Arena, OwnerId } from "./arena.ts";
import type { Column } from "./column.ts";
import type { DataType } from "./types.ts";

/** Stands for "null here" in a list of row numbers. */
export const NO_ROW = 0xffffffff;

export interface Gathered {
  readonly column: Column;
  /** New blocks that the column lives in, one reference each. */
  readonly blocks: Address[];
}

export interface GatherOptions {
  /** Row numbers of the source column, or `NO_ROW`. */
  readonly rows: Uint32Array;
  readonly owner: OwnerId;
}

/** A new plain column (dictionaries are decoded) with the rows of `column` at `rows`. Everything is freed on failure. */
export function gatherColumn(arena: Arena, column: Column, options: GatherOptions): Gathered {
  const blocks: Address[] = [];
  try {
    return { column: gather(arena, column, { ...options, blocks }), blocks };
  } catch (error) {
    for (const block of blocks) arena.release(block);
    throw error;
  }
}

interface Job extends GatherOptions {
  readonly blocks: Address[];
}

function allocate(arena: Arena, bytes: number, job: Job): Address {
  const address = arena.allocateZeroed(bytes, job.owner);
  job.blocks.push(address);
  return address;
}

function gather(arena: Arena, column: Column, job: Job): Column {
  if (column.dictionary !== null) return gatherEncoded(arena, column, job);
  const length = job.rows.length;
  const { validity, nullCount } = gatherValidity(arena, column, job);
  const base = { type: column.type, length, nullCount, validity, offsets: 0, data: 0, children: [], dictionary: null };
  switch (column.type.kind) {
    case "null":
      return { ...base, nullCount: length, validity: 0 };
    case "bool":
      return { ...base, data: gatherBits(arena, column, job) };
    case "utf8":
    case "largeUtf8":
    case "binary":
    case "largeBinary":
      return { ...base, ...gatherBytes(arena, column, job) };
    case "list": {
      const { offsets, items } = expandLists(arena, column, job);
      const child = column.children[0];
      if (child === undefined) throw new TypeError("A list column has one child");
      return { ...base, offsets, children: [gather(arena, child, { ...job, rows: items })] };
    }
    case "struct":
      return { ...base, children: column.children.map((child) => gather(arena, child, job)) };
    default:
      return { ...base, data: gatherFixed(arena, column, { job, width: fixedWidth(column.type) }) };
  }
}

/** Plain rows of a dictionary column: the values at the rows' indices. */
function gatherEncoded(arena: Arena, column: Column, job: Job): Column {
  const { dictionary } = column;
  if (dictionary === null) throw new TypeError("Not a dictionary column");
  const indices = new Uint32Array(job.rows.length);
  job.rows.forEach((row, i) => {
    indices[i] = isNull(arena, column, row) ? NO_ROW : (arena.u32[(column.data >>> 2) + row] ?? 0);
  });
  return gather(arena, dictionary, { ...job, rows: indices });
}

function isNull(arena: Arena, column: Column, row: number): boolean {
  if (row === NO_ROW || column.type.kind === "null") return true;
  return column.validity !== 0 && (((arena.u8[column.validity + (row >>> 3)] ?? 0) >>> (row & 7)) & 1) === 0;
}

function gatherValidity(arena: Arena, column: Column, job: Job): { validity: Address; nullCount: number } {
  const { rows } = job;
  let nullCount = 0;
  for (const row of rows) if (isNull(arena, column, row)) nullCount++;
  if (nullCount === 0) return { validity: 0, nullCount };
  const validity = allocate(arena, Math.ceil(rows.length / 8), job);
  rows.forEach((row, i) => {
    if (!isNull(arena, column, row)) setBit(arena, validity, i);
  });
  return { validity, nullCount };
}

function setBit(arena: Arena, bitmap: Address, bit: number): void {
  const byte = bitmap + (bit >>> 3);
  arena.u8[byte] = (arena.u8[byte] ?? 0) | (1 << (bit & 7));
}

function gatherBits(arena: Arena, column: Column, job: Job): Address {
  const data = allocate(arena, Math.ceil(job.rows.length / 8), job);
  job.rows.forEach((row, i) => {
    if (row !== NO_ROW && ((arena.u8[column.data + (row >>> 3)] ?? 0) >>> (row & 7)) & 1) setBit(arena, data, i);
  });
  return data;
}

function gatherFixed(arena: Arena, column: Column, options: { readonly job: Job; readonly width: number }): Address {
  const { job, width } = options;
  const data = allocate(arena, job.rows.length * width, job);
  const { u8, i32, i64 } = arena;
  job.rows.forEach((row, i) => {
    if (row === NO_ROW) return;
    if (width === 8) i64[(data >>> 3) + i] = i64[(column.data >>> 3) + row] ?? 0n;
    else if (width === 4) i32[(data >>> 2) + i] = i32[(column.data >>> 2) + row] ?? 0;
    else u8.copyWithin(data + i * width, column.data + row * width, column.data + (row + 1) * width);
  });
  return data;
}

function gatherBytes(arena: Arena, column: Column, job: Job): { offsets: Address; data: Address } {
  const { rows } = job;
  const { u8, u32 } = arena;
  const source = column.offsets >>> 2;
  const offsets = allocate(arena, 4 * (rows.length + 1), job);
  let total = 0;
  rows.forEach((row, i) => {
    if (!isNull(arena, column, row)) total += (u32[source + row + 1] ?? 0) - (u32[source + row] ?? 0);
    u32[(offsets >>> 2) + i + 1] = total;
  });
  const data = allocate(arena, Math.max(1, total), job);
  rows.forEach((row, i) => {
    if (isNull(arena, column, row)) return;
    const start = column.data + (u32[source + row] ?? 0);
    u8.copyWithin(data + (u32[(offsets >>> 2) + i] ?? 0), start, column.data + (u32[source + row + 1] ?? 0));
  });
  return { offsets, data };
}

/** Offsets of the picked lists, and the rows of their items in the child. */
function expandLists(arena: Arena, column: Column, job: Job): { offsets: Address; items: Uint32Array } {
  const { rows } = job;
  const { u32 } = arena;
  const source = column.offsets >>> 2;
  const offsets = allocate(arena, 4 * (rows.length + 1), job);
  const items: number[] = [];
  rows.forEach((row, i) => {
    if (!isNull(arena, column, row)) {
      for (let item = u32[source + row] ?? 0; item < (u32[source + row + 1] ?? 0); item++) items.push(item);
    }
    u32[(offsets >>> 2) + i + 1] = items.length;
  });
  return { offsets, items: Uint32Array.from(items) };
}

function fixedWidth(type: DataType): number {
  switch (type.kind) {
    case "int8":
    case "uint8":
      return 1;
    case "int16":
    case "uint16":
      return 2;
    case "int32":
    case "uint32":
    case "float32":
    case "date32":
    case "dictionary":
      return 4;
    case "time":
      return type.unit === "second" || type.unit === "millisecond" ? 4 : 8;
    case "decimal":
      return 16;
    case "fixedSizeBinary":
      return type.byteWidth;
    default:
      return 8;
  }
}
