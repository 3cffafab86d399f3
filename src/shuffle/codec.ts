import type { IpcWriteOptions } from "../arrow/mod.ts";
import { type Compression, unreachable } from "../kernel/mod.ts";
import { compressLz4 } from "./lz4.ts";
import type { ShuffleCodec } from "./stream_encoder.ts";

/** How the buffers of Arrow messages are compressed. */
export function ipcCodec(codec: ShuffleCodec, compression: Compression): IpcWriteOptions {
  switch (codec) {
    case "none":
      return {};
    case "zstd":
      return { compression: { codec, compress: (input) => compression.zstdCompress(input) } };
    case "lz4":
      return { compression: { codec, compress: compressLz4 } };
    default:
      return unreachable(codec);
  }
}
