/**
 * Ports to the machine. Everything outside `platform/` and `sim/` reaches files and codecs through these.
 *
 * All methods are synchronous, because they are called from workers and from decoders that must not yield; failures of
 * the operating system are thrown as they come (`code` such as `ENOENT`, `ENOSPC`): the caller says what it tried.
 */

export type EntryKind = "file" | "directory" | "other";

export interface DiskEntry {
  readonly bytes: number;
  readonly kind: EntryKind;
}

export interface ReadHandle {
  /** Size when opened. */
  readonly bytes: number;
  /** Reads up to `length` bytes at `offset` into the start of `target`; returns how many (less only at the end). */
  readAt(offset: number, target: Uint8Array, length: number): number;
  close(): void;
}

export interface WriteHandle {
  /** Writes all of `bytes` at the end. */
  append(bytes: Uint8Array): void;
  /** Returns when the bytes are on stable storage. */
  sync(): void;
  close(): void;
}

export interface Disk {
  /** Follows links; null when nothing is there. */
  stat(path: string): DiskEntry | null;
  /** Names in a directory, sorted by code unit, without `.` and `..`. */
  list(path: string): readonly string[];
  openRead(path: string): ReadHandle;
  /** Creates the file; fails when it exists. */
  openWrite(path: string): WriteHandle;
  /** Atomic within one file system; replaces what is there. */
  rename(from: string, to: string): void;
  /** Removes a file, or a directory with all in it; nothing happens when there is none. */
  remove(path: string): void;
  /** The same besides what else goes on, where the machine can; nobody is told of failures. */
  removeSoon?(path: string): void;
  /** With parents; nothing happens when it exists. */
  makeDirectory(path: string): void;
  /** Makes the directories above `path` that are missing; gives those it made, outermost first. */
  makeParents(path: string): readonly string[];
  /** Removes a directory that is empty; nothing happens when it is not, or is not there. */
  removeEmptyDirectory(path: string): void;
  /** A name beside `path` that no other process uses: hidden, ending in `.tmp`. */
  temporaryName(path: string): string;
}

/**
 * General codecs. Each takes the whole input and returns the whole output; `expectedBytes` is the size that the
 * caller knows (an output longer than it may be refused). Corrupt input throws.
 */
export interface Compression {
  gzip(input: Uint8Array): Uint8Array;
  gunzip(input: Uint8Array, expectedBytes?: number): Uint8Array;
  zstdCompress(input: Uint8Array): Uint8Array;
  zstdDecompress(input: Uint8Array, expectedBytes?: number): Uint8Array;
  brotliCompress(input: Uint8Array): Uint8Array;
  brotliDecompress(input: Uint8Array, expectedBytes?: number): Uint8Array;
  /** CRC-32 as in gzip (polynomial 0xEDB88320), unsigned; `before` is that of what comes before `input`. */
  crc32(input: Uint8Array, before?: number): number;
  /** Decompresses a gzip file (also of several members) piece by piece; `next` gives its pieces, null at the end. */
  gunzipPieces(next: () => Uint8Array | null): AsyncIterable<Uint8Array>;
}
