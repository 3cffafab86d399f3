import type { Address, Arena } from "../../arrow/mod.ts";
import { type Compression, type ReadHandle, unreachable } from "../../kernel/mod.ts";
import { lz4DecompressBlock, lz4DecompressLegacy, snappyDecompressIn } from "../codec/mod.ts";
import type { Codec, ColumnChunk } from "./footer.ts";
import { count as countOf } from "./footer.ts";
import type { Scratch } from "./scratch.ts";
import { ThriftReader, type ThriftStruct } from "./thrift.ts";

/** Pages of one column chunk, headers parsed. Reads the chunk in windows, so a huge chunk needs little memory. */

export interface PageHeader {
  readonly kind: "data" | "dictionary" | "other";
  readonly version: 1 | 2;
  readonly valueCount: number;
  readonly encoding: number;
  readonly plainBytes: number;
  readonly packedBytes: number;
  readonly crc: number | null;
  /** Version 1: how levels are encoded; version 2: how many bytes they take, outside the compression. */
  readonly definitionEncoding: number;
  readonly repetitionEncoding: number;
  readonly definitionBytes: number;
  readonly repetitionBytes: number;
  readonly compressed: boolean;
}

const WINDOW_BYTES = 4 << 20;
/** Read for a header alone: pages that are skipped are not read. */
const HEADER_WINDOW_BYTES = 4096;
const HEADER_BYTES_USUAL = 256;
const HEADER_BYTES_MAX = 1 << 24;
const PAGE_BYTES_MAX = 2 ** 31 - 1;

/** Where bodies are put. */
export interface PageMemory {
  readonly arena: Arena;
  readonly body: Scratch;
  readonly packed: Scratch;
}

export class ChunkPages {
  private readonly handle: ReadHandle;
  private readonly chunk: ColumnChunk;
  private readonly compression: Compression;
  private window: Uint8Array = new Uint8Array(0);
  /** Offset in the file of the window's first byte. */
  private windowStart = 0;
  private position: number;
  private readonly end: number;
  /** In the file: where the header that was read last starts. */
  headerOffset = 0;

  constructor(handle: ReadHandle, chunk: ColumnChunk, compression: Compression) {
    this.handle = handle;
    this.chunk = chunk;
    this.compression = compression;
    this.position = chunk.range.offset;
    this.end = chunk.range.offset + chunk.range.bytes;
  }

  /** The next page's header, whose body starts at `position` then; null at the chunk's end. */
  nextHeader(): PageHeader | null {
    for (;;) {
      if (this.position >= this.end) return null;
      this.headerOffset = this.position;
      const { header, bytes } = this.readHeader();
      this.position += bytes;
      if (header.kind === "other") {
        this.position += header.packedBytes;
        continue;
      }
      if (header.packedBytes > this.end - this.position) throw new RangeError("a page lies past its column chunk");
      return header;
    }
  }

  /** Goes on at another page (its offset in the file). */
  seek(offset: number): void {
    if (offset < this.chunk.range.offset || offset > this.end) throw new RangeError("a page lies outside its chunk");
    this.position = offset;
  }

  skip(header: PageHeader): void {
    this.position += header.packedBytes;
  }

  /**
   * Body of the page whose header was just read, levels and values, decompressed. It stands in the arena, until the next
   * one is asked for.
   */
  body(header: PageHeader, memory: PageMemory): Uint8Array {
    const packed = this.bytesAt(this.position, header.packedBytes, WINDOW_BYTES);
    this.position += header.packedBytes;
    if (header.crc !== null && this.compression.crc32(packed) !== header.crc)
      throw new RangeError("a page fails its checksum");
    const levelBytes = header.version === 2 ? header.definitionBytes + header.repetitionBytes : 0;
    if (levelBytes > Math.min(header.plainBytes, packed.length)) throw new RangeError("page levels are cut off");
    const isPlain = !header.compressed || this.chunk.codec === "none";
    const bytes = isPlain ? packed.length : header.plainBytes;
    const address = memory.body.take(bytes);
    const body = memory.body.view(bytes);
    if (isPlain) {
      body.set(packed);
      return body;
    }
    body.set(packed.subarray(0, levelBytes));
    const values = { packed: packed.subarray(levelBytes), plainBytes: bytes - levelBytes };
    const { codec } = this.chunk;
    if (codec === "snappy") unpackSnappy(memory, { ...values, target: address + levelBytes });
    else {
      const plain = decompress(this.compression, { ...values, codec });
      if (plain.length !== values.plainBytes)
        throw new RangeError(`a page has ${plain.length} bytes instead of ${values.plainBytes}`);
      body.set(plain, levelBytes);
    }
    return body;
  }

  /** The header's size is not known before it is read: retried with a larger window when cut off. */
  private readHeader(): { header: PageHeader; bytes: number } {
    for (let guess = HEADER_WINDOW_BYTES; ; guess *= 16) {
      const there = guess === HEADER_WINDOW_BYTES ? this.inWindow(this.position) : 0;
      const length = Math.min(there >= HEADER_BYTES_USUAL ? there : guess, this.end - this.position);
      const reader = new ThriftReader(this.bytesAt(this.position, length, length));
      try {
        const header = parseHeader(reader.readStruct());
        return { header, bytes: reader.position };
      } catch (cause) {
        if (this.position + length === this.end || guess > HEADER_BYTES_MAX) throw cause;
      }
    }
  }

  /** Bytes of the window from `offset` on, at most as many as a header is looked for in. */
  private inWindow(offset: number): number {
    const left = this.windowStart + this.window.length - offset;
    return offset < this.windowStart || left < 0 ? 0 : Math.min(left, HEADER_WINDOW_BYTES);
  }

  private bytesAt(offset: number, length: number, windowBytes: number): Uint8Array {
    const start = offset - this.windowStart;
    if (start >= 0 && start + length <= this.window.length) return this.window.subarray(start, start + length);
    const wanted = Math.min(Math.max(length, windowBytes), this.end - offset);
    if (wanted < length) throw new RangeError("a column chunk is cut off");
    const window = new Uint8Array(wanted);
    const got = this.handle.readAt(offset, window, wanted);
    if (got < length) throw new RangeError("the file is shorter than its footer says");
    this.window = got === wanted ? window : window.subarray(0, got);
    this.windowStart = offset;
    return this.window.subarray(0, length);
  }
}

function parseHeader(fields: ThriftStruct): PageHeader {
  const type = countOf(fields.get(1), "page type");
  const v1 = fields.get(5);
  const dictionary = fields.get(7);
  const v2 = fields.get(8);
  const crc = fields.get(4);
  const base = {
    plainBytes: countOf(fields.get(2), "page size"),
    packedBytes: countOf(fields.get(3), "page size"),
    crc: typeof crc === "number" ? crc >>> 0 : null,
  };
  if (base.plainBytes > PAGE_BYTES_MAX || base.packedBytes > PAGE_BYTES_MAX) throw new RangeError("bad page size");
  const none = {
    definitionEncoding: 3,
    repetitionEncoding: 3,
    definitionBytes: 0,
    repetitionBytes: 0,
    compressed: true,
  };
  if (type === 0 && v1 instanceof Map) {
    return {
      ...base,
      ...none,
      kind: "data",
      version: 1,
      valueCount: countOf(v1.get(1), "value count"),
      encoding: countOf(v1.get(2), "encoding"),
      definitionEncoding: countOf(v1.get(3), "encoding"),
      repetitionEncoding: countOf(v1.get(4), "encoding"),
    };
  }
  if (type === 2 && dictionary instanceof Map) {
    const valueCount = countOf(dictionary.get(1), "value count");
    return {
      ...base,
      ...none,
      kind: "dictionary",
      version: 1,
      valueCount,
      encoding: countOf(dictionary.get(2), "encoding"),
    };
  }
  if (type === 3 && v2 instanceof Map) {
    return {
      ...base,
      ...none,
      kind: "data",
      version: 2,
      valueCount: countOf(v2.get(1), "value count"),
      encoding: countOf(v2.get(4), "encoding"),
      definitionBytes: countOf(v2.get(5), "level size"),
      repetitionBytes: countOf(v2.get(6), "level size"),
      compressed: v2.get(7) !== false,
    };
  }
  if (type !== 1) throw new RangeError("a page of unknown kind");
  return { ...base, ...none, kind: "other", version: 1, valueCount: 0, encoding: 0 };
}

interface Packed {
  readonly codec: Exclude<Codec, "snappy">;
  readonly packed: Uint8Array;
  readonly plainBytes: number;
}

/** Larger blocks are given back at once. */
const PACKED_KEPT_BYTES_MAX = 1 << 20;

function unpackSnappy(memory: PageMemory, page: { packed: Uint8Array; plainBytes: number; target: Address }): void {
  const { packed, plainBytes, target } = page;
  if (plainBytes === 0) return;
  const source = memory.packed.take(packed.length);
  memory.arena.u8.set(packed, source);
  snappyDecompressIn(memory.arena, { source, sourceBytes: packed.length, target, targetBytes: plainBytes });
  if (packed.length > PACKED_KEPT_BYTES_MAX) memory.packed.close();
}

/** Throws what the codec throws on damaged input. */
function decompress(compression: Compression, page: Packed): Uint8Array {
  const { codec, packed, plainBytes } = page;
  if (plainBytes === 0) return new Uint8Array(0);
  switch (codec) {
    case "none":
      return packed;
    case "gzip":
      return compression.gunzip(packed, plainBytes);
    case "brotli":
      return compression.brotliDecompress(packed, plainBytes);
    case "zstd":
      return compression.zstdDecompress(packed, plainBytes);
    case "lz4":
      return lz4DecompressLegacy(packed, plainBytes);
    case "lz4Raw":
      return lz4DecompressBlock(packed, plainBytes);
    case "lzo":
      throw new RangeError("codec LZO is not read");
    default:
      return unreachable(codec);
  }
}
