/**
 * LZ4 frames of independent blocks of 64 KiB, as Arrow's `LZ4_FRAME` buffers are
 * (https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md). One probe a position, steps that grow where nothing is found.
 */

/** Magic number, version 1 with independent blocks, blocks of 64 KiB, checksum of these two bytes. */
const FRAME_HEAD = new Uint8Array([0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82]);
const BLOCK_BYTES = 1 << 16;
const HASH_BITS = 13;
const MATCH_BYTES_MIN = 4;
/** The format ends a block with literals. */
const LITERALS_AT_END = 5;
const MATCH_START_MARGIN = 12;
const STORED = 0x8000_0000;

const heads = new Int32Array(1 << HASH_BITS);

export function compressLz4(input: Uint8Array): Uint8Array {
  const blockCount = Math.ceil(input.length / BLOCK_BYTES);
  const output = new Uint8Array(FRAME_HEAD.length + blockCount * (4 + BLOCK_BYTES + BLOCK_BYTES / 255 + 16) + 4);
  const view = new DataView(output.buffer);
  output.set(FRAME_HEAD);
  let at = FRAME_HEAD.length;
  for (let start = 0; start < input.length; start += BLOCK_BYTES) {
    const block = input.subarray(start, Math.min(start + BLOCK_BYTES, input.length));
    const end = compressBlock(block, output, at + 4);
    const packed = end - at - 4;
    if (packed < block.length) {
      view.setUint32(at, packed, true);
      at = end;
    } else {
      view.setUint32(at, (STORED | block.length) >>> 0, true);
      output.set(block, at + 4);
      at += 4 + block.length;
    }
  }
  view.setUint32(at, 0, true);
  return output.subarray(0, at + 4);
}

function word(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24)
  );
}

/** Writes the block to `output` from `to` on; gives where it ends. */
function compressBlock(block: Uint8Array, output: Uint8Array, to: number): number {
  heads.fill(-1);
  const lastStart = block.length - MATCH_START_MARGIN;
  let anchor = 0;
  let misses = 0;
  for (let at = 0; at <= lastStart; ) {
    const value = word(block, at);
    const slot = Math.imul(value, 0x9e37_79b1) >>> (32 - HASH_BITS);
    const candidate = heads[slot] as number;
    heads[slot] = at;
    if (candidate < 0 || word(block, candidate) !== value) {
      at += 1 + (misses++ >>> 5);
      continue;
    }
    const matchEnd = extend(block, at + MATCH_BYTES_MIN, candidate + MATCH_BYTES_MIN);
    to = sequence(block, { anchor, at, distance: at - candidate, matchEnd }, { output, to });
    at = matchEnd;
    anchor = at;
    misses = 0;
  }
  return literals(block.subarray(anchor), 0, { output, to });
}

function extend(block: Uint8Array, at: number, from: number): number {
  const end = block.length - LITERALS_AT_END;
  while (at < end && block[at] === block[from]) {
    at++;
    from++;
  }
  return at;
}

interface Target {
  readonly output: Uint8Array;
  readonly to: number;
}

function sequence(
  block: Uint8Array,
  match: { readonly anchor: number; readonly at: number; readonly distance: number; readonly matchEnd: number },
  target: Target,
): number {
  const { output } = target;
  const extra = match.matchEnd - match.at - MATCH_BYTES_MIN;
  let to = literals(block.subarray(match.anchor, match.at), Math.min(extra, 15), target);
  output[to++] = match.distance & 0xff;
  output[to++] = match.distance >>> 8;
  return extra >= 15 ? length(output, to, extra - 15) : to;
}

/** A token with the literals' length and `low`, then the literals. */
function literals(bytes: Uint8Array, low: number, { output, to }: Target): number {
  const count = bytes.length;
  output[to] = (Math.min(count, 15) << 4) | low;
  const at = count >= 15 ? length(output, to + 1, count - 15) : to + 1;
  output.set(bytes, at);
  return at + count;
}

function length(output: Uint8Array, at: number, rest: number): number {
  let left = rest;
  for (; left >= 255; left -= 255) output[at++] = 255;
  output[at++] = left;
  return at;
}
