import { type Compression, InvariantError } from "../../kernel/mod.ts";

const POLYNOMIAL = 0xedb88320;
const TABLE = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ POLYNOMIAL : value >>> 1;
  return value;
});

function crc32(input: Uint8Array, before = 0): number {
  let sum = ~before;
  for (const byte of input) sum = (sum >>> 8) ^ (TABLE[(sum ^ byte) & 0xff] as number);
  return ~sum >>> 0;
}

function none(): never {
  throw new InvariantError("Invariant broken: jobs in the simulator compress nothing");
}

/** Checksums alone: what else the port offers comes with a runtime. */
export const VIRTUAL_COMPRESSION: Compression = {
  gzip: none,
  gunzip: none,
  zstdCompress: none,
  zstdDecompress: none,
  brotliCompress: none,
  brotliDecompress: none,
  crc32,
  gunzipPieces: none,
};
