import { type ByteArrays, decodeDelta, decodeDeltaByteArrays, decodeDeltaLengths } from "./delta.ts";
import { decodeHybrid, inputOf } from "./hybrid.ts";
import type { LeafShape } from "./schema.ts";

/**
 * The values of one page, without its nulls, in a form that is copied to the arena without looking at encodings:
 *
 *   fixed    `width` bytes a value in the arena's own layout; a bool is one byte
 *   bytes    a heap with start and end of each value
 *   indices  into the chunk's dictionary
 */
export type PageValues =
  | { readonly kind: "fixed"; readonly bytes: Uint8Array; readonly width: number; readonly count: number }
  | ({ readonly kind: "bytes"; readonly count: number } & ByteArrays)
  | { readonly kind: "indices"; readonly indices: Int32Array; readonly count: number };

/** What a leaf's values become in the arena. */
export type LeafLayout =
  | { readonly kind: "bool" }
  | { readonly kind: "bytes" }
  | { readonly kind: "null" }
  /** `convert` makes arena layout from PLAIN bytes (`physicalWidth` each); null when they are the same. */
  | {
      readonly kind: "fixed";
      readonly width: number;
      readonly physicalWidth: number;
      readonly convert: ((plain: Uint8Array, count: number) => Uint8Array) | null;
    };

export function layoutOf(shape: LeafShape): LeafLayout {
  const { element, type } = shape;
  if (type.kind === "null") return { kind: "null" };
  const fixed = (width: number, physicalWidth: number, convert: Convert | null = null): LeafLayout => {
    return { kind: "fixed", width, physicalWidth, convert };
  };
  switch (element.physical) {
    case "boolean":
      return { kind: "bool" };
    case "int32":
      if (type.kind === "decimal") return fixed(16, 4, widenSigned(4));
      if (type.kind === "int8" || type.kind === "uint8") return fixed(1, 4, narrow(1));
      if (type.kind === "int16" || type.kind === "uint16") return fixed(2, 4, narrow(2));
      return fixed(4, 4);
    case "int64":
      return type.kind === "decimal" ? fixed(16, 8, widenSigned(8)) : fixed(8, 8);
    case "int96":
      return fixed(8, 12, int96ToNanoseconds);
    case "float":
      return fixed(4, 4);
    case "double":
      return fixed(8, 8);
    case "byteArray":
      return type.kind === "decimal" ? fixed(16, 0) : { kind: "bytes" };
    default:
      if (type.kind === "decimal") return fixed(16, element.byteWidth, bigEndianDecimal(element.byteWidth));
      if (type.kind === "float32") return fixed(4, 2, halfToFloat);
      return fixed(element.byteWidth, element.byteWidth);
  }
}

type Convert = (plain: Uint8Array, count: number) => Uint8Array;

function narrow(width: 1 | 2): Convert {
  return (plain, count) => {
    const out = new Uint8Array(count * width);
    for (let i = 0; i < count; i++) {
      out[i * width] = plain[4 * i] as number;
      if (width === 2) out[2 * i + 1] = plain[4 * i + 1] as number;
    }
    return out;
  };
}

function widenSigned(from: number): Convert {
  return (plain, count) => {
    const out = new Uint8Array(count * 16);
    for (let i = 0; i < count; i++) {
      for (let b = 0; b < from; b++) out[16 * i + b] = plain[from * i + b] as number;
      if ((plain[from * i + from - 1] as number) > 127) out.fill(255, 16 * i + from, 16 * i + 16);
    }
    return out;
  };
}

function bigEndianDecimal(from: number): Convert {
  return (plain, count) => {
    const out = new Uint8Array(count * 16);
    for (let i = 0; i < count; i++) copyBigEndian(plain.subarray(i * from, i * from + from), out, 16 * i);
    return out;
  };
}

/** Sign-extends or drops sign bytes; throws when the value needs more than 16 bytes. */
function copyBigEndian(value: Uint8Array, out: Uint8Array, at: number): void {
  const length = value.length;
  const sign = length > 0 && (value[0] as number) > 127 ? 255 : 0;
  for (let b = 0; b < 16; b++) out[at + b] = b < length ? (value[length - 1 - b] as number) : sign;
  for (let b = 0; b < length - 16; b++) if (value[b] !== sign) throw new RangeError("decimal of more than 16 bytes");
  if (length > 16 && (out[at + 15] as number) > 127 !== (sign === 255)) throw new RangeError("decimal is too large");
}

function decimalsFromByteArrays(arrays: ByteArrays, count: number): PageValues {
  const out = new Uint8Array(count * 16);
  for (let i = 0; i < count; i++) copyBigEndian(arrays.bytes.subarray(arrays.starts[i], arrays.ends[i]), out, 16 * i);
  return { kind: "fixed", bytes: out, width: 16, count };
}

const JULIAN_EPOCH_DAY = 2440588n;
const DAY_NANOSECONDS = 86_400_000_000_000n;

function int96ToNanoseconds(plain: Uint8Array, count: number): Uint8Array {
  const view = new DataView(plain.buffer, plain.byteOffset, plain.byteLength);
  const out = new BigInt64Array(count);
  for (let i = 0; i < count; i++) {
    const day = BigInt(view.getInt32(12 * i + 8, true)) - JULIAN_EPOCH_DAY;
    const value = day * DAY_NANOSECONDS + view.getBigInt64(12 * i, true);
    if (BigInt.asIntN(64, value) !== value)
      throw new RangeError("an INT96 timestamp lies outside the years 1678 to 2261");
    out[i] = value;
  }
  return new Uint8Array(out.buffer);
}

function halfToFloat(plain: Uint8Array, count: number): Uint8Array {
  const out = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    const half = (plain[2 * i] as number) | ((plain[2 * i + 1] as number) << 8);
    const exponent = (half >>> 10) & 31;
    const fraction = half & 1023;
    const sign = half > 32767 ? -1 : 1;
    if (exponent === 31) out[i] = fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
    else out[i] = sign * (exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25));
  }
  return new Uint8Array(out.buffer);
}

export const ENCODING = {
  plain: 0,
  plainDictionary: 2,
  rle: 3,
  bitPacked: 4,
  deltaBinaryPacked: 5,
  deltaLengthByteArray: 6,
  deltaByteArray: 7,
  rleDictionary: 8,
  byteStreamSplit: 9,
} as const;

export interface EncodedValues {
  readonly bytes: Uint8Array;
  readonly encoding: number;
  /** Values that are there: without nulls. */
  readonly count: number;
}

/** Decodes a whole page that is not dictionary encoded. Throws RangeError on damaged or unknown data. */
export function decodeValues(shape: LeafShape, layout: LeafLayout, encoded: EncodedValues): PageValues {
  const { count } = encoded;
  if (layout.kind === "null") return { kind: "fixed", bytes: new Uint8Array(count), width: 1, count };
  if (layout.kind === "bool") return { kind: "fixed", bytes: decodeBooleans(encoded), width: 1, count };
  if (shape.element.physical === "byteArray") {
    const arrays = decodeByteArrays(encoded);
    return layout.kind === "fixed" ? decimalsFromByteArrays(arrays, count) : { kind: "bytes", count, ...arrays };
  }
  if (layout.kind === "bytes") throw new RangeError("fixed values for a column of byte arrays");
  const plain = decodeFixed(shape, layout.physicalWidth, encoded);
  const bytes = layout.convert === null ? plain : layout.convert(plain, count);
  return { kind: "fixed", bytes, width: layout.width, count };
}

function decodeBooleans(encoded: EncodedValues): Uint8Array {
  const { bytes, count, encoding } = encoded;
  const out = new Uint8Array(count);
  const input = inputOf(bytes);
  if (encoding === ENCODING.plain) {
    if (bytes.length * 8 < count) throw new RangeError("fewer booleans than the page says");
    for (let i = 0; i < count; i++) out[i] = ((bytes[i >>> 3] as number) >>> (i & 7)) & 1;
    return out;
  }
  if (encoding !== ENCODING.rle) throw unknownEncoding(encoding, "booleans");
  if (bytes.length < 4) throw new RangeError("booleans are cut off");
  const end = 4 + input.view.getUint32(0, true);
  if (end > bytes.length) throw new RangeError("booleans are cut off");
  decodeHybrid(input, { start: 4, end, bitWidth: 1, count }, out);
  return out;
}

function decodeByteArrays(encoded: EncodedValues): ByteArrays {
  const { bytes, count, encoding } = encoded;
  switch (encoding) {
    case ENCODING.plain:
      return plainByteArrays(bytes, count);
    case ENCODING.deltaLengthByteArray:
      return decodeDeltaLengths(bytes, 0, count);
    case ENCODING.deltaByteArray:
      return decodeDeltaByteArrays(bytes, 0, count);
    default:
      throw unknownEncoding(encoding, "byte arrays");
  }
}

function plainByteArrays(bytes: Uint8Array, count: number): ByteArrays {
  if (count * 4 > bytes.length) throw new RangeError("fewer byte arrays than the page says");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const starts = new Int32Array(count);
  const ends = new Int32Array(count);
  let position = 0;
  const last = bytes.length - 4;
  for (let i = 0; i < count; i++) {
    if (position > last) throw new RangeError("fewer byte arrays than the page says");
    const start = position + 4;
    const end = start + view.getUint32(position, true);
    if (end > bytes.length) throw new RangeError("byte array lies past the page");
    starts[i] = start;
    ends[i] = end;
    position = end;
  }
  return { bytes, starts, ends };
}

function decodeFixed(shape: LeafShape, width: number, encoded: EncodedValues): Uint8Array {
  const { bytes, count, encoding } = encoded;
  const { physical } = shape.element;
  switch (encoding) {
    case ENCODING.plain:
      if (bytes.length < count * width) throw new RangeError("fewer values than the page says");
      return bytes;
    case ENCODING.byteStreamSplit:
      return joinStreams(bytes, count, width);
    case ENCODING.deltaBinaryPacked: {
      if (physical !== "int32" && physical !== "int64") throw unknownEncoding(encoding, physical ?? "");
      const { values } = decodeDelta(bytes, 0, physical === "int32" ? new Int32Array(count) : new BigInt64Array(count));
      if (values.length !== count) throw new RangeError("fewer values than the page says");
      return new Uint8Array(values.buffer);
    }
    case ENCODING.deltaByteArray: {
      const arrays = decodeDeltaByteArrays(bytes, 0, count);
      if (arrays.bytes.length !== count * width) throw new RangeError("values of a wrong length");
      return arrays.bytes;
    }
    default:
      throw unknownEncoding(encoding, physical ?? "");
  }
}

/** BYTE_STREAM_SPLIT: first all first bytes, then all second bytes, … */
function joinStreams(bytes: Uint8Array, count: number, width: number): Uint8Array {
  if (bytes.length < count * width) throw new RangeError("fewer values than the page says");
  const out = new Uint8Array(count * width);
  for (let b = 0; b < width; b++) {
    const stream = b * count;
    for (let i = 0; i < count; i++) out[i * width + b] = bytes[stream + i] as number;
  }
  return out;
}

function unknownEncoding(encoding: number, what: string): RangeError {
  return new RangeError(`encoding ${encoding} is not known for ${what}`);
}
