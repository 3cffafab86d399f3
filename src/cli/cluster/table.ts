import stringWidth from "string-width";
import type { Paint } from "../paint.ts";

/** A cell: its text, and how it is painted once it has its width. */
export interface Cell {
  readonly text: string;
  readonly paint?: (text: string) => string;
}

export interface Column {
  readonly head: string;
  readonly isRight?: true;
  /** Where the line is too long, columns go that have one: the highest first. */
  readonly giveWay?: number;
}

export interface TableStyle {
  readonly paint: Paint;
  /** Of the terminal; 0: as wide as it needs. */
  readonly width: number;
}

const GAP = "  ";
/** The widest cells are cut, but not below. */
const CELL_COLUMNS_MIN = 8;

/** Columns below bold heads; cells are as wide as they need, and lines at most as wide as the terminal if it can be. */
export function table(
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
  { paint, width }: TableStyle,
): string {
  const needed = columns.map(({ head }, at) =>
    Math.max(stringWidth(head), ...rows.map((row) => stringWidth(row[at]?.text ?? ""))),
  );
  const widths = fitted(columns, needed, width);
  const line = (cells: readonly Cell[]) =>
    columns
      .flatMap(({ isRight }, at) => {
        const cellWidth = widths[at];
        if (cellWidth === undefined || cellWidth === null) return [];
        const { text, paint: color } = cells[at] ?? { text: "" };
        const cut = cutTo(text, cellWidth);
        const fill = " ".repeat(cellWidth - stringWidth(cut));
        const shown = color === undefined ? cut : color(cut);
        return [isRight ? fill + shown : shown + fill];
      })
      .join(GAP)
      .trimEnd();
  const heads = columns.map(({ head }) => ({ text: head, paint: paint.bold }));
  return `${[heads, ...rows].map(line).join("\n")}\n`;
}

/** A width for each column, null for those that give way. */
function fitted(columns: readonly Column[], needed: readonly number[], width: number): (number | null)[] {
  const widths: (number | null)[] = [...needed];
  if (width <= 0) return widths;
  const total = () => {
    const shown = widths.filter((one) => one !== null);
    return shown.reduce((sum, one) => sum + one, 0) + GAP.length * Math.max(0, shown.length - 1);
  };
  const yielding = columns.flatMap(({ giveWay }, at) => (giveWay === undefined ? [] : [{ at, giveWay }]));
  yielding.sort((a, b) => b.giveWay - a.giveWay);
  for (const { at } of yielding) if (total() > width) widths[at] = null;
  for (let excess = total() - width; excess > 0; excess--) {
    const widest = Math.max(...widths.map((one) => one ?? 0));
    if (widest <= CELL_COLUMNS_MIN) break;
    widths[widths.indexOf(widest)] = widest - 1;
  }
  return widths;
}

/** What turns colours on and off; takes no room. */
const STYLES = new RegExp(`(${"\u001b"}\\[[\\d;]*m)`);

/** At most `width` columns of the text, with "…" where something is missing. Colours end where they would have. */
export function cutTo(text: string, width: number): string {
  if (stringWidth(text) <= width) return text;
  let cut = "";
  let used = 0;
  for (const [i, piece] of text.split(STYLES).entries()) {
    const isStyle = i % 2 === 1;
    if (isStyle) cut += piece;
    else if (used < width) [cut, used] = appended(cut, piece, { used, width });
  }
  return cut;
}

/** With as much of `piece` as there is room for; then "…", which fills the last column. */
function appended(cut: string, piece: string, of: { readonly used: number; readonly width: number }): [string, number] {
  let { used } = of;
  let longer = cut;
  for (const { segment } of new Intl.Segmenter().segment(piece)) {
    const columns = stringWidth(segment);
    if (used + columns > of.width - 1) return [`${longer}…`, of.width];
    longer += segment;
    used += columns;
  }
  return [longer, used];
}

/** A length of time in its nearest unit: "12 s". */
export function ageText(milliseconds: number | null): string {
  if (milliseconds === null) return "–";
  const seconds = Math.max(0, milliseconds) / 1000;
  if (seconds < 1) return "now";
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5_400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 129_600) return `${Math.round(seconds / 3_600)} h`;
  return `${Math.round(seconds / 86_400)} d`;
}
