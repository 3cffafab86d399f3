import { cutTo } from "../cluster/mod.ts";
import type { Paint } from "../paint.ts";

const MARKS: Readonly<Record<string, string>> = {
  submitted: "◌",
  compiling: "◔",
  scheduling: "◔",
  running: "●",
  finishing: "◕",
  failing: "◐",
  restarting: "↻",
  cancelling: "◐",
  finished: "✓",
  failed: "✕",
  cancelled: "○",
  stopped: "■",
};

export function stateMark(state: string): string {
  return MARKS[state] ?? "?";
}

export function statePaint(state: string, paint: Paint): (text: string) => string {
  switch (state) {
    case "finished":
    case "running":
      return paint.green;
    case "failed":
    case "failing":
      return paint.red;
    case "restarting":
    case "cancelling":
    case "stopped":
      return paint.yellow;
    case "cancelled":
      return paint.dim;
    default:
      return paint.cyan;
  }
}

const NAME_COLUMNS_MIN = 4;

/** The name, cut so that the line still has room for what stands beside it. `width`: of the terminal; 0: any. */
export function roomyName(name: string, width: number, besideColumns: number): string {
  return width === 0 ? name : cutTo(name, Math.max(NAME_COLUMNS_MIN, width - besideColumns));
}
