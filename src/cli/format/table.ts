import stringWidth from "string-width";
import type { Paint } from "../paint.ts";

/** Layout of a table as text: widths, cuts and colours. Knows no types and no batches. */

export interface TableColumn {
  readonly name: string;
  readonly type: string;
  readonly align: "left" | "right";
  /** Numbers, dates and times: cut, they would read as others, so the column goes instead. */
  readonly isWhole: boolean;
}

export interface Table {
  readonly columns: readonly TableColumn[];
  /** Cells as text; null for null. */
  readonly head: readonly (readonly (string | null)[])[];
  /** The last rows when some between are left out; else empty. */
  readonly tail: readonly (readonly (string | null)[])[];
  readonly rowCount: number;
  /** Columns of the terminal; null for as many as needed. */
  readonly width: number | null;
  readonly paint: Paint;
}

const GAP = "  ";
const CUT_WIDTH_MIN = 8;
const CELL_WIDTH_MAX = 60;
const NULL_TEXT = "null";
const MORE = "…";

interface Laid {
  readonly column: TableColumn;
  /** Index in the rows; null for the column of dots that stands for those left out. */
  readonly index: number | null;
  readonly width: number;
}

export function renderTable(table: Table): string {
  const { paint, columns } = table;
  if (columns.length === 0) return `${paint.dim(rowsText(table))}\n`;
  const laid = layOut(table);
  const line = (text: (item: Laid) => string) => laid.map(text).join(GAP).trimEnd();
  const cellLine = (row: readonly (string | null)[]) => line((item) => cellOf(item, row, paint));
  const lines = [
    line((item) => paint.bold(fit(item.column.name, item))),
    line((item) => paint.dim(fit(item.column.type, item))),
    paint.dim(line((item) => "─".repeat(item.width))),
    ...table.head.map(cellLine),
  ];
  const hiddenRows = table.rowCount - table.head.length - table.tail.length;
  if (hiddenRows > 0) lines.push(paint.dim(`${MORE} ${grouped(hiddenRows)} more rows`));
  lines.push(...table.tail.map(cellLine), paint.dim(`(${rowsText(table)}${columnsText(columns.length, laid)})`));
  return `${lines.join("\n")}\n`;
}

function cellOf(item: Laid, row: readonly (string | null)[], paint: Paint): string {
  if (item.index === null) return MORE;
  const text = row[item.index] ?? null;
  return text === null ? paint.dim(fit(NULL_TEXT, item)) : fit(text, item);
}

/** Natural widths; then texts are cut; then columns in the middle give way, the first and last stay longest. */
function layOut(table: Table): Laid[] {
  const limit = table.width ?? Number.POSITIVE_INFINITY;
  const natural = table.columns.map((column, index) => ({ column, index, ...widthsOf(table, column, index) }));
  for (let shown = natural.length; ; shown--) {
    const left = Math.ceil(shown / 2);
    const kept = [...natural.slice(0, left), ...natural.slice(natural.length - (shown - left))];
    const isCut = shown < natural.length;
    const gaps = GAP.length * (kept.length - 1) + (isCut ? GAP.length + MORE.length : 0);
    const widths = shrink(kept, limit - gaps, shown === 1);
    if (widths === null) continue;
    const laid = kept.map(({ column, index }, at): Laid => ({ column, index, width: widths[at] ?? 1 }));
    if (isCut)
      laid.splice(left, 0, { column: { name: MORE, type: MORE, align: "left", isWhole: true }, index: null, width: 1 });
    return laid;
  }
}

interface Widths {
  readonly natural: number;
  readonly smallest: number;
}

function widthsOf(table: Table, column: TableColumn, index: number): Widths {
  let cells = 1;
  for (const rows of [table.head, table.tail]) {
    for (const row of rows) cells = Math.max(cells, stringWidth(row[index] ?? NULL_TEXT));
  }
  const header = Math.max(stringWidth(column.name), column.type.length);
  const cap = table.width === null ? Number.POSITIVE_INFINITY : Math.max(CELL_WIDTH_MAX, Math.floor(table.width / 2));
  const natural = Math.max(header, column.isWhole ? cells : Math.min(cells, cap));
  return { natural, smallest: Math.min(natural, column.isWhole ? Math.max(cells, CUT_WIDTH_MIN) : CUT_WIDTH_MIN) };
}

/** Takes from the widest until all fit; null when they cannot. The last column left is cut to what there is. */
function shrink(items: readonly Widths[], limit: number, isLast: boolean): number[] | null {
  const widths = items.map((item) => item.natural);
  let over = widths.reduce((sum, width) => sum + width, 0) - limit;
  while (over > 0) {
    let widest = -1;
    for (let at = 0; at < widths.length; at++) {
      const width = widths[at] ?? 0;
      if (width > (items[at]?.smallest ?? 0) && (widest < 0 || width > (widths[widest] ?? 0))) widest = at;
    }
    if (widest < 0) return isLast ? [Math.max(1, limit)] : null;
    widths[widest] = (widths[widest] ?? 0) - 1;
    over -= 1;
  }
  return widths;
}

function fit(text: string, { width, column }: Laid): string {
  const cut = stringWidth(text) <= width ? text : `${cutTo(text, width - 1)}${MORE}`;
  const padding = " ".repeat(Math.max(0, width - stringWidth(cut)));
  return column.align === "right" ? padding + cut : cut + padding;
}

const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" });

function cutTo(text: string, width: number): string {
  let cut = "";
  let used = 0;
  for (const { segment } of graphemes.segment(text)) {
    used += stringWidth(segment);
    if (used > width) break;
    cut += segment;
  }
  return cut;
}

function rowsText({ rowCount }: Table): string {
  return rowCount === 1 ? "1 row" : `${grouped(rowCount)} rows`;
}

function columnsText(columnCount: number, laid: readonly Laid[]): string {
  const shown = laid.filter((item) => item.index !== null).length;
  return shown === columnCount ? "" : `, ${shown} of ${columnCount} columns shown`;
}

/** 1234567 as 1,234,567. */
export function grouped(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ",");
}

const ESCAPES: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** Text that cannot move the cursor or change colours: control characters are shown as escapes. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, (character) => {
    const code = character.codePointAt(0) ?? 0;
    return ESCAPES[character] ?? `\\u${code.toString(16).padStart(4, "0")}`;
  });
}
