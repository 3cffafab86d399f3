import { type Arena, type Batch, type IpcWriteOptions, IpcWriter, type Schema } from "../arrow/mod.ts";
import type { Compression } from "../kernel/mod.ts";

/** Chunks below this are joined: each chunk costs a frame of the connection. */
const JOINED_BYTES_MAX = 8 << 10;

/** One message of a partition's stream: an encapsulated Arrow IPC message. */
export interface Payload {
  /** Views of the arena among them are valid as long as the batch is held. */
  readonly chunks: readonly Uint8Array[];
  readonly bytes: number;
  readonly crc32: number;
}

export type ShuffleCodec = "none" | "zstd" | "lz4";

/** Turns the batches of one partition into the messages of an Arrow IPC stream. */
export class StreamEncoder {
  readonly #writer: IpcWriter;
  readonly #compression: Compression;

  constructor(
    arena: Arena,
    schema: Schema,
    options: { readonly compression: Compression; readonly codec: IpcWriteOptions },
  ) {
    this.#writer = new IpcWriter(arena, schema, "stream", options.codec);
    this.#compression = options.compression;
  }

  schema(): Payload {
    return this.#payload(this.#writer.writeSchema());
  }

  /** Dictionaries that are new, then the batch. */
  batch(batch: Batch): Payload[] {
    return this.#writer.writeMessages(batch).map((chunks) => this.#payload(chunks));
  }

  close(): void {
    this.#writer.close();
  }

  #payload(given: readonly Uint8Array[]): Payload {
    const chunks = joinSmall(given);
    let bytes = 0;
    let crc32 = 0;
    for (const chunk of chunks) {
      bytes += chunk.length;
      crc32 = this.#compression.crc32(chunk, crc32);
    }
    return { chunks, bytes, crc32 };
  }
}

function joinSmall(chunks: readonly Uint8Array[]): Uint8Array[] {
  const result: Uint8Array[] = [];
  for (let at = 0; at < chunks.length; ) {
    let end = at;
    let bytes = 0;
    while (end < chunks.length && (chunks[end] as Uint8Array).length < JOINED_BYTES_MAX) {
      bytes += (chunks[end++] as Uint8Array).length;
    }
    if (end === at) result.push(chunks[at++] as Uint8Array);
    else {
      const joined = new Uint8Array(bytes);
      let to = 0;
      for (; at < end; at++) {
        joined.set(chunks[at] as Uint8Array, to);
        to += (chunks[at] as Uint8Array).length;
      }
      result.push(joined);
    }
  }
  return result;
}
