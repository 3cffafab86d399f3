import type { Compression, ReadHandle } from "../../kernel/mod.ts";
import type { ColumnChunk, RowGroup } from "./footer.ts";
import { ChunkPages } from "./pages.ts";
import type { RowRange } from "./prune.ts";
import type { LeafShape } from "./schema.ts";

/**
 * Cuts a large row group into pieces for several workers. Pages tell where reading can begin: the pieces end at pages of
 * the column with most bytes, and other columns decode the page that lies over such a border twice. Where pages lie is
 * taken from their headers, not from the page index: readers trust the headers anyway, and a damaged index would shift
 * columns against each other.
 */

const PIECE_ROWS = 122_880;
/** A group of fewer rows than two pieces is not worth it. */
const CUT_ROWS_MIN = 2 * PIECE_ROWS;
/** So many row groups keep all workers busy. */
const GROUPS_CUT_MAX = 64;
/** With so few row groups, a huge page is decoded twice so that two workers have something to do. */
const GROUPS_HALVED_MAX = 4;
const PAGES_MAX = 100_000;

/** A data page: its first row in the row group, and its header's offset in the file. */
export interface PageStart {
  readonly row: number;
  readonly offset: number;
}

export interface GroupPiece {
  readonly ranges: readonly RowRange[];
  /** By position of the leaf: the last page that starts at or before the first row; the first page when absent. */
  readonly starts: ReadonlyMap<number, PageStart>;
}

export interface CutRequest {
  readonly group: RowGroup;
  /** Row groups in all files of the source. */
  readonly groupCount: number;
  readonly leaves: readonly LeafShape[];
  /** Rows wanted, in order. */
  readonly ranges: readonly RowRange[];
  readonly handle: ReadHandle;
  readonly compression: Compression;
}

/** In order; one piece when the group is small, a column is nested, or nothing would be gained. */
export function cutGroup(request: CutRequest): GroupPiece[] {
  const { group, groupCount, leaves, ranges } = request;
  const whole: GroupPiece[] = [{ ranges, starts: new Map() }];
  const isFlat = leaves.length > 0 && leaves.every((leaf) => leaf.repetitionLevel === 0);
  if (!isFlat || rowsIn(ranges) < CUT_ROWS_MIN || groupCount > GROUPS_CUT_MAX) return whole;
  const chunks = new Map(leaves.map(({ leaf }) => [leaf, group.chunks[leaf] as ColumnChunk]));
  const [largest] = [...chunks].sort(([, a], [, b]) => b.uncompressedBytes - a.uncompressedBytes);
  if (largest === undefined) return whole;
  const largestPages = pageStarts(request, largest[1]);
  if (largestPages === null) return whole;
  const borders = bordersOf(largestPages, request);
  if (borders.length < 2) return whole;
  const pages = new Map([[largest[0], largestPages]]);
  for (const [leaf, chunk] of chunks) {
    const found = pages.get(leaf) ?? pageStarts(request, chunk);
    if (found === null) return whole;
    pages.set(leaf, found);
  }
  return piecesOf(ranges, borders).map((piece) => ({ ranges: piece, starts: startsFor(piece, pages) }));
}

function rowsIn(ranges: readonly RowRange[]): number {
  return ranges.reduce((sum, range) => sum + range.end - range.start, 0);
}

/** null when headers and row count do not agree: whoever reads the rows says what is wrong. */
function pageStarts(request: CutRequest, chunk: ColumnChunk): PageStart[] | null {
  const pages = new ChunkPages(request.handle, chunk, request.compression);
  const starts: PageStart[] = [];
  let row = 0;
  try {
    for (let header = pages.nextHeader(); header !== null; header = pages.nextHeader()) {
      if (header.kind === "data" && header.valueCount > 0) {
        starts.push({ row, offset: pages.headerOffset });
        row += header.valueCount;
      }
      if (starts.length > PAGES_MAX) return null;
      pages.skip(header);
    }
  } catch {
    return null;
  }
  return row === request.group.rowCount ? starts : null;
}

/** Rows at which a piece may start. */
function bordersOf(pages: readonly PageStart[], request: CutRequest): number[] {
  const borders: number[] = [];
  for (const [i, { row }] of pages.entries()) {
    borders.push(row);
    const rows = (pages[i + 1]?.row ?? request.group.rowCount) - row;
    if (rows >= CUT_ROWS_MIN && request.groupCount <= GROUPS_HALVED_MAX) borders.push(row + (rows >>> 1));
  }
  return borders;
}

/** Ranges of about PIECE_ROWS rows each that end at borders. */
function piecesOf(ranges: readonly RowRange[], borders: readonly number[]): RowRange[][] {
  const pieces: RowRange[][] = [];
  let piece: RowRange[] = [];
  let rows = 0;
  let next = 0;
  for (const range of ranges) {
    let { start } = range;
    while (start < range.end) {
      while (next < borders.length && (borders[next] as number) <= start) next++;
      const end = Math.min(range.end, borders[next] ?? range.end);
      const last = piece[piece.length - 1];
      if (last !== undefined && last.end === start) piece[piece.length - 1] = { start: last.start, end };
      else piece.push({ start, end });
      rows += end - start;
      start = end;
      if (rows < PIECE_ROWS) continue;
      pieces.push(piece);
      [piece, rows] = [[], 0];
    }
  }
  if (piece.length > 0) pieces.push(piece);
  return pieces;
}

function startsFor(
  ranges: readonly RowRange[],
  pages: ReadonlyMap<number, readonly PageStart[]>,
): Map<number, PageStart> {
  const first = ranges[0]?.start ?? 0;
  const starts = new Map<number, PageStart>();
  for (const [leaf, list] of pages) {
    const next = list.findIndex((page) => page.row > first);
    const start = list[next === -1 ? list.length - 1 : next - 1];
    if (start !== undefined && start.row > 0) starts.set(leaf, start);
  }
  return starts;
}
