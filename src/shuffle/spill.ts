import { type Arena, type Batch, IpcWriter, type OwnerId, readIpc } from "../arrow/mod.ts";
import type { Compression, Disk, ReadHandle, WriteHandle } from "../kernel/mod.ts";
import { ShuffleError } from "./error.ts";
import { retyped, withWideIndices } from "./wide_indices.ts";

/** Where a batch lies in a spill file. */
export interface SpillPlace {
  readonly offset: number;
  readonly bytes: number;
  readonly crc32: number;
}

/** One file of spilled batches, each an Arrow IPC stream of its own; written at its end, read anywhere. */
export class SpillFile {
  readonly #path: string;
  readonly #disk: Disk;
  readonly #compression: Compression;
  #write: WriteHandle | null = null;
  #read: ReadHandle | null = null;
  #bytes = 0;

  constructor(path: string, ports: { readonly disk: Disk; readonly compression: Compression }) {
    this.#path = path;
    this.#disk = ports.disk;
    this.#compression = ports.compression;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** @throws {ShuffleError} spill */
  append(arena: Arena, batch: Batch): SpillPlace {
    const schema = withWideIndices(batch.schema);
    const writer = new IpcWriter(arena, schema, "stream");
    const chunks = [...writer.write(retyped(batch, schema)), ...writer.finish()];
    const offset = this.#bytes;
    let crc32 = 0;
    try {
      this.#write ??= this.#disk.openWrite(this.#path);
      for (const chunk of chunks) {
        this.#write.append(chunk);
        this.#bytes += chunk.length;
        crc32 = this.#compression.crc32(chunk, crc32);
      }
    } catch (cause) {
      throw spillError(`Cannot write an exchange's data to ${this.#path}`, cause);
    }
    return { offset, bytes: this.#bytes - offset, crc32 };
  }

  /** @throws {ShuffleError} spill */
  load(arena: Arena, place: SpillPlace, owner: OwnerId): Batch {
    const bytes = new Uint8Array(place.bytes);
    try {
      this.#read ??= this.#disk.openRead(this.#path);
      const count = this.#read.readAt(place.offset, bytes, place.bytes);
      const isWhole = count === place.bytes && this.#compression.crc32(bytes) === place.crc32;
      if (!isWhole) throw new Error(`its bytes from ${place.offset} are not those that were written`);
    } catch (cause) {
      throw spillError(`Cannot read an exchange's data from ${this.#path}`, cause);
    }
    const reader = readIpc(arena, bytes, { owner });
    try {
      const batch = reader.next();
      if (batch === null) throw spillError(`Cannot read an exchange's data from ${this.#path}`, new Error("no batch"));
      return batch;
    } finally {
      reader.close();
    }
  }

  /** Removes the file. Idempotent. */
  close(): void {
    this.#write?.close();
    this.#read?.close();
    if (this.#write !== null) this.#disk.remove(this.#path);
    this.#write = null;
    this.#read = null;
    this.#bytes = 0;
  }
}

function spillError(what: string, cause: unknown): ShuffleError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new ShuffleError("spill", `${what}: ${reason}. Give the node more disk, or the job more memory.`, { cause });
}
