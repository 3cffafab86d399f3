import type { Entry, MembershipEntry } from "../../raft/mod.ts";

/** What of the log is asked for all the time: its bounds, terms as runs, and its memberships. In step with the database. */
export class LogIndex {
  firstIndex = 1;
  lastIndex = 0;
  memberships: readonly MembershipEntry[] = [];
  /** Terms change rarely: each run lasts to the next one's start. */
  #runs: { from: number; term: number }[] = [];

  append(entry: Entry): void {
    this.lastIndex = entry.index;
    if (this.#runs.at(-1)?.term !== entry.term) this.#runs.push({ from: entry.index, term: entry.term });
    if (entry.kind === "membership") this.memberships = [...this.memberships, entry];
  }

  /** Drops `index` and what follows. */
  truncateFrom(index: number): void {
    this.lastIndex = index - 1;
    while ((this.#runs.at(-1)?.from ?? 0) >= index) this.#runs.pop();
    this.memberships = this.memberships.filter((entry) => entry.index < index);
  }

  /** Drops what precedes `index`. */
  dropBefore(index: number): void {
    this.firstIndex = index;
    while (this.#runs.length > 1 && (this.#runs[1]?.from ?? 0) <= index) this.#runs.shift();
    if (this.lastIndex < index) this.#runs = [];
    this.memberships = this.memberships.filter((entry) => entry.index >= index);
  }

  /** Empty, to go on at `index`. */
  restartAt(index: number): void {
    this.firstIndex = index;
    this.lastIndex = index - 1;
    this.memberships = [];
    this.#runs = [];
  }

  /** Null outside the log. */
  term(index: number): number | null {
    if (index < this.firstIndex || index > this.lastIndex) return null;
    let [low, high] = [0, this.#runs.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#runs[middle]?.from ?? 0) <= index) low = middle;
      else high = middle - 1;
    }
    return this.#runs[low]?.term ?? null;
  }
}
