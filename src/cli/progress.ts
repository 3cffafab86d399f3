import stringWidth from "string-width";
import type { Progress, Terminal } from "../platform/mod.ts";
import { durationText, rateText, rowCountText } from "./quantity.ts";

/** At most ten lines a second. */
const UPDATE_EVERY_MS = 100;
/** A job that ends before shows no line at all. */
const FIRST_AFTER_MS = 150;
const ERASE_LINE = "\r\u001b[2K";
const COLUMNS_DEFAULT = 80;

/** One line on stderr that is written over while the job runs; nothing when stderr is not a terminal. */
export class ProgressLine {
  readonly #terminal: Terminal;
  readonly #startedMs: number;
  #isActive: boolean;
  #isShown = false;
  #lastMs = Number.NEGATIVE_INFINITY;

  constructor(terminal: Terminal, options: { readonly isQuiet: boolean }) {
    this.#terminal = terminal;
    this.#startedMs = terminal.nowMs();
    this.#isActive = terminal.err.isTerminal && !options.isQuiet;
  }

  update(progress: Progress): void {
    const nowMs = this.#terminal.nowMs();
    if (!this.#isActive || nowMs - this.#lastMs < UPDATE_EVERY_MS || nowMs - this.#startedMs < FIRST_AFTER_MS) return;
    this.#lastMs = nowMs;
    this.#isShown = true;
    const columns = this.#terminal.err.columns || COLUMNS_DEFAULT;
    void this.#terminal.err.write(ERASE_LINE + fitLine(progressParts(progress), columns - 1)).catch(() => this.#stop());
  }

  /** Takes the line away for good: before rows are printed, and at the end. */
  async erase(): Promise<void> {
    this.#stop();
    if (!this.#isShown) return;
    this.#isShown = false;
    await this.#terminal.err.write(ERASE_LINE);
  }

  #stop(): void {
    this.#isActive = false;
  }
}

/** Most important first: a narrow terminal shows fewer. */
function progressParts(progress: Progress): string[] {
  const { rowsRead, rowsTotal, elapsedMs } = progress;
  const share =
    rowsTotal !== null && rowsTotal > 0 ? `${Math.min(100, Math.floor((100 * rowsRead) / rowsTotal))} %` : "";
  return [share, rowCountText(rowsRead), durationText(elapsedMs), rateText(rowsRead, elapsedMs)].filter(
    (part) => part !== "",
  );
}

function fitLine(parts: readonly string[], width: number): string {
  let line = "";
  for (const part of parts) {
    const longer = line === "" ? part : `${line}  ${part}`;
    if (stringWidth(longer) > width) break;
    line = longer;
  }
  return line;
}
