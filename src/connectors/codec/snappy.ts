/** Snappy, raw block format (google/snappy, format_description.txt). */

/** Copies `count` bytes from `offset` before `written`; the ranges may overlap (a repeating pattern). */
export function copyBack(
  output: Uint8Array,
  match: { readonly written: number; readonly offset: number; readonly count: number },
): void {
  const { written, offset, count } = match;
  const from = written - offset;
  if (!(offset > 0 && from >= 0 && written + count <= output.length)) throw new RangeError("copy outside the output");
  if (offset >= count && count >= 24) output.copyWithin(written, from, from + count);
  else for (let i = 0; i < count; i++) output[written + i] = output[from + i] as number;
}

const HASH_BITS = 14;

/** Compresses with a 16 K entry hash table of 4-byte sequences, in blocks of 64 KiB. */
export function snappyCompress(input: Uint8Array): Uint8Array {
  const output = new Uint8Array(32 + input.length + Math.ceil(input.length / 6));
  let written = 0;
  for (let rest = input.length; ; rest = Math.floor(rest / 128)) {
    output[written++] = rest < 128 ? rest : (rest % 128) | 0x80;
    if (rest < 128) break;
  }
  const table = new Int32Array(1 << HASH_BITS);
  for (let start = 0; start < input.length; start += 65536) {
    const block = input.subarray(start, Math.min(start + 65536, input.length));
    written = compressBlock(block, table.fill(-1), { output, written });
  }
  return output.slice(0, written);
}

function compressBlock(block: Uint8Array, table: Int32Array, into: { output: Uint8Array; written: number }): number {
  const { output } = into;
  let written = into.written;
  const view = new DataView(block.buffer, block.byteOffset, block.byteLength);
  const last = block.length - 4;
  let literal = 0;
  let position = 0;
  let misses = 0;
  while (position <= last) {
    const word = view.getUint32(position, true);
    const slot = Math.imul(word, 0x1e35a7bd) >>> (32 - HASH_BITS);
    const candidate = table[slot] as number;
    table[slot] = position;
    if (candidate < 0 || view.getUint32(candidate, true) !== word) {
      position += 1 + (misses++ >> 5);
      continue;
    }
    misses = 0;
    let count = 4;
    while (position + count < block.length && block[position + count] === block[candidate + count]) count++;
    written = emitLiteral(block.subarray(literal, position), output, written);
    written = emitCopy(output, { written, offset: position - candidate, count });
    position += count;
    literal = position;
  }
  return emitLiteral(block.subarray(literal), output, written);
}

function emitLiteral(bytes: Uint8Array, output: Uint8Array, at: number): number {
  if (bytes.length === 0) return at;
  const count = bytes.length - 1;
  let written = at;
  if (count < 60) output[written++] = count << 2;
  else if (count < 256) {
    output[written++] = 60 << 2;
    output[written++] = count;
  } else {
    output[written++] = 61 << 2;
    output[written++] = count & 255;
    output[written++] = count >>> 8;
  }
  output.set(bytes, written);
  return written + bytes.length;
}

function emitCopy(output: Uint8Array, match: { written: number; offset: number; count: number }): number {
  let { written, count } = match;
  while (count > 0) {
    const part = Math.min(count, 64);
    output[written++] = ((part - 1) << 2) | 2;
    output[written++] = match.offset & 255;
    output[written++] = match.offset >>> 8;
    count -= part;
  }
  return written;
}
