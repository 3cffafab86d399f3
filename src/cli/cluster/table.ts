import stringWidth from "string-width";
import type { Paint } from "../paint.ts";

/** A cell: its text, and how it is painted once it has its width. */
export interface Cell {
  readonly text: string;
  readonly paint?: (text: string) => string;
  readonly isRight?: boolean;
}

const GAP = "  ";

/** Columns below bold heads; cells are as wide as they need. Empty without rows. */
export function columns(heads: readonly string[], rows: readonly (readonly Cell[])[], paint: Paint): string {
  const widths = heads.map((head, at) => Math.max(width(head), ...rows.map((row) => width(row[at]?.text ?? ""))));
  const line = (cells: readonly Cell[]) =>
    cells
      .map(({ text, paint: color, isRight }, at) => {
        const fill = " ".repeat(Math.max(0, (widths[at] ?? 0) - width(text)));
        const shown = color === undefined ? text : color(text);
        return isRight ? fill + shown : shown + fill;
      })
      .join(GAP)
      .trimEnd();
  const head = line(heads.map((text, at) => ({ text, paint: paint.bold, isRight: rows[0]?.[at]?.isRight ?? false })));
  return `${[head, ...rows.map(line)].join("\n")}\n`;
}

function width(text: string): number {
  return stringWidth(text);
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
