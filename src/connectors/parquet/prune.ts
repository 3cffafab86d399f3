import type { DataType } from "../../arrow/mod.ts";
import type { ReadHandle } from "../../kernel/mod.ts";
import type { TypedExpression } from "../../plan/mod.ts";
import { type Bound, type ColumnBounds, columnsOf, mayMatch } from "../prune.ts";
import type { ByteRange, ColumnChunk, RowGroup, Statistics } from "./footer.ts";
import type { ColumnShape, LeafShape } from "./schema.ts";
import { ThriftReader, type ThriftValue } from "./thrift.ts";

/** Rows of a row group, end excluded. */
export interface RowRange {
  readonly start: number;
  readonly end: number;
}

export interface PruneRequest {
  readonly group: RowGroup;
  /** All columns of the file. */
  readonly shapes: readonly ColumnShape[];
  readonly predicate: TypedExpression | null;
  readonly handle: ReadHandle;
}

/** The rows of a row group that may satisfy the predicate, in order; empty when provably none does. */
export function wantedRanges(request: PruneRequest): RowRange[] {
  const { group, predicate, shapes, handle } = request;
  if (group.rowCount === 0) return [];
  const whole = [{ start: 0, end: group.rowCount }];
  if (predicate === null) return whole;
  const leaves = new Map<string, LeafShape>();
  for (const name of columnsOf(predicate)) {
    const shape = shapes.find((candidate) => candidate.name === name);
    if (shape?.kind === "leaf") leaves.set(name, shape);
  }
  const groupBounds = (name: string): ColumnBounds | null => {
    const leaf = leaves.get(name);
    const chunk = leaf === undefined ? undefined : group.chunks[leaf.leaf];
    return leaf === undefined || chunk === undefined ? null : boundsOf(leaf, chunk.statistics, group.rowCount);
  };
  if (!mayMatch(predicate, groupBounds)) return [];
  const pages = new Map<string, PageBounds[]>();
  for (const [name, leaf] of leaves) {
    const found = readPages(handle, group.chunks[leaf.leaf] as ColumnChunk, { leaf, rowCount: group.rowCount });
    if (found !== null && found.length > 1) pages.set(name, found);
  }
  if (pages.size === 0) return whole;
  return pageRanges(predicate, pages, { groupBounds, rowCount: group.rowCount });
}

interface PageBounds extends RowRange {
  readonly bounds: ColumnBounds;
}

interface PageFacts {
  readonly groupBounds: (name: string) => ColumnBounds | null;
  readonly rowCount: number;
}

/** Between two page borders of any column every column's page is the same. */
function pageRanges(
  predicate: TypedExpression,
  pages: ReadonlyMap<string, PageBounds[]>,
  facts: PageFacts,
): RowRange[] {
  const borders = new Set<number>([facts.rowCount]);
  for (const list of pages.values()) for (const page of list) borders.add(page.start);
  const sorted = [...borders].sort((a, b) => a - b);
  const cursors = new Map([...pages].map(([name, list]) => [name, { list, at: 0 }]));
  const ranges: { start: number; end: number }[] = [];
  for (let i = 0; i + 1 < sorted.length; i++) {
    const [start, end] = [sorted[i] as number, sorted[i + 1] as number];
    for (const cursor of cursors.values()) {
      while ((cursor.list[cursor.at] as PageBounds).end <= start) cursor.at++;
    }
    const bounds = (name: string): ColumnBounds | null => {
      const cursor = cursors.get(name);
      return cursor === undefined ? facts.groupBounds(name) : (cursor.list[cursor.at] as PageBounds).bounds;
    };
    if (!mayMatch(predicate, bounds)) continue;
    const last = ranges[ranges.length - 1];
    if (last !== undefined && last.end === start) last.end = end;
    else ranges.push({ start, end });
  }
  return ranges;
}

const INDEX_BYTES_MAX = 1 << 26;

/** Bounds of a chunk's pages; null when there are none, or the index makes no sense: it is only a help. */
function readPages(
  handle: ReadHandle,
  chunk: ColumnChunk,
  facts: { leaf: LeafShape; rowCount: number },
): PageBounds[] | null {
  const { columnIndex, offsetIndex } = chunk;
  if (columnIndex === null || offsetIndex === null || facts.leaf.repetitionLevel > 0) return null;
  try {
    const index = new ThriftReader(readRange(handle, columnIndex)).readStruct();
    const offsets = new ThriftReader(readRange(handle, offsetIndex)).readStruct();
    const starts = list(offsets.get(1)).map((page) => (page instanceof Map ? Number(page.get(3)) : Number.NaN));
    const [empty, least, greatest] = [list(index.get(1)), list(index.get(2)), list(index.get(3))];
    const nulls = index.has(5) ? list(index.get(5)) : null;
    const count = starts.length;
    if (empty.length !== count || least.length !== count || greatest.length !== count || starts[0] !== 0) return null;
    return starts.map((start, i) => {
      const end = starts[i + 1] ?? facts.rowCount;
      if (!(end > start)) throw new RangeError("pages out of order");
      const rowCount = end - start;
      const nullCount = nulls === null ? null : Number(nulls[i]);
      const statistics: Statistics =
        empty[i] === true
          ? { min: null, max: null, deprecated: false, nullCount: rowCount }
          : { min: bytesOf(least[i]), max: bytesOf(greatest[i]), deprecated: false, nullCount };
      return { start, end, bounds: boundsOf(facts.leaf, statistics, rowCount) };
    });
  } catch {
    return null;
  }
}

function readRange(handle: ReadHandle, range: ByteRange): Uint8Array {
  if (range.bytes > INDEX_BYTES_MAX) throw new RangeError("index too large");
  const bytes = new Uint8Array(range.bytes);
  if (handle.readAt(range.offset, bytes, range.bytes) !== range.bytes) throw new RangeError("index cut off");
  return bytes;
}

function list(value: ThriftValue | undefined): ThriftValue[] {
  if (!Array.isArray(value)) throw new RangeError("a list is missing");
  return value;
}

function bytesOf(value: ThriftValue | undefined): Uint8Array | null {
  return value instanceof Uint8Array ? value : null;
}

function boundsOf(leaf: LeafShape, statistics: Statistics, rowCount: number): ColumnBounds {
  const usable = !statistics.deprecated || isSignedOrder(leaf);
  const least = usable && statistics.min !== null ? decodeBound(leaf, statistics.min) : null;
  const greatest = usable && statistics.max !== null ? decodeBound(leaf, statistics.max) : null;
  // A column that may not be null has none, whatever the statistics leave out.
  const nullCount = leaf.nullable ? statistics.nullCount : 0;
  return { type: leaf.type, least, greatest, nullCount, rowCount };
}

/** The deprecated fields were compared as signed numbers whatever the column was. */
function isSignedOrder(leaf: LeafShape): boolean {
  const kinds: readonly DataType["kind"][] = [
    "int8",
    "int16",
    "int32",
    "int64",
    "date32",
    "timestamp",
    "time",
    "float32",
    "float64",
  ];
  return kinds.includes(leaf.type.kind) && leaf.element.physical !== "int96" && leaf.element.physical !== "fixed";
}

/** A bound as `prune.ts` compares it; null when its bytes cannot be one, or its order is not defined. */
function decodeBound(leaf: LeafShape, bytes: Uint8Array): Bound | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const { physical } = leaf.element;
  const { kind } = leaf.type;
  if (physical === "boolean" && bytes.length === 1) return BigInt(bytes[0] as number);
  if (physical === "int32" && bytes.length === 4) {
    return BigInt(kind.startsWith("uint") ? view.getUint32(0, true) : view.getInt32(0, true));
  }
  if (physical === "int64" && bytes.length === 8) {
    return kind === "uint64" ? view.getBigUint64(0, true) : view.getBigInt64(0, true);
  }
  if (physical === "float" && bytes.length === 4) return finite(view.getFloat32(0, true));
  if (physical === "double" && bytes.length === 8) return finite(view.getFloat64(0, true));
  if (kind === "decimal" && (physical === "fixed" || physical === "byteArray") && bytes.length > 0)
    return bigEndian(bytes);
  if (physical === "byteArray" && (kind === "utf8" || kind === "binary")) return bytes;
  return null;
}

function finite(value: number): number | null {
  return Number.isNaN(value) ? null : value;
}

function bigEndian(bytes: Uint8Array): bigint {
  let value = 0n;
  for (const byte of bytes) value = (value << 8n) | BigInt(byte);
  return BigInt.asIntN(bytes.length * 8, value);
}
