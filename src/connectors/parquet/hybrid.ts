/**
 * The RLE / bit-packing hybrid (parquet-format, Encodings.md), for dictionary indices, levels and booleans.
 * All functions throw RangeError when the input ends too early or a value does not fit.
 */

/** Bytes with a view over the same range. */
export interface Input {
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

export function inputOf(bytes: Uint8Array): Input {
  return { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength) };
}

export interface HybridRun {
  readonly start: number;
  readonly end: number;
  readonly bitWidth: number;
  readonly count: number;
}

/** Fills target[0 … count); values are unsigned and below 2^31. */
export function decodeHybrid(input: Input, run: HybridRun, target: Int32Array | Uint8Array): void {
  const { bytes } = input;
  const { bitWidth, count, end } = run;
  if (bitWidth > 31) throw new RangeError(`bit width ${bitWidth}`);
  const valueBytes = (bitWidth + 7) >>> 3;
  let position = run.start;
  let filled = 0;
  while (filled < count) {
    let header = 0;
    for (let shift = 0; ; shift += 7) {
      if (position >= end || shift > 28) throw new RangeError("run header is cut off");
      const byte = bytes[position++] as number;
      header |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    header >>>= 0;
    if ((header & 1) === 0) {
      const length = header >>> 1;
      if (length === 0 || position + valueBytes > end) throw new RangeError("repeated run is cut off");
      let value = 0;
      for (let i = 0; i < valueBytes; i++) value |= (bytes[position++] as number) << (8 * i);
      const stop = Math.min(count, filled + length);
      target.fill(value, filled, stop);
      filled = stop;
    } else {
      const wanted = Math.min((header >>> 1) * 8, count - filled);
      const available = end - position;
      // The last run may be cut where its padding would be.
      if (wanted === 0 || wanted * bitWidth > available * 8) throw new RangeError("packed run is cut off");
      unpack(input, { position, bitWidth, count: wanted, end }, target, filled);
      position += (header >>> 1) * bitWidth;
      filled += wanted;
    }
  }
}

interface Packed {
  readonly position: number;
  readonly bitWidth: number;
  readonly count: number;
  readonly end: number;
}

/** Values of `bitWidth` bits, least significant bit first. */
function unpack(input: Input, packed: Packed, target: Int32Array | Uint8Array, at: number): void {
  const { bitWidth, count, position, end } = packed;
  if (bitWidth === 0) {
    target.fill(0, at, at + count);
    return;
  }
  if (bitWidth === 8) {
    for (let i = 0; i < count; i++) target[at + i] = input.bytes[position + i] as number;
    return;
  }
  if (bitWidth === 1) return unpackBits(input.bytes, packed, target, at);
  const done = bitWidth <= 25 ? unpackByWord(input.view, packed, target, at) : 0;
  unpackByByte(input.bytes, { position, bitWidth, count, end }, target, { at, done });
}

function unpackBits(bytes: Uint8Array, packed: Packed, target: Int32Array | Uint8Array, at: number): void {
  const { position, count } = packed;
  const whole = count & ~7;
  for (let i = 0; i < whole; i += 8) {
    const byte = bytes[position + (i >>> 3)] as number;
    const base = at + i;
    target[base] = byte & 1;
    target[base + 1] = (byte >>> 1) & 1;
    target[base + 2] = (byte >>> 2) & 1;
    target[base + 3] = (byte >>> 3) & 1;
    target[base + 4] = (byte >>> 4) & 1;
    target[base + 5] = (byte >>> 5) & 1;
    target[base + 6] = (byte >>> 6) & 1;
    target[base + 7] = byte >>> 7;
  }
  for (let i = whole; i < count; i++) target[at + i] = ((bytes[position + (i >>> 3)] as number) >>> (i & 7)) & 1;
}

/** One unaligned 32-bit load a value; stops where a load would cross the end. Returns how many it did. */
function unpackByWord(view: DataView, packed: Packed, target: Int32Array | Uint8Array, at: number): number {
  const { bitWidth, count, position } = packed;
  const mask = (1 << bitWidth) - 1;
  const lastLoad = view.byteLength - 4;
  // Value i starts in byte position + (i * bitWidth >> 3).
  const safe = lastLoad < position ? 0 : Math.floor(((lastLoad - position) * 8) / bitWidth);
  const stop = Math.min(count, safe);
  let bit = 0;
  for (let i = 0; i < stop; i++) {
    target[at + i] = (view.getInt32(position + (bit >>> 3), true) >>> (bit & 7)) & mask;
    bit += bitWidth;
  }
  return stop;
}

function unpackByByte(
  bytes: Uint8Array,
  packed: Packed,
  target: Int32Array | Uint8Array,
  from: { readonly at: number; readonly done: number },
): void {
  const { bitWidth, count, position } = packed;
  for (let i = from.done; i < count; i++) {
    let value = 0;
    for (let b = 0; b < bitWidth; b++) {
      const bit = i * bitWidth + b;
      value |= (((bytes[position + (bit >>> 3)] as number) >>> (bit & 7)) & 1) << b;
    }
    target[from.at + i] = value;
  }
}

/** The deprecated BIT_PACKED encoding of levels: most significant bit first, no runs. Returns the bytes used. */
export function decodeBitPackedLevels(bytes: Uint8Array, run: HybridRun, target: Uint8Array): number {
  const { start, end, bitWidth, count } = run;
  const used = (count * bitWidth + 7) >>> 3;
  if (start + used > end) throw new RangeError("packed levels are cut off");
  for (let i = 0; i < count; i++) {
    let value = 0;
    for (let b = 0; b < bitWidth; b++) {
      const bit = i * bitWidth + b;
      value = (value << 1) | (((bytes[start + (bit >>> 3)] as number) >>> (7 - (bit & 7))) & 1);
    }
    target[i] = value;
  }
  return used;
}

/** True when the whole range is one repeated run of `value`: the usual shape of levels without nulls. */
export function isOneRun(input: Input, run: HybridRun, value: number): boolean {
  let header = 0;
  let position = run.start;
  for (let shift = 0; ; shift += 7) {
    if (position >= run.end || shift > 28) return false;
    const byte = input.bytes[position++] as number;
    header |= (byte & 0x7f) << shift;
    if (byte < 0x80) break;
  }
  return (header & 1) === 0 && header >>> 1 >= run.count && position < run.end && input.bytes[position] === value;
}
