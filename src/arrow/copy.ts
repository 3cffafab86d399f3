import { invariant } from "../kernel/mod.ts";
import type { Address, Arena, OwnerId } from "./arena.ts";
import type { Column } from "./column.ts";
import { ArrowError } from "./error.ts";
import { byteWidth } from "./types.ts";

/** In `gatherColumn`: a row that is null in the result. */
export const NULL_ROW = 0xffffffff;

const OFFSET_MAX = 0x7fffffff;

/** The block among `blocks` that `address` lies in; 0 for none. */
export function blockAt(arena: Arena, blocks: readonly Address[], address: Address): Address {
  for (const block of blocks) if (block <= address && address < block + arena.blockBytes(block)) return block;
  return 0;
}

/** All buffers of the column, its children and its dictionary. */
export function bufferAddresses(column: Column): Address[] {
  const own = [column.validity, column.offsets, column.data].filter((address) => address !== 0);
  const inner = column.dictionary === null ? column.children : [...column.children, column.dictionary];
  return own.concat(...inner.map(bufferAddresses));
}

export interface CopyOptions {
  readonly owner: OwnerId;
  /**
   * Blocks of the source's batch: with them dictionaries are shared, their blocks retained. Without, they are copied.
   */
  readonly shared?: readonly Address[];
  /** New and retained blocks are added here as they are made, so that a failure can release them. */
  readonly blocks: Address[];
}

export interface RangeOptions extends CopyOptions {
  readonly start: number;
  readonly end: number;
}

function allocate(arena: Arena, bytes: number, options: CopyOptions): Address {
  const address = arena.allocate(bytes, options.owner);
  options.blocks.push(address);
  return address;
}

function allocateBits(arena: Arena, bits: number, options: CopyOptions): Address {
  const address = arena.allocateZeroed(Math.ceil(bits / 8), options.owner);
  options.blocks.push(address);
  return address;
}

/** Bits that are set among `bits` bits from bit `start` of the bitmap. */
export function countBits(arena: Arena, bitmap: Address, start: number, bits: number): number {
  const { u8 } = arena;
  const end = start + bits;
  let count = 0;
  let at = start;
  for (; at < end && (at & 7) !== 0; at++) count += ((u8[bitmap + (at >>> 3)] as number) >>> (at & 7)) & 1;
  for (; at + 8 <= end; at += 8) {
    let byte = u8[bitmap + (at >>> 3)] as number;
    byte -= (byte >>> 1) & 0x55;
    byte = (byte & 0x33) + ((byte >>> 2) & 0x33);
    count += (byte + (byte >>> 4)) & 0x0f;
  }
  for (; at < end; at++) count += ((u8[bitmap + (at >>> 3)] as number) >>> (at & 7)) & 1;
  return count;
}

/** Copies `bits` bits from bit `start`; bits after them in the last byte become 0. */
export function copyBits(arena: Arena, from: Address, options: { start: number; bits: number; to: Address }): void {
  const { start, bits, to } = options;
  const { u8 } = arena;
  const bytes = (bits + 7) >>> 3;
  const shift = start & 7;
  const source = from + (start >>> 3);
  if (shift === 0) u8.copyWithin(to, source, source + bytes);
  else {
    for (let i = 0; i < bytes; i++) {
      u8[to + i] = ((u8[source + i] as number) >>> shift) | ((u8[source + i + 1] as number) << (8 - shift));
    }
  }
  if ((bits & 7) !== 0) u8[to + bytes - 1] = (u8[to + bytes - 1] as number) & ((1 << (bits & 7)) - 1);
}

function rangeValidity(arena: Arena, column: Column, options: RangeOptions): { validity: Address; nullCount: number } {
  const { start, end } = options;
  if (column.type.kind === "null") return { validity: 0, nullCount: end - start };
  if (column.validity === 0) return { validity: 0, nullCount: 0 };
  const nullCount = end - start - countBits(arena, column.validity, start, end - start);
  if (nullCount === 0) return { validity: 0, nullCount };
  const validity = allocate(arena, (end - start + 7) >>> 3, options);
  copyBits(arena, column.validity, { start, bits: end - start, to: validity });
  return { validity, nullCount };
}

/** Shares a dictionary when its blocks are known, else copies it. */
export function takeDictionary(arena: Arena, dictionary: Column, options: CopyOptions): Column {
  const { shared, blocks } = options;
  if (shared === undefined) return copyRows(arena, dictionary, { ...options, start: 0, end: dictionary.length });
  for (const address of bufferAddresses(dictionary)) {
    const block = blockAt(arena, shared, address);
    invariant(block !== 0, "a dictionary lies in the blocks of its batch");
    if (blocks.includes(block)) continue;
    arena.retain(block);
    blocks.push(block);
  }
  return dictionary;
}

/** Copies the rows `start` up to but not including `end` into new blocks. */
export function copyRows(arena: Arena, column: Column, options: RangeOptions): Column {
  const { start, end } = options;
  const { type } = column;
  const length = end - start;
  const base = { type, length, ...rangeValidity(arena, column, options), offsets: 0, data: 0, dictionary: null };
  if (column.dictionary !== null) {
    const data = copyBytes(arena, column.data + 4 * start, 4 * length, options);
    return { ...base, data, children: [], dictionary: takeDictionary(arena, column.dictionary, options) };
  }
  switch (type.kind) {
    case "null":
      return { ...base, children: [] };
    case "bool": {
      const data = allocate(arena, (length + 7) >>> 3, options);
      if (length > 0) copyBits(arena, column.data, { start, bits: length, to: data });
      return { ...base, data, children: [] };
    }
    case "struct":
      return { ...base, children: column.children.map((child) => copyRows(arena, child, options)) };
    case "utf8":
    case "largeUtf8":
    case "binary":
    case "largeBinary":
    case "list": {
      const { offsets, from, to } = copyOffsets(arena, column, options);
      if (type.kind === "list") {
        const items = copyRows(arena, column.children[0] as Column, { ...options, start: from, end: to });
        return { ...base, offsets, children: [items] };
      }
      return { ...base, offsets, data: copyBytes(arena, column.data + from, to - from, options), children: [] };
    }
    default: {
      const width = byteWidth(type);
      return { ...base, data: copyBytes(arena, column.data + width * start, width * length, options), children: [] };
    }
  }
}

function copyBytes(arena: Arena, from: Address, bytes: number, options: CopyOptions): Address {
  const to = allocate(arena, bytes, options);
  arena.u8.copyWithin(to, from, from + bytes);
  return to;
}

/** Offsets of the range, moved to start at 0, and what of the values they span. */
function copyOffsets(arena: Arena, column: Column, options: RangeOptions) {
  const { start, end } = options;
  const { i32 } = arena;
  const offsets = allocate(arena, 4 * (end - start + 1), options);
  if (column.offsets === 0) {
    i32[offsets >>> 2] = 0; // an empty column has no buffers
    return { offsets, from: 0, to: 0 };
  }
  const source = (column.offsets >>> 2) + start;
  const target = offsets >>> 2;
  const from = i32[source] as number;
  const count = end - start;
  for (let i = 0; i <= count; i++) i32[target + i] = (i32[source + i] as number) - from;
  return { offsets, from, to: i32[source + count] as number };
}

export interface GatherOptions {
  /** Row numbers in any order, repeated or not; `NULL_ROW` gives a null. */
  readonly rows: Uint32Array;
  readonly owner: OwnerId;
  /** Blocks of the source's batch: with them dictionaries are shared instead of copied. */
  readonly shared?: readonly Address[];
}

/** The given rows of a column of any type, in that order; the caller owns one reference to each of `blocks`. */
export function gatherColumn(
  arena: Arena,
  column: Column,
  options: GatherOptions,
): { readonly column: Column; readonly blocks: readonly Address[] } {
  const blocks: Address[] = [];
  try {
    return { column: gather(arena, column, { ...options, blocks }), blocks };
  } catch (error) {
    for (const block of blocks) arena.release(block);
    throw error;
  }
}

/**
 * A column whose own rows are values of its value type, without a dictionary (nested dictionaries stay). A column that
 * has none is returned as it is, with no blocks; otherwise the caller owns `blocks`.
 */
export function decodeColumn(
  arena: Arena,
  column: Column,
  owner: OwnerId,
): { readonly column: Column; readonly blocks: readonly Address[] } {
  const { dictionary, validity, length } = column;
  if (dictionary === null) return { column, blocks: [] };
  const rows = new Uint32Array(length);
  if (length > 0) rows.set(arena.u32.subarray(column.data >>> 2, (column.data >>> 2) + length));
  if (validity !== 0) {
    for (let i = 0; i < length; i++) {
      if ((((arena.u8[validity + (i >>> 3)] as number) >>> (i & 7)) & 1) === 0) rows[i] = NULL_ROW;
    }
  }
  const decoded = gatherColumn(arena, dictionary, { rows, owner });
  if (column.type.kind === "dictionary") return decoded;
  return { ...decoded, column: { ...decoded.column, type: column.type } };
}

type Gather = GatherOptions & CopyOptions;

function gatherValidity(arena: Arena, column: Column, options: Gather): { validity: Address; nullCount: number } {
  const { rows } = options;
  const { u8 } = arena;
  if (column.type.kind === "null") return { validity: 0, nullCount: rows.length };
  if (column.validity === 0 && !rows.includes(NULL_ROW)) return { validity: 0, nullCount: 0 };
  const validity = allocateBits(arena, rows.length, options);
  let nullCount = 0;
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i] as number;
    const valid =
      row !== NULL_ROW &&
      (column.validity === 0 || (((u8[column.validity + (row >>> 3)] as number) >>> (row & 7)) & 1) === 1);
    if (valid) u8[validity + (i >>> 3)] = (u8[validity + (i >>> 3)] as number) | (1 << (i & 7));
    else nullCount++;
  }
  return { validity, nullCount };
}

function gatherFixed(arena: Arena, from: Address, width: number, options: Gather): Address {
  const { rows } = options;
  const { u8, i16, i32 } = arena;
  const to = allocate(arena, width * rows.length, options);
  const words = width === 4 ? 1 : width === 8 ? 2 : width === 16 ? 4 : 0;
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i] === NULL_ROW ? -1 : (rows[i] as number);
    if (words > 0) {
      const target = (to >>> 2) + words * i;
      const source = (from >>> 2) + words * row;
      for (let w = 0; w < words; w++) i32[target + w] = row < 0 ? 0 : (i32[source + w] as number);
    } else if (width === 2) i16[(to >>> 1) + i] = row < 0 ? 0 : (i16[(from >>> 1) + row] as number);
    else if (row < 0) u8.fill(0, to + width * i, to + width * (i + 1));
    else if (width === 1) u8[to + i] = u8[from + row] as number;
    else u8.copyWithin(to + width * i, from + width * row, from + width * (row + 1));
  }
  return to;
}

function gatherBits(arena: Arena, column: Column, options: Gather): Address {
  const { rows } = options;
  const { u8 } = arena;
  const to = allocateBits(arena, rows.length, options);
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i] as number;
    const set = row === NULL_ROW ? 0 : ((u8[column.data + (row >>> 3)] as number) >>> (row & 7)) & 1;
    if (set === 1) u8[to + (i >>> 3)] = (u8[to + (i >>> 3)] as number) | (1 << (i & 7));
  }
  return to;
}

/** New offsets for the gathered rows; returns their end too. */
function gatherOffsets(arena: Arena, column: Column, options: Gather): { offsets: Address; end: number } {
  const { rows } = options;
  const { i32 } = arena;
  const offsets = allocate(arena, 4 * (rows.length + 1), options);
  const source = column.offsets >>> 2;
  const target = offsets >>> 2;
  let end = 0;
  i32[target] = 0;
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i] as number;
    if (row !== NULL_ROW) end += (i32[source + row + 1] as number) - (i32[source + row] as number);
    if (end > OFFSET_MAX) {
      throw new ArrowError(
        "unsupported",
        "Cannot put more than 2 GiB of values in one column of a batch. Use smaller batches.",
      );
    }
    i32[target + i + 1] = end;
  }
  return { offsets, end };
}

function gatherHeap(arena: Arena, column: Column, options: Gather & { offsets: Address; bytes: number }): Address {
  const { rows, offsets } = options;
  const { u8, i32 } = arena;
  const to = allocate(arena, options.bytes, options);
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i] as number;
    if (row === NULL_ROW) continue;
    const start = column.data + (i32[(column.offsets >>> 2) + row] as number);
    const end = column.data + (i32[(column.offsets >>> 2) + row + 1] as number);
    const target = to + (i32[(offsets >>> 2) + i] as number);
    if (end - start > 32) u8.copyWithin(target, start, end);
    else for (let at = start; at < end; at++) u8[target + at - start] = u8[at] as number;
  }
  return to;
}

/** Row numbers of the items of the gathered lists. */
function itemRows(arena: Arena, column: Column, options: Gather & { items: number }): Uint32Array {
  const result = new Uint32Array(options.items);
  const source = column.offsets >>> 2;
  let at = 0;
  for (const row of options.rows) {
    if (row === NULL_ROW) continue;
    const end = arena.i32[source + row + 1] as number;
    for (let item = arena.i32[source + row] as number; item < end; item++) result[at++] = item;
  }
  return result;
}

function gather(arena: Arena, column: Column, options: Gather): Column {
  const { type } = column;
  const length = options.rows.length;
  const base = { type, length, ...gatherValidity(arena, column, options), offsets: 0, data: 0, dictionary: null };
  if (column.dictionary !== null) {
    const data = gatherFixed(arena, column.data, 4, options);
    return { ...base, data, children: [], dictionary: takeDictionary(arena, column.dictionary, options) };
  }
  switch (type.kind) {
    case "null":
      return { ...base, children: [] };
    case "bool":
      return { ...base, data: gatherBits(arena, column, options), children: [] };
    case "struct":
      return { ...base, children: column.children.map((child) => gather(arena, child, options)) };
    case "list": {
      const { offsets, end } = gatherOffsets(arena, column, options);
      const rows = itemRows(arena, column, { ...options, items: end });
      return { ...base, offsets, children: [gather(arena, column.children[0] as Column, { ...options, rows })] };
    }
    case "utf8":
    case "largeUtf8":
    case "binary":
    case "largeBinary": {
      const { offsets, end } = gatherOffsets(arena, column, options);
      return { ...base, offsets, data: gatherHeap(arena, column, { ...options, offsets, bytes: end }), children: [] };
    }
    default:
      return { ...base, data: gatherFixed(arena, column.data, byteWidth(type), options), children: [] };
  }
}
