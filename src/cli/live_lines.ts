import type { Terminal } from "../platform/mod.ts";
import { cutTo } from "./cluster/mod.ts";

/** Not more often than ten times a second. */
const UPDATE_EVERY_MS = 100;
const COLUMNS_DEFAULT = 80;
const ROWS_DEFAULT = 24;
const LINES_MAX = 12;

/** Lines on stderr that are drawn over themselves; nothing when stderr is not a terminal. */
export class LiveLines {
  readonly #on: Terminal;
  #isActive: boolean;
  #shown = 0;
  #lastMs = Number.NEGATIVE_INFINITY;

  constructor(on: Terminal, options: { readonly isQuiet: boolean }) {
    this.#on = on;
    this.#isActive = on.err.isTerminal && !options.isQuiet;
  }

  get isActive(): boolean {
    return this.#isActive;
  }

  /** What the lines are is asked only when they are drawn; `room` is how many there may be. */
  draw(lines: (size: { readonly room: number; readonly width: number }) => readonly string[]): void {
    const nowMs = this.#on.nowMs();
    if (!this.#isActive || nowMs - this.#lastMs < UPDATE_EVERY_MS) return;
    this.#lastMs = nowMs;
    const width = (this.#on.err.columns || COLUMNS_DEFAULT) - 1;
    const room = Math.max(1, Math.min(LINES_MAX, (this.#on.err.rows || ROWS_DEFAULT) - 2));
    const shown = lines({ room, width })
      .slice(0, room)
      .map((line) => cutTo(line, width));
    const text = `${this.#back()}${shown.join("\n")}`;
    this.#shown = shown.length;
    void this.#on.err.write(text).catch(() => this.stop());
  }

  /** Takes the lines away; they come back with the next drawing, unless it was stopped. */
  async erase(): Promise<void> {
    if (this.#shown === 0) return;
    const back = this.#back();
    this.#shown = 0;
    await this.#on.err.write(back);
  }

  stop(): void {
    this.#isActive = false;
  }

  resume(): void {
    this.#isActive = this.#on.err.isTerminal;
  }

  /** To the beginning of the first line, with everything from there on cleared. */
  #back(): string {
    if (this.#shown === 0) return "";
    return `\r${this.#shown > 1 ? `\u001b[${this.#shown - 1}A` : ""}\u001b[J`;
  }
}
