/**
 * Thrift compact protocol, as much as Parquet's metadata uses. Every read is checked against the end of the input, so
 * damaged metadata throws RangeError and never runs away. 64-bit integers come as numbers: metadata holds counts and
 * offsets; one that is not exact as a number comes as NaN and fails where it is used.
 */

export type ThriftValue = boolean | number | Uint8Array | ThriftValue[] | ThriftStruct;
export type ThriftStruct = Map<number, ThriftValue>;

const DEPTH_MAX = 32;

const TYPE_TRUE = 1;
const TYPE_FALSE = 2;
const TYPE_BYTE = 3;
const TYPE_I16 = 4;
const TYPE_I32 = 5;
const TYPE_I64 = 6;
const TYPE_DOUBLE = 7;
const TYPE_BINARY = 8;
const TYPE_LIST = 9;
const TYPE_SET = 10;
const TYPE_MAP = 11;
const TYPE_STRUCT = 12;

export class ThriftReader {
  readonly bytes: Uint8Array;
  position: number;
  private depth = 0;

  constructor(bytes: Uint8Array, position = 0) {
    this.bytes = bytes;
    this.position = position;
  }

  readStruct(): ThriftStruct {
    if (++this.depth > DEPTH_MAX) throw new RangeError("metadata is nested too deeply");
    const fields: ThriftStruct = new Map();
    let id = 0;
    for (;;) {
      const head = this.byte();
      if (head === 0) break;
      const delta = head >>> 4;
      id = delta === 0 ? this.zigzag() : id + delta;
      const type = head & 15;
      fields.set(id, type === TYPE_TRUE ? true : type === TYPE_FALSE ? false : this.value(type));
    }
    this.depth--;
    return fields;
  }

  private value(type: number): ThriftValue {
    switch (type) {
      case TYPE_TRUE:
      case TYPE_FALSE:
        return this.byte() === 1;
      case TYPE_BYTE:
        return (this.byte() << 24) >> 24;
      case TYPE_I16:
      case TYPE_I32:
      case TYPE_I64:
        return this.zigzag();
      case TYPE_DOUBLE:
        return this.double();
      case TYPE_BINARY:
        return this.take(this.varint());
      case TYPE_LIST:
      case TYPE_SET:
        return this.list();
      case TYPE_MAP:
        return this.map();
      case TYPE_STRUCT:
        return this.readStruct();
      default:
        throw new RangeError(`metadata has unknown type ${type}`);
    }
  }

  private list(): ThriftValue[] {
    const head = this.byte();
    const count = head >>> 4 === 15 ? this.varint() : head >>> 4;
    if (count > this.bytes.length - this.position) throw new RangeError("metadata list is longer than its file");
    const items: ThriftValue[] = [];
    for (let i = 0; i < count; i++) items.push(this.value(head & 15));
    return items;
  }

  private map(): ThriftValue[] {
    const count = this.varint();
    if (count === 0) return [];
    const types = this.byte();
    const entries: ThriftValue[] = [];
    for (let i = 0; i < count; i++) entries.push(this.value(types >>> 4), this.value(types & 15));
    return entries;
  }

  private byte(): number {
    const byte = this.bytes[this.position++];
    if (byte === undefined) throw new RangeError("metadata is cut off");
    return byte;
  }

  private take(length: number): Uint8Array {
    const end = this.position + length;
    if (!(end <= this.bytes.length)) throw new RangeError("metadata is cut off");
    const bytes = this.bytes.subarray(this.position, end);
    this.position = end;
    return bytes;
  }

  private double(): number {
    const bytes = this.take(8);
    return new DataView(bytes.buffer, bytes.byteOffset, 8).getFloat64(0, true);
  }

  varint(): number {
    let result = 0;
    let scale = 1;
    for (let i = 0; i < 10; i++) {
      const byte = this.byte();
      result += (byte & 0x7f) * scale;
      if (byte < 0x80) return result <= Number.MAX_SAFE_INTEGER ? result : Number.NaN;
      scale *= 128;
    }
    throw new RangeError("metadata has an integer of more than 10 bytes");
  }

  private zigzag(): number {
    const raw = this.varint();
    return raw % 2 === 0 ? raw / 2 : -(raw + 1) / 2;
  }
}

/** Writes structs in field order; `undefined` values are left out. */
export type ThriftField =
  | { readonly i32: number }
  | { readonly i64: number }
  | { readonly i8: number }
  | { readonly bool: boolean }
  | { readonly bytes: Uint8Array | string }
  | { readonly struct: ThriftFields }
  | { readonly structs: readonly ThriftFields[] }
  | { readonly i32s: readonly number[] }
  | { readonly texts: readonly string[] };
export type ThriftFields = readonly (readonly [id: number, value: ThriftField | undefined])[];

const encoder = new TextEncoder();

export function encodeThrift(fields: ThriftFields): Uint8Array {
  const out: number[] = [];
  writeStruct(out, fields);
  return Uint8Array.from(out);
}

function writeStruct(out: number[], fields: ThriftFields): void {
  let last = 0;
  for (const [id, value] of fields) {
    if (value === undefined) continue;
    out.push(((id - last) << 4) | typeOf(value));
    last = id;
    writeValue(out, value);
  }
  out.push(0);
}

function typeOf(value: ThriftField): number {
  if ("bool" in value) return value.bool ? TYPE_TRUE : TYPE_FALSE;
  if ("i8" in value) return TYPE_BYTE;
  if ("i32" in value) return TYPE_I32;
  if ("i64" in value) return TYPE_I64;
  if ("bytes" in value) return TYPE_BINARY;
  if ("struct" in value) return TYPE_STRUCT;
  return TYPE_LIST;
}

function writeValue(out: number[], value: ThriftField): void {
  if ("bool" in value) return;
  if ("i8" in value) out.push(value.i8 & 255);
  else if ("i32" in value) writeZigzag(out, value.i32);
  else if ("i64" in value) writeZigzag(out, value.i64);
  else if ("bytes" in value) writeBytes(out, value.bytes);
  else if ("struct" in value) writeStruct(out, value.struct);
  else if ("structs" in value) writeList(out, TYPE_STRUCT, value.structs, (item) => writeStruct(out, item));
  else if ("i32s" in value) writeList(out, TYPE_I32, value.i32s, (item) => writeZigzag(out, item));
  else writeList(out, TYPE_BINARY, value.texts, (item) => writeBytes(out, item));
}

function writeList<T>(out: number[], type: number, items: readonly T[], write: (item: T) => void): void {
  if (items.length < 15) out.push((items.length << 4) | type);
  else {
    out.push(0xf0 | type);
    writeVarint(out, items.length);
  }
  for (const item of items) write(item);
}

function writeBytes(out: number[], value: Uint8Array | string): void {
  const bytes = typeof value === "string" ? encoder.encode(value) : value;
  writeVarint(out, bytes.length);
  for (const byte of bytes) out.push(byte);
}

function writeZigzag(out: number[], value: number): void {
  writeVarint(out, value < 0 ? -value * 2 - 1 : value * 2);
}

export function writeVarint(out: number[], value: number): void {
  let rest = value;
  while (rest >= 128) {
    out.push((rest % 128) | 0x80);
    rest = Math.floor(rest / 128);
  }
  out.push(rest);
}
