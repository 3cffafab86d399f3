import type { Address } from "./arena.ts";
import type { Column } from "./column.ts";
import type { BodyReader } from "./ipc_body.ts";
import type { WireField } from "./ipc_schema.ts";

const OFFSET_MAX = 0x7fffffff;
/** Text is checked in pieces of this size, so that no string of the whole heap is made. */
const CHECK_BYTES = 2 ** 20;

/** Column parts with rows behind offsets. */
export interface Heap {
  readonly offsets: Address;
  readonly data: Address;
}

/** Offsets of the wire as int32 from 0 in the arena, known to rise; `from` and `end` are the wire's first and last. */
export function loadOffsets(
  reader: BodyReader,
  field: WireField,
  length: number,
): { readonly offsets: Address; readonly from: number; readonly end: number } {
  const width = "offsetWidth" in field.layout ? field.layout.offsetWidth : 4;
  const { i32 } = reader.arena;
  const source = reader.nextBytes(field, length === 0 ? 0 : width * (length + 1));
  if (length > 0 && width === 4) return loadShortOffsets(reader, { field, source, length });
  const offsets = reader.allocate(4 * (length + 1));
  if (length === 0) {
    i32[offsets >>> 2] = 0;
    return { offsets, from: 0, end: 0 };
  }
  const view = new DataView(source.buffer, source.byteOffset, source.byteLength);
  const from = Number(view.getBigInt64(0, true));
  let before = from;
  for (let i = 0; i <= length; i++) {
    const offset = Number(view.getBigInt64(8 * i, true));
    if (offset < before || from < 0) throw reader.fail(`offsets of column "${field.name}" do not rise at row ${i}`);
    if (offset - from > OFFSET_MAX)
      throw reader.fail(`column "${field.name}" has more than 2 GiB of values in one batch`);
    i32[(offsets >>> 2) + i] = offset - from;
    before = offset;
  }
  return { offsets, from, end: before };
}

function loadShortOffsets(
  reader: BodyReader,
  wire: { readonly field: WireField; readonly source: Uint8Array; readonly length: number },
): { readonly offsets: Address; readonly from: number; readonly end: number } {
  const { source, length } = wire;
  const bytes = 4 * (length + 1);
  // Bytes that lie where they came in are never changed: buffers of a bad message may overlap.
  const startsAtZero = source[0] === 0 && source[1] === 0 && source[2] === 0 && source[3] === 0;
  const offsets = startsAtZero ? reader.place(source, bytes) : reader.copy(source, bytes);
  const values = new Int32Array(reader.arena.buffer, offsets, length + 1);
  const from = values[0] as number;
  let before = from;
  let falls = from < 0 ? 1 : 0;
  for (let i = 0; i <= length; i++) {
    const offset = values[i] as number;
    if (offset < before) falls++;
    before = offset;
  }
  if (falls > 0) throw reader.fail(`offsets of column "${wire.field.name}" do not rise`);
  if (from !== 0) for (let i = 0; i <= length; i++) values[i] = (values[i] as number) - from;
  return { offsets, from, end: before };
}

/** Whether all bytes are below 128; reads up to 3 bytes of slack. */
function isAscii(reader: BodyReader, data: Address, bytes: number): boolean {
  const words = new Int32Array(reader.arena.buffer, data, bytes >>> 2);
  let any = 0;
  for (let i = 0; i < words.length; i++) any |= words[i] as number;
  for (let i = bytes & ~3; i < bytes; i++) any |= reader.arena.u8[data + i] as number;
  return (any & 0x80808080) === 0;
}

/** Throws unless every row is valid UTF-8: the heap is, and no row starts inside of a character. */
function checkText(
  reader: BodyReader,
  field: WireField,
  heap: Heap & { readonly length: number; readonly bytes: number },
): void {
  const { data, bytes } = heap;
  if (isAscii(reader, data, bytes)) return;
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const { u8, i32 } = reader.arena;
  try {
    for (let at = 0; at < bytes; at += CHECK_BYTES) {
      const end = Math.min(at + CHECK_BYTES, bytes);
      decoder.decode(u8.subarray(data + at, data + end), { stream: end < bytes });
    }
  } catch {
    throw reader.fail(`column "${field.name}" has text that is not valid UTF-8`);
  }
  for (let i = 0; i < heap.length; i++) {
    const at = i32[(heap.offsets >>> 2) + i] as number;
    const splits = at < bytes && ((u8[data + at] as number) & 0xc0) === 0x80;
    if (splits) throw reader.fail(`column "${field.name}", row ${i}: text starts inside of a character`);
  }
}

/** utf8 and binary columns with offsets of either width. */
export function loadHeap(reader: BodyReader, field: WireField, base: Column): Heap {
  const { offsets, from, end } = loadOffsets(reader, field, base.length);
  const source = reader.nextBytes(field, end);
  const data = reader.place(source.subarray(from, end), end - from);
  const heap = { offsets, data };
  const text = field.layout.kind === "heap" && field.layout.text;
  if (text) checkText(reader, field, { ...heap, length: base.length, bytes: end - from });
  return heap;
}

/** A view: 16 bytes a row, either up to 12 bytes of value in place or a buffer's number and a position in it. */
export function loadViews(reader: BodyReader, field: WireField, base: Column): Heap {
  const { length, validity } = base;
  const { arena } = reader;
  const views = reader.nextBytes(field, 16 * length);
  const view = new DataView(views.buffer, views.byteOffset, views.byteLength);
  const bufferCount = reader.nextVariadicCount();
  if (bufferCount > reader.plan.regions.length) throw reader.fail(`column "${field.name}" has too few buffers`);
  const buffers = Array.from({ length: bufferCount }, () => reader.nextBytes(field, 0));
  const isNull = (row: number) =>
    validity !== 0 && (((arena.u8[validity + (row >>> 3)] as number) >>> (row & 7)) & 1) === 0;
  const offsets = reader.allocate(4 * (length + 1));
  let bytes = 0;
  arena.i32[offsets >>> 2] = 0;
  for (let row = 0; row < length; row++) {
    const size = isNull(row) ? 0 : view.getInt32(16 * row, true);
    bytes += size;
    if (size < 0 || bytes > OFFSET_MAX) throw reader.fail(`column "${field.name}", row ${row}: wrong length ${size}`);
    arena.i32[(offsets >>> 2) + row + 1] = bytes;
  }
  const data = reader.allocate(bytes);
  let at = data;
  for (let row = 0; row < length; row++) {
    const size = isNull(row) ? 0 : view.getInt32(16 * row, true);
    const inPlace = size <= 12;
    const source = inPlace ? views : buffers[view.getInt32(16 * row + 8, true)];
    const start = inPlace ? 16 * row + 4 : view.getUint32(16 * row + 12, true);
    if (source === undefined || start + size > source.length) {
      throw reader.fail(`column "${field.name}", row ${row}: a value lies outside of its buffer`);
    }
    if (size > 0) arena.u8.set(source.subarray(start, start + size), at);
    at += size;
  }
  const heap = { offsets, data };
  const text = field.layout.kind === "view" && field.layout.text;
  if (text) checkText(reader, field, { ...heap, length, bytes });
  return heap;
}
