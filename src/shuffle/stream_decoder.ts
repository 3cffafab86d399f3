import {
  type Address,
  type Arena,
  type Batch,
  type ByteSource,
  IpcReader,
  type OwnerId,
  type Schema,
} from "../arrow/mod.ts";
import type { Compression } from "../kernel/mod.ts";
import { ShuffleError } from "./error.ts";

/** The stream as far as it is there: one message at a time, at its place among all. */
class MessageSource implements ByteSource {
  size = 0;
  block: Address = 0;
  readonly #arena: Arena;
  #start = 0;

  constructor(arena: Arena) {
    this.#arena = arena;
  }

  put(block: Address, bytes: number): void {
    this.#start = this.size;
    this.size += bytes;
    this.block = block;
  }

  read(offset: number, length: number): Uint8Array {
    const at = this.block + offset - this.#start;
    return this.#arena.u8.subarray(at, at + length);
  }
}

/** Turns the messages of one partition's stream into batches, which use the memory that the messages came in. */
export class StreamDecoder {
  readonly #arena: Arena;
  readonly #owner: OwnerId;
  readonly #compression: Compression;
  readonly #source: MessageSource;
  #reader: IpcReader | null = null;

  constructor(arena: Arena, options: { readonly owner: OwnerId; readonly compression: Compression }) {
    this.#arena = arena;
    this.#owner = options.owner;
    this.#compression = options.compression;
    this.#source = new MessageSource(arena);
  }

  /** Null until the first message. */
  get schema(): Schema | null {
    return this.#reader?.schema ?? null;
  }

  /**
   * Takes the message in `block`, which stays the caller's; gives the batch that it is, null for schema and dictionaries.
   *
   * @throws {ShuffleError} corrupt
   */
  take(block: Address, bytes: number): Batch | null {
    this.#source.put(block, bytes);
    try {
      this.#reader ??= new IpcReader(this.#arena, this.#source, {
        owner: this.#owner,
        decompress: (_, input, outputBytes) => this.#compression.zstdDecompress(plainCopy(input), outputBytes),
      });
      return this.#reader.next();
    } catch (cause) {
      const isCorrupt = (cause as { code?: unknown } | null)?.code === "corrupt";
      if (!isCorrupt) throw cause;
      throw new ShuffleError("corrupt", `Cannot read a message of the exchange: ${(cause as Error).message}`, {
        cause,
      });
    }
  }

  close(): void {
    this.#reader?.close();
  }
}

/** Codecs do not take shared memory. */
function plainCopy(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}
