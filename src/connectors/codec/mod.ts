export { lz4CompressBlock, lz4DecompressBlock, lz4DecompressLegacy } from "./lz4.ts";
export { snappyCompress, snappyDecompress } from "./snappy.ts";
