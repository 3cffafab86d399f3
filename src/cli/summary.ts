import { fileBytes, type RunStats } from "../platform/mod.ts";
import type { Paint } from "./paint.ts";
import { bytesText, durationText, rateText, rowCountText } from "./quantity.ts";

export interface WrittenFile {
  readonly path: string;
  readonly rows: number;
}

/** What stands on stderr after the rows: rows read, time, rate, files written. */
export function summaryText(stats: RunStats, written: WrittenFile | null, paint: Paint): string {
  const { rowsRead, elapsedMs } = stats;
  const lines = [`Read ${rowCountText(rowsRead)} in ${durationText(elapsedMs)} (${rateText(rowsRead, elapsedMs)}).`];
  for (const file of [...stats.outputs, ...(written === null ? [] : [written])]) {
    const bytes = fileBytes(file.path);
    lines.push(`Wrote ${file.path}: ${rowCountText(file.rows)}${bytes === null ? "" : `, ${bytesText(bytes)}`}.`);
  }
  return `${lines.map((line) => paint.dim(line)).join("\n")}\n`;
}
