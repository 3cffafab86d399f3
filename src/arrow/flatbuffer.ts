import { ArrowError } from "./error.ts";

/*
 * FlatBuffers (https://flatbuffers.dev/internals/), as much of it as Arrow's metadata needs. Reading checks every
 * position against the buffer, so that damaged bytes give an error with their place and can never loop or run away;
 * that, and starting 50 ms faster, is why this is not the `flatbuffers` package.
 */

export function corrupt(byteAt: number, what: string): ArrowError {
  return new ArrowError("corrupt", `Arrow data is corrupt at byte ${byteAt}: ${what}.`);
}

/** Bytes of a file with the place they came from, for messages. */
export class FlatBytes {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** Position of `bytes[0]` in the file. */
  readonly origin: number;

  constructor(bytes: Uint8Array, origin: number) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.origin = origin;
  }

  check(at: number, bytes: number): void {
    if (at < 0 || at + bytes > this.bytes.length) {
      throw corrupt(this.origin + Math.min(Math.max(at, 0), this.bytes.length), "metadata points outside of itself");
    }
  }

  u16(at: number): number {
    this.check(at, 2);
    return this.view.getUint16(at, true);
  }

  i32(at: number): number {
    this.check(at, 4);
    return this.view.getInt32(at, true);
  }

  /** An int64 that must be a safe non-negative number: counts, lengths and positions. */
  size(at: number): number {
    this.check(at, 8);
    const value = Number(this.view.getBigInt64(at, true));
    if (value < 0 || !Number.isSafeInteger(value)) throw corrupt(this.origin + at, `${value} is no length or position`);
    return value;
  }

  /** As `size`, where −1 says "unknown". */
  sizeOrUnknown(at: number): number {
    this.check(at, 8);
    return this.view.getBigInt64(at, true) === -1n ? -1 : this.size(at);
  }

  /** The table that the offset at byte `at` points to. */
  tableAt(at: number): FlatTable {
    return new FlatTable(this, at + (this.i32(at) >>> 0));
  }
}

/** Elements of a vector, `stride` bytes apart from byte `at`. */
export interface FlatVector {
  readonly at: number;
  readonly length: number;
}

const EMPTY: FlatVector = { at: 0, length: 0 };
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A table: fields by their slot number in the schema, with defaults for absent ones. */
export class FlatTable {
  readonly data: FlatBytes;
  readonly at: number;
  readonly #slots: number;
  readonly #slotsBytes: number;

  constructor(data: FlatBytes, at: number) {
    this.data = data;
    this.at = at;
    this.#slots = at - data.i32(at);
    this.#slotsBytes = data.u16(this.#slots);
    data.check(this.#slots, this.#slotsBytes);
  }

  /** Byte of the field; 0 when it is absent. */
  field(slot: number): number {
    const entry = 4 + 2 * slot;
    if (entry + 2 > this.#slotsBytes) return 0;
    const offset = this.data.u16(this.#slots + entry);
    return offset === 0 ? 0 : this.at + offset;
  }

  i8(slot: number, absent: number): number {
    const at = this.field(slot);
    if (at === 0) return absent;
    this.data.check(at, 1);
    return this.data.view.getInt8(at);
  }

  bool(slot: number): boolean {
    return this.i8(slot, 0) !== 0;
  }

  i16(slot: number, absent: number): number {
    const at = this.field(slot);
    if (at === 0) return absent;
    this.data.check(at, 2);
    return this.data.view.getInt16(at, true);
  }

  i32(slot: number, absent: number): number {
    const at = this.field(slot);
    return at === 0 ? absent : this.data.i32(at);
  }

  size(slot: number): number {
    const at = this.field(slot);
    return at === 0 ? 0 : this.data.size(at);
  }

  table(slot: number): FlatTable | null {
    const at = this.field(slot);
    return at === 0 ? null : this.data.tableAt(at);
  }

  /** A vector whose elements take `stride` bytes. */
  vector(slot: number, stride: number): FlatVector {
    const field = this.field(slot);
    if (field === 0) return EMPTY;
    const at = field + (this.data.i32(field) >>> 0);
    const length = this.data.i32(at) >>> 0;
    this.data.check(at + 4, length * stride);
    return { at: at + 4, length };
  }

  tables(slot: number): FlatTable[] {
    const { at, length } = this.vector(slot, 4);
    return Array.from({ length }, (_, i) => this.data.tableAt(at + 4 * i));
  }

  text(slot: number): string | null {
    if (this.field(slot) === 0) return null;
    const { at, length } = this.vector(slot, 1);
    try {
      return decoder.decode(this.data.bytes.slice(at, at + length));
    } catch {
      throw corrupt(this.data.origin + at, "a name is not valid UTF-8");
    }
  }
}

/** Position of something already written, counted from the end of the buffer. */
export type FlatRef = number;

const encoder = new TextEncoder();

/** Writes a buffer from its end to its start, so that everything points forward. Children first, then their parents. */
export class FlatBuilder {
  #bytes = new Uint8Array(1_024);
  #view = new DataView(this.#bytes.buffer);
  /** Bytes written; they are at the end of `#bytes`. */
  #used = 0;
  #alignMax = 4;
  #slots: number[] = [];
  #tableStart = 0;

  /** Makes room so that after `bytes` more the position is a multiple of `align`. */
  #prepare(align: number, bytes: number): void {
    this.#alignMax = Math.max(this.#alignMax, align);
    const pad = (align - ((this.#used + bytes) % align)) % align;
    const need = this.#used + pad + bytes;
    if (need > this.#bytes.length) {
      const next = new Uint8Array(Math.max(2 * this.#bytes.length, need));
      next.set(this.#bytes.subarray(this.#bytes.length - this.#used), next.length - this.#used);
      this.#bytes = next;
      this.#view = new DataView(next.buffer);
    }
    this.#used += pad;
  }

  /** Position in `#bytes` of the next `bytes` bytes. */
  #take(bytes: number): number {
    this.#used += bytes;
    return this.#bytes.length - this.#used;
  }

  #putI32(value: number): void {
    this.#prepare(4, 4);
    this.#view.setInt32(this.#take(4), value, true);
  }

  /** A safe integer; room is there already. */
  #putI64(value: number): void {
    const at = this.#take(8);
    this.#view.setInt32(at, value | 0, true);
    this.#view.setInt32(at + 4, Math.floor(value / 2 ** 32), true);
  }

  #putOffset(to: FlatRef): void {
    this.#prepare(4, 4);
    this.#view.setInt32(this.#take(4), this.#used - to, true);
  }

  text(value: string): FlatRef {
    const bytes = encoder.encode(value);
    this.#prepare(4, bytes.length + 5);
    this.#bytes[this.#take(1)] = 0;
    this.#bytes.set(bytes, this.#take(bytes.length));
    this.#putI32(bytes.length);
    return this.#used;
  }

  tables(items: readonly FlatRef[]): FlatRef {
    this.#prepare(4, 4 * items.length + 4);
    for (let i = items.length - 1; i >= 0; i--) this.#putOffset(items[i] as FlatRef);
    this.#putI32(items.length);
    return this.#used;
  }

  /** A vector of structs that consist of int64 values only: all of them, one after the other. */
  int64Structs(values: readonly number[], valuesPerStruct: number): FlatRef {
    this.#prepare(8, 8 * values.length);
    for (let i = values.length - 1; i >= 0; i--) {
      this.#putI64(values[i] as number);
    }
    this.#putI32(values.length / valuesPerStruct);
    return this.#used;
  }

  startTable(): void {
    this.#slots = [];
    this.#tableStart = this.#used;
  }

  i8(slot: number, value: number): void {
    this.#prepare(1, 1);
    this.#view.setInt8(this.#take(1), value);
    this.#slots[slot] = this.#used;
  }

  i16(slot: number, value: number): void {
    this.#prepare(2, 2);
    this.#view.setInt16(this.#take(2), value, true);
    this.#slots[slot] = this.#used;
  }

  i32(slot: number, value: number): void {
    this.#putI32(value);
    this.#slots[slot] = this.#used;
  }

  i64(slot: number, value: number): void {
    this.#prepare(8, 8);
    this.#putI64(value);
    this.#slots[slot] = this.#used;
  }

  ref(slot: number, to: FlatRef | null): void {
    if (to === null) return;
    this.#putOffset(to);
    this.#slots[slot] = this.#used;
  }

  endTable(): FlatRef {
    this.#putI32(0);
    const table = this.#used;
    const slotCount = this.#slots.length;
    this.#prepare(2, 2 * slotCount + 4);
    for (let slot = slotCount - 1; slot >= 0; slot--) {
      const field = this.#slots[slot];
      this.#view.setUint16(this.#take(2), field === undefined ? 0 : table - field, true);
    }
    this.#view.setUint16(this.#take(2), table - this.#tableStart, true);
    this.#view.setUint16(this.#take(2), 2 * slotCount + 4, true);
    this.#view.setInt32(this.#bytes.length - table, this.#used - table, true);
    return table;
  }

  finish(root: FlatRef): Uint8Array {
    this.#prepare(this.#alignMax, 4);
    this.#putOffset(root);
    return this.#bytes.slice(this.#bytes.length - this.#used);
  }
}
