import type { Address, Arena, Column, OwnerId } from "../../arrow/mod.ts";
import { gatherKernels } from "./kernels.ts";
import type { LeafShape } from "./schema.ts";
import type { LeafLayout, PageValues } from "./values.ts";

/**
 * Builds one leaf column in the arena from page values. Nulls are spread in: values are written densely first and then
 * moved apart from the end.
 */

/** A chunk's dictionary of byte arrays in the arena; shared by all batches that use it. */
export interface TextDictionary {
  readonly column: Column;
  readonly blocks: readonly Address[];
}

/** A chunk's dictionary in the arena: byte arrays, or fixed values in arena layout. */
export type Dictionary =
  | { readonly kind: "text"; readonly text: TextDictionary; readonly count: number }
  | { readonly kind: "fixed"; readonly address: Address; readonly bytes: Uint8Array; readonly count: number };

export interface Entries {
  /** First value of the page to take. */
  readonly valueStart: number;
  readonly valueCount: number;
  /** Values and nulls together. */
  readonly entryCount: number;
  /** One byte an entry, 1 where there is a value; null when there are no nulls. */
  readonly present: Uint8Array | null;
}

export class LeafFill {
  length = 0;
  private nullCount = 0;
  private capacity = 0;
  private validity: Address = 0;
  private data: Address = 0;
  private offsets: Address = 0;
  private heapBytes = 0;
  private heapCapacity = 0;
  /** The dictionary while all pages were encoded with it. */
  private text: TextDictionary | null = null;
  private readonly width: number;
  private readonly arena: Arena;
  private readonly owner: OwnerId;
  private readonly shape: LeafShape;
  private readonly layout: LeafLayout;

  constructor(parts: { arena: Arena; owner: OwnerId; shape: LeafShape; layout: LeafLayout }) {
    this.arena = parts.arena;
    this.owner = parts.owner;
    this.shape = parts.shape;
    this.layout = parts.layout;
    this.width = parts.layout.kind === "fixed" ? parts.layout.width : parts.layout.kind === "bytes" ? 4 : 1;
  }

  append(values: PageValues, dictionary: Dictionary | null, entries: Entries): void {
    this.reserve(this.length + entries.entryCount);
    switch (this.layout.kind) {
      case "null":
        break;
      case "bool":
        this.appendBools(values, dictionary, entries);
        break;
      case "fixed":
        this.appendFixed(values, dictionary, entries);
        break;
      case "bytes":
        this.appendBytes(values, dictionary, entries);
        break;
    }
    this.appendValidity(entries);
    this.length += entries.entryCount;
  }

  /** Makes room for `capacity` entries in all. */
  reserve(capacity: number): void {
    if (capacity <= this.capacity) return;
    const next = this.capacity === 0 ? capacity : Math.max(capacity, this.capacity * 2);
    const bits = this.layout.kind === "bool";
    if (this.layout.kind === "bytes") {
      if (this.offsets !== 0) this.offsets = this.grow(this.offsets, (this.length + 1) * 4, (next + 1) * 4);
      if (this.text !== null) this.data = this.grow(this.data, this.length * 4, next * 4);
    } else if (this.layout.kind !== "null") {
      const bytes = (count: number) => (bits ? (count + 7) >>> 3 : count * this.width);
      this.data = this.grow(this.data, bytes(this.length), bytes(next), bits);
    }
    if (this.validity !== 0) this.validity = this.grow(this.validity, (this.length + 7) >>> 3, (next + 7) >>> 3, true);
    this.capacity = next;
  }

  private grow(address: Address, usedBytes: number, bytes: number, zeroed = false): Address {
    const { arena, owner } = this;
    const next = zeroed ? arena.allocateZeroed(bytes, owner) : arena.allocate(bytes, owner);
    if (address !== 0) {
      arena.u8.copyWithin(next, address, address + usedBytes);
      arena.release(address);
    }
    return next;
  }

  private appendBools(values: PageValues, dictionary: Dictionary | null, entries: Entries): void {
    const source = valueBytes(values, dictionary, { entries, width: 1 });
    const bits = new Uint8Array(this.arena.buffer, this.data, ((this.length + entries.entryCount + 7) >>> 3) + 1);
    let next = 0;
    for (let i = 0; i < entries.entryCount; i++) {
      if (entries.present !== null && entries.present[i] === 0) continue;
      const at = this.length + i;
      if (source[next++] !== 0) bits[at >>> 3] = (bits[at >>> 3] as number) | (1 << (at & 7));
    }
  }

  private appendFixed(values: PageValues, dictionary: Dictionary | null, entries: Entries): void {
    const { width, arena } = this;
    const at = this.data + this.length * width;
    const { valueStart, valueCount, entryCount } = entries;
    if (values.kind === "fixed") {
      arena.u8.set(values.bytes.subarray(valueStart * width, (valueStart + valueCount) * width), at);
    } else if (values.kind === "indices" && dictionary?.kind === "fixed") {
      const indices = values.indices.subarray(valueStart, valueStart + valueCount);
      const kernels = gatherKernels(arena);
      if (width === 4) kernels.gather4(dictionary.address, indices.byteOffset, at, valueCount);
      else if (width === 8) kernels.gather8(dictionary.address, indices.byteOffset, at, valueCount);
      else gather(dictionary.bytes, width, indices, new Uint8Array(arena.buffer, at, valueCount * width));
    } else throw new RangeError("a page is encoded in a way that its column cannot be");
    if (entries.present !== null && valueCount < entryCount) {
      spread(new Uint8Array(arena.buffer, at, entryCount * width), width, entries);
    }
  }

  private appendBytes(values: PageValues, dictionary: Dictionary | null, entries: Entries): void {
    if (values.kind === "fixed") throw new RangeError("a page is encoded in a way that its column cannot be");
    if (values.kind === "indices") {
      if (dictionary?.kind !== "text") throw new RangeError("a page needs a dictionary that is not there");
      const keep = this.offsets === 0 && (this.text === null || this.text === dictionary.text);
      if (keep) return this.appendIndices(values.indices, dictionary.text, entries);
      this.toPlain();
      return this.appendHeap(dictionaryHeap(this.arena, dictionary.text), values.indices, entries);
    }
    this.toPlain();
    this.appendHeap(values, null, entries);
  }

  private appendIndices(indices: Int32Array, text: TextDictionary, entries: Entries): void {
    if (this.text === null) {
      this.text = text;
      for (const block of text.blocks) this.arena.retain(block);
      this.data = this.arena.allocate(this.capacity * 4, this.owner);
    }
    const at = this.data + this.length * 4;
    const { valueStart, valueCount, entryCount } = entries;
    new Int32Array(this.arena.buffer, at, valueCount).set(indices.subarray(valueStart, valueStart + valueCount));
    if (valueCount < entryCount) spread(new Uint8Array(this.arena.buffer, at, entryCount * 4), 4, entries);
  }

  /** Turns what is there into offsets and heap: a page without the dictionary came. */
  private toPlain(): void {
    if (this.offsets !== 0) return;
    this.offsets = this.arena.allocate((this.capacity + 1) * 4, this.owner);
    this.arena.i32[this.offsets >>> 2] = 0;
    const { text, data: indicesAt, length } = this;
    this.data = 0;
    this.text = null;
    if (text === null) return;
    const indices = new Int32Array(this.arena.buffer, indicesAt, length).slice();
    const present = this.validity === 0 ? null : this.presentBytes(length);
    const valueCount = length - this.nullCount;
    const dense = present === null ? indices : indices.filter((_, i) => present[i] === 1);
    this.length = 0;
    this.appendHeap(dictionaryHeap(this.arena, text), dense, {
      valueStart: 0,
      valueCount,
      entryCount: length,
      present,
    });
    this.length = length;
    this.arena.release(indicesAt);
    for (const block of text.blocks) this.arena.release(block);
  }

  private presentBytes(length: number): Uint8Array {
    const present = new Uint8Array(length);
    for (let i = 0; i < length; i++) {
      present[i] = ((this.arena.u8[this.validity + (i >>> 3)] as number) >>> (i & 7)) & 1;
    }
    return present;
  }

  /** Values from a heap; through `indices` when they are given. */
  private appendHeap(heap: Heap, indices: Int32Array | null, entries: Entries): void {
    const { valueStart, valueCount, entryCount, present } = entries;
    const { starts, ends } = heap;
    let total = 0;
    for (let v = valueStart; v < valueStart + valueCount; v++) {
      const value = indices === null ? v : (indices[v] as number);
      total += (ends[value] as number) - (starts[value] as number);
    }
    this.reserveHeap(this.heapBytes + total);
    const target = new Uint8Array(this.arena.buffer, this.data, this.heapBytes + total);
    const offsets = new Int32Array(this.arena.buffer, this.offsets, this.length + entryCount + 1);
    let written = this.heapBytes;
    let v = valueStart;
    for (let i = 0; i < entryCount; i++) {
      if (present === null || present[i] !== 0) {
        const value = indices === null ? v : (indices[v] as number);
        v++;
        const start = starts[value] as number;
        const end = ends[value] as number;
        if (end - start < 32) for (let b = start; b < end; b++) target[written++] = heap.bytes[b] as number;
        else {
          target.set(heap.bytes.subarray(start, end), written);
          written += end - start;
        }
      }
      offsets[this.length + i + 1] = written;
    }
    this.heapBytes = written;
  }

  private reserveHeap(bytes: number): void {
    if (bytes > HEAP_BYTES_MAX) throw new RangeError("text of one batch is longer than 2 GiB: ask for smaller batches");
    if (bytes <= this.heapCapacity && this.data !== 0) return;
    const next =
      this.heapCapacity === 0 ? Math.max(bytes, 64) : Math.min(Math.max(bytes, this.heapCapacity * 2), HEAP_BYTES_MAX);
    this.data = this.grow(this.data, this.heapBytes, next);
    this.heapCapacity = next;
  }

  private appendValidity(entries: Entries): void {
    const { entryCount, present, valueCount } = entries;
    const nulls = this.layout.kind === "null" ? entryCount : entryCount - valueCount;
    if (nulls === 0 && this.validity === 0) return;
    if (this.layout.kind === "null") {
      this.nullCount += nulls;
      return;
    }
    if (this.validity === 0) {
      this.validity = this.arena.allocateZeroed((this.capacity + 7) >>> 3, this.owner);
      setBits(this.bitmap(this.length), 0, this.length);
    }
    const bits = this.bitmap(this.length + entryCount);
    if (present === null || nulls === 0) setBits(bits, this.length, entryCount);
    else {
      for (let i = 0, at = this.length; i < entryCount; i++, at++) {
        bits[at >>> 3] = (bits[at >>> 3] as number) | ((present[i] as number) << (at & 7));
      }
    }
    this.nullCount += nulls;
  }

  private bitmap(length: number): Uint8Array {
    return new Uint8Array(this.arena.buffer, this.validity, ((length + 7) >>> 3) + 1);
  }

  /** The column and its blocks, which the caller owns then. */
  finish(): { column: Column; blocks: Address[] } {
    if (this.layout.kind === "bytes" && this.text === null) {
      this.toPlain();
      this.reserveHeap(this.heapBytes);
    }
    const { type } = this.shape;
    const blocks = this.blocks();
    const dictionary = this.text?.column ?? null;
    const { length, nullCount, validity, offsets, data } = this;
    this.forget();
    return { column: { type, length, nullCount, validity, offsets, data, children: [], dictionary }, blocks };
  }

  private blocks(): Address[] {
    const own = [this.validity, this.offsets, this.data].filter((address) => address !== 0);
    return this.text === null ? own : [...own, ...this.text.blocks];
  }

  private forget(): void {
    this.validity = this.offsets = this.data = 0;
    this.text = null;
  }

  /** Frees what was not finished. */
  abort(): void {
    for (const block of this.blocks()) this.arena.release(block);
    this.forget();
  }
}

interface Heap {
  readonly bytes: Uint8Array;
  readonly starts: Int32Array;
  readonly ends: Int32Array;
}

const HEAP_BYTES_MAX = 2 ** 31 - 1;

function dictionaryHeap(arena: Arena, text: TextDictionary): Heap {
  const { column } = text;
  const offsets = new Int32Array(arena.buffer, column.offsets, column.length + 1);
  const bytes = new Uint8Array(arena.buffer, column.data, offsets[column.length] as number);
  return { bytes, starts: offsets.subarray(0, column.length), ends: offsets.subarray(1) };
}

function valueBytes(
  values: PageValues,
  dictionary: Dictionary | null,
  take: { entries: Entries; width: number },
): Uint8Array {
  const { valueStart, valueCount } = take.entries;
  if (values.kind === "fixed")
    return values.bytes.subarray(valueStart * take.width, (valueStart + valueCount) * take.width);
  if (values.kind === "indices" && dictionary?.kind === "fixed") {
    const target = new Uint8Array(valueCount * take.width);
    gather(dictionary.bytes, take.width, values.indices.subarray(valueStart, valueStart + valueCount), target);
    return target;
  }
  throw new RangeError("a page is encoded in a way that its column cannot be");
}

/** target[i] = dictionary[indices[i]], for unusual widths. Indices are checked before. */
function gather(dictionary: Uint8Array, width: number, indices: Int32Array, target: Uint8Array): void {
  for (let i = 0; i < indices.length; i++) {
    const at = (indices[i] as number) * width;
    for (let b = 0; b < width; b++) target[i * width + b] = dictionary[at + b] as number;
  }
}

function words(bytes: Uint8Array): Int32Array {
  return new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2);
}

/** Moves dense values to the places where `present` is set, from the end; gaps become zero. */
function spread(bytes: Uint8Array, width: number, entries: Entries): void {
  const present = entries.present as Uint8Array;
  let from = entries.valueCount;
  if (width === 4) return spreadWords(words(bytes), present, from);
  if (width === 8) return spreadPairs(words(bytes), present, from);
  for (let to = entries.entryCount - 1; to >= 0; to--) {
    if (present[to] === 0) bytes.fill(0, to * width, to * width + width);
    else {
      from--;
      if (from !== to) bytes.copyWithin(to * width, from * width, from * width + width);
    }
  }
}

function spreadWords(data: Int32Array, present: Uint8Array, valueCount: number): void {
  let from = valueCount;
  for (let to = data.length - 1; to >= 0; to--) data[to] = present[to] === 0 ? 0 : (data[--from] as number);
}

function spreadPairs(data: Int32Array, present: Uint8Array, valueCount: number): void {
  let from = valueCount;
  for (let to = (data.length >>> 1) - 1; to >= 0; to--) {
    if (present[to] === 0) {
      data[2 * to] = 0;
      data[2 * to + 1] = 0;
    } else {
      from--;
      data[2 * to] = data[2 * from] as number;
      data[2 * to + 1] = data[2 * from + 1] as number;
    }
  }
}

/** Sets `count` bits from bit `start` on. */
export function setBits(bits: Uint8Array, start: number, count: number): void {
  let at = start;
  const end = start + count;
  for (; at < end && (at & 7) !== 0; at++) bits[at >>> 3] = (bits[at >>> 3] as number) | (1 << (at & 7));
  const whole = (end - at) >>> 3;
  bits.fill(255, at >>> 3, (at >>> 3) + whole);
  for (at += whole * 8; at < end; at++) bits[at >>> 3] = (bits[at >>> 3] as number) | (1 << (at & 7));
}
