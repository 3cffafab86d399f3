import { copyBack } from "./snappy.ts";

/** LZ4 block format (lz4/doc/lz4_Block_format.md), and the two framings of it that Parquet's old LZ4 codec has. */

/** Decompresses one block into at most `maxBytes`; throws RangeError on damaged input. */
export function lz4DecompressBlock(input: Uint8Array, maxBytes: number): Uint8Array {
  const output = new Uint8Array(maxBytes);
  let read = 0;
  let written = 0;
  const extended = (base: number): number => {
    let count = base;
    if (base !== 15) return count;
    for (;;) {
      const byte = input[read++];
      if (byte === undefined) throw new RangeError("lz4: length cut off");
      count += byte;
      if (byte !== 255) return count;
    }
  };
  while (read < input.length) {
    const token = input[read++] as number;
    const literal = extended(token >>> 4);
    if (read + literal > input.length || written + literal > maxBytes) throw new RangeError("lz4: literal too long");
    if (literal < 24) for (let i = 0; i < literal; i++) output[written + i] = input[read + i] as number;
    else output.set(input.subarray(read, read + literal), written);
    read += literal;
    written += literal;
    if (read >= input.length) break;
    if (read + 2 > input.length) throw new RangeError("lz4: offset cut off");
    const offset = (input[read] as number) | ((input[read + 1] as number) << 8);
    read += 2;
    const count = extended(token & 15) + 4;
    copyBack(output, { written, offset, count });
    written += count;
  }
  return output.subarray(0, written);
}

/** Parquet codec LZ4: Hadoop frames (big-endian sizes), else an LZ4 frame, else one raw block. */
export function lz4DecompressLegacy(input: Uint8Array, expectedBytes: number): Uint8Array {
  const view = new DataView(input.buffer, input.byteOffset, input.byteLength);
  if (input.length >= 4 && view.getUint32(0, true) === 0x184d2204) return decompressFrame(input, expectedBytes);
  return decompressHadoop(input, view, expectedBytes) ?? lz4DecompressBlock(input, expectedBytes);
}

function decompressHadoop(input: Uint8Array, view: DataView, expectedBytes: number): Uint8Array | null {
  const output = new Uint8Array(expectedBytes);
  let read = 0;
  let written = 0;
  while (read + 8 <= input.length) {
    const plainBytes = view.getUint32(read);
    const packedBytes = view.getUint32(read + 4);
    read += 8;
    if (read + packedBytes > input.length || written + plainBytes > expectedBytes) return null;
    try {
      const part = lz4DecompressBlock(input.subarray(read, read + packedBytes), plainBytes);
      if (part.length !== plainBytes) return null;
      output.set(part, written);
    } catch {
      return null;
    }
    read += packedBytes;
    written += plainBytes;
  }
  return read === input.length && written === expectedBytes ? output : null;
}

/** LZ4 frame format with independent or linked blocks; checksums are not verified. */
function decompressFrame(input: Uint8Array, expectedBytes: number): Uint8Array {
  const flags = input[4] as number;
  let read = 7 + ((flags & 8) !== 0 ? 8 : 0) + ((flags & 1) !== 0 ? 4 : 0);
  const view = new DataView(input.buffer, input.byteOffset, input.byteLength);
  const output = new Uint8Array(expectedBytes);
  let written = 0;
  while (read + 4 <= input.length) {
    const head = view.getUint32(read, true);
    read += 4;
    if (head === 0) return output.subarray(0, written);
    const bytes = head & 0x7fffffff;
    if (read + bytes > input.length) throw new RangeError("lz4: block cut off");
    const block = input.subarray(read, read + bytes);
    const part = head >>> 31 === 1 ? block : lz4DecompressBlock(block, expectedBytes - written);
    if (written + part.length > expectedBytes) throw new RangeError("lz4: output too long");
    output.set(part, written);
    written += part.length;
    read += bytes + ((flags & 16) !== 0 ? 4 : 0);
  }
  throw new RangeError("lz4: frame has no end");
}

const HASH_BITS = 14;

/** One raw block. The last 5 bytes are literals and no match starts in the last 12, as the format demands. */
export function lz4CompressBlock(input: Uint8Array): Uint8Array {
  const output = new Uint8Array(input.length + Math.ceil(input.length / 255) + 16);
  const view = new DataView(input.buffer, input.byteOffset, input.byteLength);
  const table = new Int32Array(1 << HASH_BITS).fill(-1);
  const lastMatchStart = input.length - 12;
  const matchEnd = input.length - 5;
  let [literal, position, written, misses] = [0, 0, 0, 0];
  while (position < lastMatchStart) {
    const word = view.getUint32(position, true);
    const slot = Math.imul(word, 0x9e3779b1) >>> (32 - HASH_BITS);
    const candidate = table[slot] as number;
    table[slot] = position;
    if (candidate < 0 || position - candidate > 65535 || view.getUint32(candidate, true) !== word) {
      position += 1 + (misses++ >> 6);
      continue;
    }
    misses = 0;
    let count = 4;
    while (position + count < matchEnd && input[position + count] === input[candidate + count]) count++;
    written = emitSequence(output, written, { literal: input.subarray(literal, position), count: count - 4 });
    const offset = position - candidate;
    // The two offset bytes come between the literals and the extended match length.
    written = emitMatch(output, written, { offset, count: count - 4 });
    position += count;
    literal = position;
  }
  written = emitSequence(output, written, { literal: input.subarray(literal), count: 0 });
  return output.slice(0, written);
}

function emitSequence(output: Uint8Array, at: number, part: { literal: Uint8Array; count: number }): number {
  const { literal, count } = part;
  let written = at;
  output[written++] = (Math.min(literal.length, 15) << 4) | Math.min(count, 15);
  if (literal.length >= 15) written = emitLength(output, written, literal.length - 15);
  output.set(literal, written);
  return written + literal.length;
}

function emitMatch(output: Uint8Array, at: number, match: { offset: number; count: number }): number {
  output[at] = match.offset & 255;
  output[at + 1] = match.offset >>> 8;
  return match.count >= 15 ? emitLength(output, at + 2, match.count - 15) : at + 2;
}

function emitLength(output: Uint8Array, at: number, length: number): number {
  let written = at;
  let rest = length;
  for (; rest >= 255; rest -= 255) output[written++] = 255;
  output[written++] = rest;
  return written;
}
