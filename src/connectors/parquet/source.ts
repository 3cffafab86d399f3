import type { Address, Batch, Column, Field, Schema } from "../../arrow/mod.ts";
import type { ReadHandle } from "../../kernel/mod.ts";
import type { ConnectorSpec } from "../../plan/mod.ts";
import type { ParquetSourceOptions } from "../../stream/mod.ts";
import type { Source, SourceContext, SourceInfo, SourceRequest, Split, SplitReader, Tools } from "../contract.ts";
import { asConnectorError } from "../error.ts";
import { commonSchema, type FileKind, openFile, resolveFiles } from "../files.ts";
import { withArrowTypes } from "./arrow_schema.ts";
import { assemble, type LeafData, leavesOf } from "./assemble.ts";
import { cutGroup, type PageStart } from "./cut.ts";
import type { LeafFill } from "./fill.ts";
import { type ColumnChunk, type Footer, NO_STATISTICS, type RowGroup, readFooter } from "./footer.ts";
import { LeafReader, Levels } from "./leaf.ts";
import { type RowRange, wantedRanges } from "./prune.ts";
import { type ColumnShape, columnShapes, fieldOf, type LeafShape } from "./schema.ts";

export const PARQUET_FILES: FileKind = { what: "Parquet", endings: [".parquet", ".parq", ".pq"] };

/** Row groups are put together in one split until it has so many rows or bytes. */
const SPLIT_ROWS = 122_880;
const SPLIT_BYTES = 8 << 20;

interface ParquetFile {
  readonly path: string;
  readonly footer: Footer;
  readonly shapes: readonly ColumnShape[];
}

/** What a worker needs to read a split; plain data. */
interface SplitData {
  readonly path: string;
  readonly shapes: readonly ColumnShape[];
  readonly groups: readonly GroupData[];
}

interface GroupData {
  readonly index: number;
  readonly ranges: readonly RowRange[];
  /** By position of the leaf. */
  readonly chunks: ReadonlyMap<number, ColumnChunk>;
  /** By position of the leaf: the page to begin with, when it is not the first. */
  readonly starts: ReadonlyMap<number, PageStart>;
}

export const parquetSource: Source = {
  async describe(spec, tools) {
    const options = optionsOf(spec);
    const files = await openAll(spec, tools);
    const schemas = files.map((file) => ({ path: file.path, schema: schemaOf(file) }));
    const rowCount = files.reduce((sum, file) => sum + file.footer.rowCount, 0);
    const info: SourceInfo = {
      schema: commonSchema(schemas, options.schema),
      rowCount,
      rowCountExact: true,
      files: files.map((file) => file.path),
    };
    return info;
  },

  async splits(spec, request, tools) {
    const splits: Split[] = [];
    let rowsBefore = 0;
    const files = await openAll(spec, tools);
    const groupCount = files.reduce((sum, file) => sum + file.footer.rowGroups.length, 0);
    for (const file of files) {
      if (enough(request, rowsBefore)) break;
      rowsBefore = fileSplits(file, { request, tools, splits, rowsBefore, groupCount });
      await tools.turn?.();
    }
    return splits;
  },

  open(_spec, request, split, context) {
    return new ParquetReader(split.data as SplitData, request, context);
  },
};

function optionsOf(spec: ConnectorSpec): ParquetSourceOptions {
  return spec.options as unknown as ParquetSourceOptions; // written by `Stream.fromParquet`
}

async function openAll(spec: ConnectorSpec, tools: Tools): Promise<ParquetFile[]> {
  const files: ParquetFile[] = [];
  for (const path of resolveFiles(tools.disk, optionsOf(spec).paths, PARQUET_FILES)) {
    files.push(openOne(path, tools));
    await tools.turn?.();
  }
  return files;
}

function openOne(path: string, tools: Tools): ParquetFile {
  const handle = openFile(tools.disk, path);
  try {
    const footer = readFooter(path, handle);
    return { path, footer, shapes: withArrowTypes(columnShapes(path, footer), footer.arrowSchema) };
  } finally {
    handle.close();
  }
}

function schemaOf(file: ParquetFile): Schema {
  return { fields: file.shapes.map((shape): Field => fieldOf(shape)) };
}

function enough(request: SourceRequest, rowsBefore: number): boolean {
  return request.rowLimit !== null && request.predicate === null && rowsBefore >= request.rowLimit;
}

interface SplitContext {
  readonly request: SourceRequest;
  readonly tools: Tools;
  readonly splits: Split[];
  readonly rowsBefore: number;
  readonly groupCount: number;
}

function fileSplits(file: ParquetFile, context: SplitContext): number {
  const { request, tools, splits, groupCount } = context;
  const shapes = shapesOf(file, request.columns);
  const leaves = shapes.flatMap(leavesOf);
  let { rowsBefore } = context;
  let groups: GroupData[] = [];
  let [rows, bytes] = [0, 0];
  const close = () => {
    if (groups.length === 0) return;
    const data: SplitData = { path: file.path, shapes, groups };
    splits.push({ index: splits.length, estimatedRows: rows, estimatedBytes: Math.round(bytes), data });
    [groups, rows, bytes] = [[], 0, 0];
  };
  const handle = openFile(tools.disk, file.path);
  try {
    for (const [index, group] of file.footer.rowGroups.entries()) {
      if (enough(request, rowsBefore)) break;
      const ranges = wantedRanges({ group, shapes: file.shapes, predicate: request.predicate, handle });
      const chunks = chunksOf(group, leaves);
      const groupBytes = leaves.reduce((sum, leaf) => sum + (group.chunks[leaf.leaf]?.uncompressedBytes ?? 0), 0);
      const cut = { group, groupCount, leaves, ranges, handle, compression: tools.compression };
      for (const piece of ranges.length === 0 ? [] : cutGroup(cut)) {
        if (enough(request, rowsBefore + (piece.ranges[0] as RowRange).start)) break;
        groups.push({ index, ranges: piece.ranges, chunks, starts: piece.starts });
        const pieceRows = piece.ranges.reduce((sum, range) => sum + range.end - range.start, 0);
        rows += pieceRows;
        bytes += groupBytes * (pieceRows / group.rowCount);
        if (rows >= SPLIT_ROWS || bytes >= SPLIT_BYTES) close();
      }
      rowsBefore += group.rowCount;
    }
  } finally {
    handle.close();
  }
  close();
  return rowsBefore;
}

function shapesOf(file: ParquetFile, columns: readonly string[]): ColumnShape[] {
  const byName = new Map(file.shapes.map((shape) => [shape.name, shape]));
  return columns.map((name) => byName.get(name) as ColumnShape);
}

function chunksOf(group: RowGroup, leaves: readonly LeafShape[]): Map<number, ColumnChunk> {
  const chunks = new Map<number, ColumnChunk>();
  for (const { leaf } of leaves) {
    chunks.set(leaf, { ...(group.chunks[leaf] as ColumnChunk), statistics: NO_STATISTICS });
  }
  return chunks;
}

interface OpenGroup {
  readonly data: GroupData;
  readonly leaves: ReadonlyMap<number, LeafReader>;
  range: number;
  /** Next row of the row group. */
  row: number;
}

class ParquetReader implements SplitReader {
  private readonly data: SplitData;
  private readonly context: SourceContext;
  private readonly schema: Schema;
  private readonly leaves: readonly LeafShape[];
  private handle: ReadHandle | null = null;
  private next = 0;
  private group: OpenGroup | null = null;
  private rowsRead = 0;
  private closed = false;

  constructor(data: SplitData, _request: SourceRequest, context: SourceContext) {
    this.data = data;
    this.context = context;
    this.schema = { fields: data.shapes.map(fieldOf) };
    this.leaves = data.shapes.flatMap(leavesOf);
  }

  read(maxRows: number): Batch | null {
    if (this.closed || this.context.signal.aborted) return null;
    const group = this.currentGroup();
    if (group === null) return null;
    const range = group.data.ranges[group.range] as RowRange;
    if (group.row < range.start) this.skipTo(group, range.start);
    const rows = Math.min(maxRows, range.end - group.row);
    const batch = this.readRows(group, rows);
    group.row += rows;
    this.rowsRead += rows;
    if (group.row === range.end && ++group.range === group.data.ranges.length) this.endGroup();
    return batch;
  }

  position(): unknown {
    return { rows: this.rowsRead };
  }

  close(): void {
    this.closed = true;
    this.endGroup();
    this.handle?.close();
    this.handle = null;
  }

  private currentGroup(): OpenGroup | null {
    if (this.group !== null) return this.group;
    const data = this.data.groups[this.next++];
    if (data === undefined) return null;
    this.handle ??= openFile(this.context.disk, this.data.path);
    const leaves = new Map<number, LeafReader>();
    for (const shape of this.leaves) {
      leaves.set(
        shape.leaf,
        this.inColumn(data, shape, () => this.leafReader(data, shape)),
      );
    }
    this.group = { data, leaves, range: 0, row: 0 };
    this.start(this.group);
    return this.group;
  }

  private leafReader(data: GroupData, shape: LeafShape): LeafReader {
    const { arena, owner, compression } = this.context;
    const chunk = data.chunks.get(shape.leaf) as ColumnChunk;
    return new LeafReader({ handle: this.handle as ReadHandle, chunk, shape, compression, arena, owner });
  }

  private endGroup(): void {
    for (const leaf of this.group?.leaves.values() ?? []) leaf.close();
    this.group = null;
  }

  /** Every column goes to its page nearest to the first row, and from there to the row itself. */
  private start(group: OpenGroup): void {
    const { data } = group;
    const first = (data.ranges[0] as RowRange).start;
    if (data.starts.size === 0) return;
    for (const shape of this.leaves) {
      const reader = group.leaves.get(shape.leaf) as LeafReader;
      const page = data.starts.get(shape.leaf);
      this.inColumn(data, shape, () => {
        if (page !== undefined) reader.startAt(page.offset);
        reader.skip(first - (page?.row ?? 0));
      });
    }
    group.row = first;
  }

  private skipTo(group: OpenGroup, row: number): void {
    for (const shape of this.leaves) {
      const reader = group.leaves.get(shape.leaf) as LeafReader;
      this.inColumn(group.data, shape, () => reader.skip(row - group.row));
    }
    group.row = row;
  }

  private readRows(group: OpenGroup, rows: number): Batch {
    const { arena, owner } = this.context;
    const blocks: Address[] = [];
    const leaves = new Map<number, LeafData>();
    try {
      for (const shape of this.leaves) {
        const data = this.inColumn(group.data, shape, () => this.readLeaf(group, { shape, rows, blocks }));
        leaves.set(shape.leaf, data);
      }
      const columns: Column[] = this.data.shapes.map((shape) => {
        const what = () =>
          `Cannot read ${this.data.path}: row group ${group.data.index}, column "${shape.name}" is damaged`;
        try {
          return assemble(shape, { arena, owner, leaves, blocks });
        } catch (cause) {
          throw asConnectorError(cause, "corrupt", what);
        }
      });
      return { schema: this.schema, rowCount: rows, columns, blocks };
    } catch (cause) {
      for (const block of blocks) arena.release(block);
      throw cause;
    }
  }

  private readLeaf(group: OpenGroup, part: { shape: LeafShape; rows: number; blocks: Address[] }): LeafData {
    const reader = group.leaves.get(part.shape.leaf) as LeafReader;
    const fill: LeafFill = reader.newFill();
    const nested = part.shape.repetitionLevel > 0 || !this.data.shapes.includes(part.shape);
    const levels = nested ? new Levels() : null;
    try {
      reader.read(part.rows, fill, levels);
      const { column, blocks } = fill.finish();
      part.blocks.push(...blocks);
      return { column, levels };
    } catch (cause) {
      fill.abort();
      throw cause;
    }
  }

  private inColumn<T>(group: GroupData, shape: LeafShape, step: () => T): T {
    try {
      return step();
    } catch (cause) {
      const where = `row group ${group.index}, column "${shape.name}" is damaged`;
      throw asConnectorError(cause, "corrupt", () => `Cannot read ${this.data.path}: ${where}`);
    }
  }
}
