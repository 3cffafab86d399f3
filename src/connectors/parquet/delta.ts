/**
 * The delta encodings (parquet-format, Encodings.md): DELTA_BINARY_PACKED, DELTA_LENGTH_BYTE_ARRAY, DELTA_BYTE_ARRAY.
 * All functions throw RangeError on damaged input.
 */

export interface DeltaResult<T> {
  readonly values: T;
  /** Where the encoded integers end. */
  readonly end: number;
}

class Cursor {
  readonly bytes: Uint8Array;
  position: number;

  constructor(bytes: Uint8Array, position: number) {
    this.bytes = bytes;
    this.position = position;
  }

  byte(): number {
    const byte = this.bytes[this.position++];
    if (byte === undefined) throw new RangeError("delta block is cut off");
    return byte;
  }

  varint(): number {
    let result = 0;
    let scale = 1;
    for (let i = 0; i < 5; i++) {
      const byte = this.byte();
      result += (byte & 0x7f) * scale;
      if (byte < 0x80) return result;
      scale *= 128;
    }
    throw new RangeError("delta header is damaged");
  }

  zigzag64(): bigint {
    let result = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.byte();
      result |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) {
        const raw = BigInt.asUintN(64, result);
        return BigInt.asIntN(64, (raw >> 1n) ^ -(raw & 1n));
      }
    }
    throw new RangeError("delta header is damaged");
  }

  /** `count` unsigned values of `width` ≤ 32 bits into `target`; moves past a miniblock of `blockCount` values. */
  unpack(width: number, count: number, target: Float64Array): void {
    const { bytes, position } = this;
    if (position + ((count * width + 7) >>> 3) > bytes.length) throw new RangeError("delta miniblock is cut off");
    let held = 0;
    let bits = 0;
    let next = position;
    const mask = 2 ** width;
    for (let i = 0; i < count; i++) {
      while (bits < width) {
        held += (bytes[next++] as number) * 2 ** bits;
        bits += 8;
      }
      const value = held % mask;
      target[i] = value;
      held = (held - value) / mask;
      bits -= width;
    }
  }

  unpack64(width: number, count: number, target: BigInt64Array): void {
    const { bytes, position } = this;
    if (position + ((count * width + 7) >>> 3) > bytes.length) throw new RangeError("delta miniblock is cut off");
    let held = 0n;
    let bits = 0;
    let next = position;
    const mask = (1n << BigInt(width)) - 1n;
    for (let i = 0; i < count; i++) {
      while (bits < width) {
        held |= BigInt(bytes[next++] as number) << BigInt(bits);
        bits += 8;
      }
      target[i] = BigInt.asIntN(64, held & mask);
      held >>= BigInt(width);
      bits -= width;
    }
  }
}

interface DeltaHeader {
  readonly miniblocks: number;
  readonly miniblockValues: number;
  readonly total: number;
}

function readHeader(cursor: Cursor, valuesMax: number): DeltaHeader {
  const blockValues = cursor.varint();
  const miniblocks = cursor.varint();
  const total = cursor.varint();
  const miniblockValues = blockValues / miniblocks;
  const sane = miniblocks > 0 && miniblocks <= 512 && Number.isInteger(miniblockValues) && blockValues <= 1 << 20;
  if (!sane || miniblockValues % 8 !== 0 || total > valuesMax) throw new RangeError("delta header is damaged");
  return { miniblocks, miniblockValues, total };
}

const NUMBER_MAX = 2 ** 52;

/**
 * Integers into `target` (int32 or int64), at most its length. Sums wrap around at the type's width, as the encoding
 * says. While values and deltas are small they are added as numbers, exactly; else as bigint.
 */
export function decodeDelta<T extends Int32Array | BigInt64Array>(
  bytes: Uint8Array,
  start: number,
  target: T,
): DeltaResult<T> {
  const cursor = new Cursor(bytes, start);
  const header = readHeader(cursor, target.length);
  const first = cursor.zigzag64();
  if (header.total === 0) return { values: target.subarray(0, 0) as T, end: cursor.position };
  const store = target instanceof Int32Array ? new Store32(target) : new Store64(target);
  store.putBig(0, first);
  let sum: number | bigint = isSmall(first) ? Number(first) : first;
  const scratch = new Float64Array(header.miniblockValues);
  const scratch64 = new BigInt64Array(header.miniblockValues);
  // |sum| < 2^52 before a miniblock and all its steps together < 2^52: below 2^53, so numbers are exact.
  const leastMax = BigInt(Math.max(0, Math.floor(NUMBER_MAX / header.miniblockValues) - 2 ** 32));
  let filled = 1;
  const widths = new Uint8Array(header.miniblocks);
  while (filled < header.total) {
    const least = cursor.zigzag64();
    for (let i = 0; i < header.miniblocks; i++) widths[i] = cursor.byte();
    for (let i = 0; i < header.miniblocks && filled < header.total; i++) {
      const width = widths[i] as number;
      if (width > 64) throw new RangeError(`delta width ${width}`);
      const count = Math.min(header.miniblockValues, header.total - filled);
      if (width <= 32 && typeof sum === "number" && least > -leastMax && least < leastMax) {
        cursor.unpack(width, count, scratch);
        sum = addSmall(store, { filled, count, sum, least: Number(least) }, scratch);
        if (!(Math.abs(sum) < NUMBER_MAX)) sum = BigInt(sum);
      } else {
        cursor.unpack64(width, count, scratch64);
        const total = addBig(store, { filled, count, sum: BigInt(sum), least }, scratch64);
        sum = isSmall(total) ? Number(total) : total;
      }
      filled += count;
      cursor.position += (header.miniblockValues * width) >>> 3;
    }
  }
  return { values: target.subarray(0, header.total) as T, end: Math.min(cursor.position, bytes.length) };
}

function isSmall(value: bigint): boolean {
  return value < 4503599627370496n && value > -4503599627370496n;
}

interface Store {
  /** Exact integers below 2^63. */
  put(at: number, value: number): void;
  putBig(at: number, value: bigint): void;
}

class Store32 implements Store {
  private readonly target: Int32Array;
  constructor(target: Int32Array) {
    this.target = target;
  }
  put(at: number, value: number): void {
    // ToInt32 wraps modulo 2^32 for any exact integer.
    this.target[at] = value | 0;
  }
  putBig(at: number, value: bigint): void {
    this.target[at] = Number(BigInt.asIntN(32, value));
  }
}

class Store64 implements Store {
  private readonly halves: Int32Array;
  private readonly target: BigInt64Array;
  constructor(target: BigInt64Array) {
    this.target = target;
    this.halves = new Int32Array(target.buffer, target.byteOffset, target.length * 2);
  }
  put(at: number, value: number): void {
    this.halves[2 * at] = value | 0;
    this.halves[2 * at + 1] = Math.floor(value / 4294967296);
  }
  putBig(at: number, value: bigint): void {
    this.target[at] = value;
  }
}

type Small = { readonly filled: number; readonly count: number; readonly sum: number; readonly least: number };
type Big = { readonly filled: number; readonly count: number; readonly sum: bigint; readonly least: bigint };

function addSmall(store: Store, block: Small, deltas: Float64Array): number {
  const { filled, count, least } = block;
  let sum = block.sum;
  for (let i = 0; i < count; i++) {
    sum += least + (deltas[i] as number);
    store.put(filled + i, sum);
  }
  return sum;
}

function addBig(store: Store, block: Big, deltas: BigInt64Array): bigint {
  const { filled, count, least } = block;
  let sum = block.sum;
  for (let i = 0; i < count; i++) {
    sum = BigInt.asIntN(64, sum + least + (deltas[i] as bigint));
    store.putBig(filled + i, sum);
  }
  return sum;
}

/** Byte arrays as one heap and offsets[count + 1] into it. */
export interface ByteArrays {
  readonly bytes: Uint8Array;
  readonly starts: Int32Array;
  readonly ends: Int32Array;
}

export function decodeDeltaLengths(bytes: Uint8Array, start: number, count: number): ByteArrays & { end: number } {
  const { values: lengths, end } = decodeDelta(bytes, start, new Int32Array(count));
  if (lengths.length !== count) throw new RangeError("fewer byte arrays than the page says");
  const offsets = new Int32Array(count + 1);
  let offset = end;
  offsets[0] = offset;
  for (let i = 0; i < count; i++) {
    const length = lengths[i] as number;
    offset += length;
    if (length < 0 || offset > bytes.length) throw new RangeError("byte array lies past the page");
    offsets[i + 1] = offset;
  }
  return { bytes, starts: offsets.subarray(0, count), ends: offsets.subarray(1), end: offset };
}

const HEAP_BYTES_MAX = 2 ** 31 - 1;

/** Each value is a prefix of the one before and a suffix of its own. */
export function decodeDeltaByteArrays(bytes: Uint8Array, start: number, count: number): ByteArrays {
  const { values: prefixes, end } = decodeDelta(bytes, start, new Int32Array(count));
  if (prefixes.length !== count) throw new RangeError("fewer byte arrays than the page says");
  const suffixes = decodeDeltaLengths(bytes, end, count);
  let total = 0;
  for (let i = 0; i < count; i++) {
    total += (prefixes[i] as number) + (suffixes.ends[i] as number) - (suffixes.starts[i] as number);
  }
  if (!(total >= 0 && total <= HEAP_BYTES_MAX)) throw new RangeError("byte arrays are too long");
  const heap = new Uint8Array(total);
  const offsets = new Int32Array(count + 1);
  let [written, before] = [0, 0];
  for (let i = 0; i < count; i++) {
    const prefix = prefixes[i] as number;
    if (prefix < 0 || prefix > written - before) throw new RangeError("prefix is longer than the value before");
    const at = written;
    heap.copyWithin(at, before, before + prefix);
    heap.set(bytes.subarray(suffixes.starts[i], suffixes.ends[i]), at + prefix);
    before = at;
    written = at + prefix + (suffixes.ends[i] as number) - (suffixes.starts[i] as number);
    offsets[i + 1] = written;
  }
  return { bytes: heap, starts: offsets.subarray(0, count), ends: offsets.subarray(1) };
}
