export { lz4CompressBlock, lz4DecompressBlock, lz4DecompressLegacy } from "./lz4.ts";
export { snappyCompress } from "./snappy.ts";
export { snappyDecompressIn } from "./snappy_kernel.ts";
