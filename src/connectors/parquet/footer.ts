import type { ReadHandle } from "../../kernel/mod.ts";
import { ConnectorError } from "../error.ts";
import { ThriftReader, type ThriftStruct, type ThriftValue } from "./thrift.ts";

/**
 * Parquet's metadata as plain data, with what is needed to read it. Statistics stay raw bytes: what they mean depends
 * on the column, see `prune.ts`. Names and numbers follow parquet.thrift.
 */

export const PHYSICAL = ["boolean", "int32", "int64", "int96", "float", "double", "byteArray", "fixed"] as const;
export type Physical = (typeof PHYSICAL)[number];

export type Codec = "none" | "snappy" | "gzip" | "lzo" | "brotli" | "lz4" | "zstd" | "lz4Raw";
export const CODECS: readonly Codec[] = ["none", "snappy", "gzip", "lzo", "brotli", "lz4", "zstd", "lz4Raw"];

export type TimeUnitCode = "millisecond" | "microsecond" | "nanosecond";

export type Logical =
  | { readonly kind: "string" | "map" | "list" | "enum" | "date" | "null" | "json" | "bson" | "uuid" | "float16" }
  | { readonly kind: "interval" | "mapKeyValue" | "other" }
  | { readonly kind: "decimal"; readonly precision: number; readonly scale: number }
  | { readonly kind: "time"; readonly utc: boolean; readonly unit: TimeUnitCode }
  | { readonly kind: "timestamp"; readonly utc: boolean; readonly unit: TimeUnitCode }
  | { readonly kind: "integer"; readonly bits: number; readonly signed: boolean };

export interface SchemaElement {
  readonly name: string;
  readonly physical: Physical | null;
  readonly byteWidth: number;
  readonly repetition: "required" | "optional" | "repeated";
  readonly childCount: number;
  readonly logical: Logical | null;
}

export interface Statistics {
  /** In the column's own order; null when absent. */
  readonly min: Uint8Array | null;
  readonly max: Uint8Array | null;
  /** From the deprecated fields: compared as signed, so only fit for signed numbers. */
  readonly deprecated: boolean;
  readonly nullCount: number | null;
}

export interface ByteRange {
  readonly offset: number;
  readonly bytes: number;
}

export interface ColumnChunk {
  readonly physical: Physical;
  readonly codec: Codec;
  readonly valueCount: number;
  /** All pages, the dictionary first. */
  readonly range: ByteRange;
  readonly statistics: Statistics;
  readonly columnIndex: ByteRange | null;
  readonly offsetIndex: ByteRange | null;
  readonly uncompressedBytes: number;
}

export interface RowGroup {
  readonly rowCount: number;
  readonly chunks: readonly ColumnChunk[];
}

export interface Footer {
  readonly rowCount: number;
  readonly elements: readonly SchemaElement[];
  readonly rowGroups: readonly RowGroup[];
  /** Base64 of the Arrow schema that Arrow based writers leave, if any. */
  readonly arrowSchema: string | null;
  readonly createdBy: string;
}

const FOOTER_GUESS_BYTES = 1 << 16;
const FOOTER_BYTES_MAX = 1 << 28;
const MAGIC = 0x31524150;
const MAGIC_ENCRYPTED = 0x45524150;
const text = new TextDecoder();

/** Reads and checks the footer of the file `path`; throws ConnectorError `corrupt` or `unsupported`. */
export function readFooter(path: string, handle: ReadHandle): Footer {
  const bytes = readFooterBytes(path, handle);
  try {
    return parseFooter(new ThriftReader(bytes).readStruct(), handle.bytes);
  } catch (cause) {
    if (cause instanceof ConnectorError)
      throw new ConnectorError(cause.code, `Cannot read ${path}: ${cause.message}`, { cause });
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ConnectorError("corrupt", `Cannot read ${path}: its Parquet footer is damaged (${reason}).`, { cause });
  }
}

function readFooterBytes(path: string, handle: ReadHandle): Uint8Array {
  const fail = (reason: string): never => {
    throw new ConnectorError("corrupt", `Cannot read ${path}: not a complete Parquet file (${reason}).`);
  };
  if (handle.bytes < 12) fail(`it has ${handle.bytes} bytes, the least is 12`);
  const guess = Math.min(handle.bytes, FOOTER_GUESS_BYTES);
  const tail = new Uint8Array(guess);
  if (handle.readAt(handle.bytes - guess, tail, guess) !== guess) fail("it became shorter while it was read");
  const view = new DataView(tail.buffer);
  const magic = view.getUint32(guess - 4, true);
  if (magic === MAGIC_ENCRYPTED) {
    throw new ConnectorError("unsupported", `Cannot read ${path}: its Parquet footer is encrypted.`);
  }
  if (magic !== MAGIC) fail("it does not end in PAR1");
  const length = view.getUint32(guess - 8, true);
  if (length > handle.bytes - 12 || length > FOOTER_BYTES_MAX) fail(`its footer claims ${length} bytes`);
  if (length + 8 <= guess) return tail.subarray(guess - 8 - length, guess - 8);
  const footer = new Uint8Array(length);
  if (handle.readAt(handle.bytes - 8 - length, footer, length) !== length) fail("it became shorter while it was read");
  return footer;
}

function parseFooter(root: ThriftStruct, fileBytes: number): Footer {
  const elements = structs(root.get(2)).map(parseElement);
  const leafCount = elements.filter((element) => element.physical !== null).length;
  let arrowSchema: string | null = null;
  for (const pair of structs(root.get(5))) {
    if (string(pair.get(1)) === "ARROW:schema") arrowSchema = string(pair.get(2));
  }
  const rowGroups = structs(root.get(4)).map((group) => parseRowGroup(group, { leafCount, fileBytes }));
  const rowCount = count(root.get(3), "row count");
  const sum = rowGroups.reduce((total, group) => total + group.rowCount, 0);
  if (sum !== rowCount) throw new RangeError(`row groups hold ${sum} rows, the file ${rowCount}`);
  return { rowCount, elements, rowGroups, arrowSchema, createdBy: string(root.get(6)) ?? "" };
}

function parseElement(element: ThriftStruct): SchemaElement {
  const type = element.get(1);
  const physical = type === undefined ? null : PHYSICAL[count(type, "physical type")];
  if (physical === undefined) throw new RangeError(`unknown physical type ${count(type, "physical type")}`);
  const repetition = (["required", "optional", "repeated"] as const)[count(element.get(3) ?? 0, "repetition")];
  if (repetition === undefined) throw new RangeError("unknown repetition type");
  const byteWidth = count(element.get(2) ?? 0, "type length");
  if (physical === "fixed" && byteWidth === 0) throw new RangeError("fixed length type of 0 bytes");
  return {
    name: string(element.get(4)) ?? "",
    physical,
    byteWidth,
    repetition,
    childCount: count(element.get(5) ?? 0, "child count"),
    logical: parseLogical(element),
  };
}

const LOGICAL_SIMPLE = new Map<number, Logical>([
  [1, { kind: "string" }],
  [2, { kind: "map" }],
  [3, { kind: "list" }],
  [4, { kind: "enum" }],
  [6, { kind: "date" }],
  [11, { kind: "null" }],
  [12, { kind: "json" }],
  [13, { kind: "bson" }],
  [14, { kind: "uuid" }],
  [15, { kind: "float16" }],
]);

function parseLogical(element: ThriftStruct): Logical | null {
  const logical = element.get(10);
  if (logical instanceof Map) {
    for (const [id, value] of logical) {
      if (!(value instanceof Map)) continue;
      const simple = LOGICAL_SIMPLE.get(id);
      if (simple !== undefined) return simple;
      if (id === 5)
        return { kind: "decimal", scale: count(value.get(1), "scale"), precision: count(value.get(2), "precision") };
      if (id === 7) return { kind: "time", utc: value.get(1) === true, unit: timeUnit(value.get(2)) };
      if (id === 8) return { kind: "timestamp", utc: value.get(1) === true, unit: timeUnit(value.get(2)) };
      if (id === 10) return { kind: "integer", bits: count(value.get(1), "bits"), signed: value.get(2) === true };
      return { kind: "other" };
    }
  }
  const converted = element.get(6);
  return converted === undefined ? null : convertedType(count(converted, "converted type"), element);
}

function timeUnit(value: ThriftValue | undefined): TimeUnitCode {
  if (value instanceof Map) {
    if (value.has(1)) return "millisecond";
    if (value.has(2)) return "microsecond";
    if (value.has(3)) return "nanosecond";
  }
  throw new RangeError("unknown time unit");
}

function convertedType(code: number, element: ThriftStruct): Logical | null {
  if (code >= 11 && code <= 18) return { kind: "integer", bits: 8 << ((code - 11) % 4), signed: code >= 15 };
  const table: readonly (Logical | null)[] = [
    { kind: "string" },
    { kind: "map" },
    { kind: "mapKeyValue" },
    { kind: "list" },
    { kind: "enum" },
    { kind: "decimal", scale: count(element.get(7) ?? 0, "scale"), precision: count(element.get(8) ?? 0, "precision") },
    { kind: "date" },
    { kind: "time", utc: true, unit: "millisecond" },
    { kind: "time", utc: true, unit: "microsecond" },
    { kind: "timestamp", utc: true, unit: "millisecond" },
    { kind: "timestamp", utc: true, unit: "microsecond" },
  ];
  if (code === 19) return { kind: "json" };
  if (code === 20) return { kind: "bson" };
  if (code === 21) return { kind: "interval" };
  return table[code] ?? null;
}

type GroupFacts = { readonly leafCount: number; readonly fileBytes: number };

function parseRowGroup(group: ThriftStruct, facts: GroupFacts): RowGroup {
  const chunks = structs(group.get(1)).map((chunk) => parseChunk(chunk, facts));
  if (chunks.length !== facts.leafCount) {
    throw new RangeError(`a row group has ${chunks.length} columns, the schema ${facts.leafCount}`);
  }
  return { rowCount: count(group.get(3), "row count"), chunks };
}

function parseChunk(chunk: ThriftStruct, facts: GroupFacts): ColumnChunk {
  if (chunk.has(8) || chunk.has(9))
    throw new ConnectorError("unsupported", "its columns are encrypted, which SAGE does not read.");
  if (chunk.get(1) !== undefined && string(chunk.get(1)) !== "") {
    throw new ConnectorError("unsupported", "its columns are kept in other files, which SAGE does not read.");
  }
  const meta = chunk.get(3);
  if (!(meta instanceof Map)) throw new RangeError("a column has no metadata");
  const physical = PHYSICAL[count(meta.get(1), "physical type")];
  const codec = CODECS[count(meta.get(4), "codec")];
  if (physical === undefined || codec === undefined) throw new RangeError("unknown physical type or codec");
  const dataOffset = count(meta.get(9), "page offset");
  // Some writers state 0 when there is no dictionary.
  const dictionaryOffset = count(meta.get(11) ?? 0, "dictionary offset");
  const offset = dictionaryOffset > 0 && dictionaryOffset < dataOffset ? dictionaryOffset : dataOffset;
  const range = { offset, bytes: count(meta.get(7), "chunk size") };
  if (offset + range.bytes > facts.fileBytes) throw new RangeError("a column chunk lies past the end of the file");
  return {
    physical,
    codec,
    valueCount: count(meta.get(5), "value count"),
    range,
    uncompressedBytes: count(meta.get(6), "uncompressed size"),
    statistics: parseStatistics(meta.get(12)),
    columnIndex: indexRange(chunk.get(6), chunk.get(7), facts),
    offsetIndex: indexRange(chunk.get(4), chunk.get(5), facts),
  };
}

function indexRange(
  offset: ThriftValue | undefined,
  bytes: ThriftValue | undefined,
  facts: GroupFacts,
): ByteRange | null {
  if (typeof offset !== "number" || typeof bytes !== "number" || !(bytes > 0)) return null;
  return offset >= 0 && offset + bytes <= facts.fileBytes ? { offset, bytes } : null;
}

export const NO_STATISTICS: Statistics = { min: null, max: null, deprecated: false, nullCount: null };

function parseStatistics(value: ThriftValue | undefined): Statistics {
  if (!(value instanceof Map)) return NO_STATISTICS;
  const nulls = value.get(3);
  const nullCount = typeof nulls === "number" && nulls >= 0 ? nulls : null;
  const max = bytesOf(value.get(5));
  const min = bytesOf(value.get(6));
  if (min !== null || max !== null) return { min, max, deprecated: false, nullCount };
  return { min: bytesOf(value.get(2)), max: bytesOf(value.get(1)), deprecated: true, nullCount };
}

function bytesOf(value: ThriftValue | undefined): Uint8Array | null {
  // A copy, so that the footer's bytes are not kept (and cloned to workers) with it.
  return value instanceof Uint8Array ? value.slice() : null;
}

function string(value: ThriftValue | undefined): string | null {
  return value instanceof Uint8Array ? text.decode(value) : null;
}

function structs(value: ThriftValue | undefined): ThriftStruct[] {
  if (value === undefined) return [];
  if (!Array.isArray(value) || !value.every((item) => item instanceof Map)) throw new RangeError("a list is missing");
  return value as ThriftStruct[];
}

/** A number that must be there, not negative and exact. */
export function count(value: ThriftValue | undefined, what: string): number {
  if (typeof value === "number" && value >= 0 && Number.isSafeInteger(value)) return value;
  throw new RangeError(`bad ${what}`);
}
