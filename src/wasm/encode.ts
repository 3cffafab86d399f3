/** A growing byte buffer with WebAssembly's number encodings (LEB128, IEEE 754 little endian). */
const INITIAL_BYTES = 4096;
const LEB_BYTES_MAX = 10;
const CANONICAL_NAN_F32 = 0x7fc0_0000;
const CANONICAL_NAN_F64 = 0x7ff8_0000_0000_0000n;
const text = new TextEncoder();
const floatView = new DataView(new ArrayBuffer(8));
const floatBytes = new Uint8Array(floatView.buffer);

export class ByteWriter {
  #bytes = new Uint8Array(INITIAL_BYTES);
  length = 0;

  #reserve(byteCount: number): void {
    if (this.length + byteCount <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.length + byteCount));
    grown.set(this.#bytes.subarray(0, this.length));
    this.#bytes = grown;
  }

  byte(value: number): void {
    if (this.length === this.#bytes.length) this.#reserve(1);
    this.#bytes[this.length++] = value;
  }

  u32(value: number): void {
    if (value < 0x80) return this.byte(value);
    this.#reserve(LEB_BYTES_MAX);
    let rest = value >>> 0;
    while (rest > 0x7f) {
      this.#bytes[this.length++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.#bytes[this.length++] = rest;
  }

  s32(value: number): void {
    this.#reserve(LEB_BYTES_MAX);
    let rest = value;
    while (rest < -64 || rest > 63) {
      this.#bytes[this.length++] = (rest & 0x7f) | 0x80;
      rest >>= 7;
    }
    this.#bytes[this.length++] = rest & 0x7f;
  }

  s64(value: bigint): void {
    if (BigInt.asIntN(32, value) === value) return this.s32(Number(value));
    this.#reserve(LEB_BYTES_MAX);
    let rest = value;
    while (rest < -64n || rest > 63n) {
      this.#bytes[this.length++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    this.#bytes[this.length++] = Number(rest & 0x7fn);
  }

  /** Every NaN is written as the canonical one, whatever the engine's own bits are. */
  f32(value: number): void {
    if (Number.isNaN(value)) floatView.setUint32(0, CANONICAL_NAN_F32, true);
    else floatView.setFloat32(0, value, true);
    for (let i = 0; i < 4; i++) this.byte(floatBytes[i] as number);
  }

  f64(value: number): void {
    if (Number.isNaN(value)) floatView.setBigUint64(0, CANONICAL_NAN_F64, true);
    else floatView.setFloat64(0, value, true);
    for (let i = 0; i < 8; i++) this.byte(floatBytes[i] as number);
  }

  raw(values: ArrayLike<number>): void {
    this.#reserve(values.length);
    for (let i = 0; i < values.length; i++) this.#bytes[this.length++] = values[i] as number;
  }

  /** Length in bytes, then UTF-8. Most names are short and ASCII, for which an encoder call is slow. */
  name(value: string): void {
    const start = this.length;
    this.u32(value.length);
    for (let i = 0; i < value.length; i++) {
      const code = value.charCodeAt(i);
      if (code > 0x7f) {
        this.length = start;
        const bytes = text.encode(value);
        this.u32(bytes.length);
        return this.append(bytes);
      }
      this.byte(code);
    }
  }

  /** What `write` appends, with its length in bytes before it. */
  sized(write: () => void): void {
    const start = this.length;
    write();
    const end = this.length;
    const shift = u32Bytes(end - start);
    this.#reserve(shift);
    this.#bytes.copyWithin(start + shift, start, end);
    this.length = start;
    this.u32(end - start);
    this.length = end + shift;
  }

  append(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  /** What was written, valid until the next write. */
  view(start: number, end: number): Uint8Array {
    return this.#bytes.subarray(start, end);
  }

  copy(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.length);
  }
}

/** How many bytes `u32` writes for `value`. */
export function u32Bytes(value: number): number {
  if (value < 1 << 7) return 1;
  if (value < 1 << 14) return 2;
  if (value < 1 << 21) return 3;
  return value < 1 << 28 ? 4 : 5;
}
