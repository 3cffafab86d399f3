import type { Address } from "./arena.ts";
import { ArrowError } from "./error.ts";
import { corrupt, FlatBytes, type FlatTable } from "./flatbuffer.ts";
import type { BodyPlan, IpcCodec } from "./ipc_body.ts";
import { decodeSchema, type WireSchema } from "./ipc_schema.ts";

/** Bytes that can be read at any place: a file, or bytes in memory. */
export interface ByteSource {
  readonly size: number;
  /** Exactly `length` bytes from `offset`; both lie inside `size`. */
  read(offset: number, length: number): Uint8Array;
  /** The arena block in which lies what `read` gives, if any: buffers are then used where they are, and retain it. */
  readonly block?: Address;
}

export function bytesSource(bytes: Uint8Array): ByteSource {
  return { size: bytes.length, read: (offset, length) => bytes.subarray(offset, offset + length) };
}

const CONTINUATION = -1;
/** Metadata of one message: thousands of columns fit. */
const METADATA_BYTES_MAX = 256 * 2 ** 20;
const ROW_COUNT_MAX = 0x7fffffff;
/** Format versions that are read: V4 and V5, as every writer since 2017 makes. */
const VERSION_MIN = 3;
const VERSION_MAX = 4;

const HEADER = { schema: 1, dictionaryBatch: 2, recordBatch: 3 } as const;

export type IpcMessage =
  | { readonly kind: "schema"; readonly schema: WireSchema; readonly body: Place; readonly next: number }
  | { readonly kind: "batch"; readonly plan: BodyPlan; readonly body: Place; readonly next: number }
  | {
      readonly kind: "dictionary";
      readonly id: number;
      readonly isDelta: boolean;
      readonly plan: BodyPlan;
      readonly body: Place;
      readonly next: number;
    };

export interface Place {
  readonly offset: number;
  readonly length: number;
}

function decodePlan(table: FlatTable): BodyPlan {
  const { data } = table;
  const place = data.origin + table.at;
  const length = table.size(0);
  if (length > ROW_COUNT_MAX) throw corrupt(place, `a batch of ${length} rows`);
  const pairs = (slot: number): [number, number][] => {
    const { at, length: count } = table.vector(slot, 16);
    return Array.from({ length: count }, (_, i) => [data.size(at + 16 * i), data.sizeOrUnknown(at + 16 * i + 8)]);
  };
  const counts = table.vector(4, 8);
  return {
    length,
    nodes: pairs(1).map(([rows, nullCount]) => {
      if (rows > ROW_COUNT_MAX) throw corrupt(place, `a column of ${rows} rows`);
      return { length: rows, nullCount };
    }),
    regions: pairs(2).map(([offset, bytes]) => {
      if (bytes < 0) throw corrupt(place, "a buffer of negative length");
      return { offset, length: bytes };
    }),
    codec: decodeCodec(table.table(3)),
    variadicCounts: Array.from({ length: counts.length }, (_, i) => data.size(counts.at + 8 * i)),
  };
}

function decodeCodec(table: FlatTable | null): IpcCodec | null {
  if (table === null) return null;
  const codec = table.i8(0, 0);
  if (codec === 0) return "lz4";
  if (codec === 1) return "zstd";
  throw new ArrowError("unsupported", `Cannot read Arrow data: compression codec number ${codec} is unknown.`);
}

function decodeHeader(table: FlatTable, body: Place, next: number): IpcMessage {
  const place = table.data.origin + table.at;
  const header = table.table(2);
  if (header === null) throw corrupt(place, "a message has no header");
  switch (table.i8(1, 0)) {
    case HEADER.schema:
      return { kind: "schema", schema: decodeSchema(header), body, next };
    case HEADER.recordBatch:
      return { kind: "batch", plan: decodePlan(header), body, next };
    case HEADER.dictionaryBatch: {
      const data = header.table(1);
      if (data === null) throw corrupt(place, "a dictionary batch has no data");
      return { kind: "dictionary", id: header.size(0), isDelta: header.bool(2), plan: decodePlan(data), body, next };
    }
    default:
      throw corrupt(place, `a message of unknown kind ${table.i8(1, 0)}`);
  }
}

function checkedRead(source: ByteSource, offset: number, length: number, what: string): Uint8Array {
  if (offset < 0 || offset + length > source.size) {
    throw corrupt(
      Math.min(Math.max(offset, 0), source.size),
      `${what} needs ${length} bytes from byte ${offset}, but the data ends at ${source.size}`,
    );
  }
  return source.read(offset, length);
}

/** The message at `offset`; null at the mark of the end, or at the end of the data. */
export function readMessage(source: ByteSource, offset: number): IpcMessage | null {
  if (offset === source.size) return null;
  const prefix = checkedRead(source, offset, Math.min(8, Math.max(4, source.size - offset)), "a message");
  const view = new DataView(prefix.buffer, prefix.byteOffset, prefix.byteLength);
  const first = view.getInt32(0, true);
  if (first === CONTINUATION && prefix.length < 8) throw corrupt(offset, "a message ends after 4 bytes");
  const start = offset + (first === CONTINUATION ? 8 : 4); // data of before 2019 has no continuation mark
  const metadataBytes = first === CONTINUATION ? view.getInt32(4, true) : first;
  if (metadataBytes === 0) return null;
  if (metadataBytes < 8 || metadataBytes > METADATA_BYTES_MAX) {
    throw corrupt(offset, `a message with metadata of ${metadataBytes} bytes`);
  }
  const flat = new FlatBytes(checkedRead(source, start, metadataBytes, "metadata"), start);
  const table = flat.tableAt(0);
  const version = table.i16(0, 0);
  if (version < VERSION_MIN || version > VERSION_MAX) {
    throw new ArrowError(
      "unsupported",
      `Cannot read Arrow data: format version ${version + 1} at byte ${start}; 4 and 5 are read.`,
    );
  }
  const body = { offset: start + metadataBytes, length: table.size(3) };
  const next = body.offset + body.length;
  if (next > source.size) throw corrupt(body.offset, `a body of ${body.length} bytes ends after the data`);
  return decodeHeader(table, body, next);
}

export interface Footer {
  readonly schema: WireSchema;
  /** Offsets of messages. */
  readonly dictionaries: readonly number[];
  readonly batches: readonly number[];
}

export const FILE_MAGIC = "ARROW1";
const FOOTER_TAIL_BYTES = 10;

function isMagic(bytes: Uint8Array): boolean {
  return String.fromCharCode(...bytes) === FILE_MAGIC;
}

export function isFile(source: ByteSource): boolean {
  return source.size >= 6 && isMagic(source.read(0, 6));
}

/** The footer at the end of an Arrow file. */
export function readFooter(source: ByteSource): Footer {
  const tailAt = source.size - FOOTER_TAIL_BYTES;
  if (tailAt < 8) throw corrupt(source.size, "an Arrow file ends before its footer");
  const tail = source.read(tailAt, FOOTER_TAIL_BYTES);
  if (!isMagic(tail.subarray(4))) throw corrupt(tailAt + 4, "an Arrow file does not end with ARROW1; it is cut off");
  const bytes = new DataView(tail.buffer, tail.byteOffset, 4).getInt32(0, true);
  const at = tailAt - bytes;
  if (bytes < 8 || at < 8) throw corrupt(tailAt, `a footer of ${bytes} bytes`);
  const flat = new FlatBytes(source.read(at, bytes), at);
  const footer = flat.tableAt(0);
  const schema = footer.table(1);
  if (schema === null) throw corrupt(at, "the footer has no schema");
  const blocks = (slot: number): number[] => {
    const vector = footer.vector(slot, 24);
    return Array.from({ length: vector.length }, (_, i) => flat.size(vector.at + 24 * i));
  };
  return { schema: decodeSchema(schema), dictionaries: blocks(2), batches: blocks(3) };
}
