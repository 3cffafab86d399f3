/**
 * The log of one node: what its store holds, and after that a tail in memory.
 *
 * `firstIndex … tailFrom-1` is only in the store; `tailFrom … lastIndex` is in memory, and of that all up to `stable` is in
 * the store too. The tail keeps recent entries after they are stable, so that the usual path (append, replicate,
 * commit, apply) reads no disk. Order: applied ≤ commit ≤ lastIndex, stable ≤ lastIndex.
 */
import { invariant } from "../kernel/mod.ts";
import { TAIL_BYTES_MAX } from "./limits.ts";
import type { Entry, Snapshot, SnapshotMeta } from "./messages.ts";
import type { LogEnd } from "./rules.ts";
import { entryBytes, type RaftStore, type StoredState } from "./store.ts";

export class RaftLog {
  readonly #store: RaftStore;
  #tail: Entry[] = [];
  #tailFrom: number;
  #tailBytes = 0;
  #firstIndex: number;
  #stable: number;
  #commit: number;
  #applied: number;
  #snapshot: SnapshotMeta | null;
  /** Received and not saved yet. */
  #installing: Snapshot | null = null;

  constructor(store: RaftStore, stored: StoredState) {
    this.#store = store;
    this.#snapshot = stored.snapshot;
    this.#firstIndex = stored.firstIndex;
    this.#stable = stored.lastIndex;
    this.#tailFrom = stored.lastIndex + 1;
    const base = stored.snapshot?.index ?? 0;
    invariant(stored.firstIndex <= base + 1, "a hole between snapshot and log");
    invariant(stored.lastIndex >= base, "the log ends before its snapshot");
    this.#applied = base;
    this.#commit = Math.max(base, stored.hardState?.commit ?? 0);
    invariant(this.#commit <= stored.lastIndex, "what is committed is not in the log");
  }

  get firstIndex(): number {
    return this.#firstIndex;
  }

  get lastIndex(): number {
    return this.#tailFrom + this.#tail.length - 1;
  }

  get stable(): number {
    return this.#stable;
  }

  get commit(): number {
    return this.#commit;
  }

  get applied(): number {
    return this.#applied;
  }

  get snapshot(): SnapshotMeta | null {
    return this.#snapshot;
  }

  get installing(): Snapshot | null {
    return this.#installing;
  }

  /** Null where neither log nor snapshot tells. Index 0 is before everything and has term 0. */
  term(index: number): number | null {
    if (index === 0) return 0;
    if (index >= this.#tailFrom) return this.#tail[index - this.#tailFrom]?.term ?? null;
    if (index === this.#snapshot?.index) return this.#snapshot.term;
    return index < this.#firstIndex ? null : this.#store.term(index);
  }

  get end(): LogEnd {
    const term = this.term(this.lastIndex);
    invariant(term !== null, "the log's end has no term");
    return { index: this.lastIndex, term };
  }

  matches(index: number, term: number): boolean {
    return this.term(index) === term;
  }

  /** Entries with `from <= index < to`, as many as fit, at least one if there is any. */
  entries(from: number, to: number, bytesMax: number): readonly Entry[] {
    if (from >= to) return [];
    invariant(from >= this.#firstIndex && to <= this.lastIndex + 1, "entries outside the log");
    if (from < this.#tailFrom) return this.#store.entries(from, Math.min(to, this.#tailFrom), bytesMax);
    const start = from - this.#tailFrom;
    let end = start;
    let bytes = 0;
    while (end < to - this.#tailFrom) {
      const entry = this.#tail[end];
      invariant(entry !== undefined, "a hole in the tail");
      bytes += entryBytes(entry);
      if (end > start && bytes > bytesMax) break;
      end++;
    }
    return this.#tail.slice(start, end);
  }

  /** Places `entries` (one run), which replace what stood from their first index on. */
  append(entries: readonly Entry[]): void {
    const first = entries[0];
    if (first === undefined) return;
    invariant(first.index > this.#commit, "a committed entry would be replaced");
    invariant(first.index <= this.lastIndex + 1, "a hole before the new entries");
    this.#cutFrom(first.index);
    let previous = this.end;
    for (const entry of entries) {
      invariant(entry.index === previous.index + 1 && entry.term >= previous.term, "entries out of order");
      this.#tail.push(entry);
      this.#tailBytes += entryBytes(entry);
      previous = entry;
    }
  }

  #cutFrom(index: number): void {
    if (index > this.lastIndex) return;
    this.#stable = Math.min(this.#stable, index - 1);
    if (index <= this.#tailFrom) {
      this.#tail = [];
      this.#tailFrom = index;
      this.#tailBytes = 0;
      return;
    }
    for (const entry of this.#tail.splice(index - this.#tailFrom)) this.#tailBytes -= entryBytes(entry);
  }

  commitTo(index: number): void {
    invariant(index >= this.#commit, "the commit index would go back");
    invariant(index <= this.lastIndex, "commit past the log's end");
    this.#commit = index;
  }

  /** Entries that the store does not have. */
  unstable(): readonly Entry[] {
    return this.#stable === this.lastIndex ? [] : this.#tail.slice(this.#stable + 1 - this.#tailFrom);
  }

  /** The store has the log up to `index`, if the entry there is still the one of `term`. */
  stableTo(index: number, term: number): void {
    if (index > this.#stable && this.matches(index, term)) this.#stable = index;
  }

  appliedTo(index: number): void {
    invariant(index >= this.#applied && index <= this.#commit, "applied out of order");
    this.#applied = index;
    this.#trim();
  }

  /** Forgets the oldest entries of the tail once it is too long; half of it at once, so that it costs little. */
  #trim(): void {
    if (this.#tailBytes <= TAIL_BYTES_MAX) return;
    const end = Math.min(this.#stable, this.#applied) + 1 - this.#tailFrom;
    let count = 0;
    while (count < end && this.#tailBytes > TAIL_BYTES_MAX / 2) {
      const entry = this.#tail[count++];
      if (entry !== undefined) this.#tailBytes -= entryBytes(entry);
    }
    this.#tail.splice(0, count);
    this.#tailFrom += count;
  }

  /** The received `snapshot` takes the place of everything. */
  install(snapshot: Snapshot): void {
    const { index } = snapshot.meta;
    invariant(index > this.#commit, "a snapshot of what is committed already");
    this.#snapshot = snapshot.meta;
    this.#installing = snapshot;
    this.#tail = [];
    this.#tailBytes = 0;
    this.#tailFrom = index + 1;
    this.#firstIndex = index + 1;
    this.#stable = index;
    this.#commit = index;
    this.#applied = index;
  }

  installed(snapshot: Snapshot): void {
    if (this.#installing === snapshot) this.#installing = null;
  }

  compact(upTo: number, snapshot: Snapshot): void {
    const { index } = snapshot.meta;
    invariant(this.#installing === null, "compaction while a snapshot is installed");
    invariant(upTo <= index && index <= this.#applied && index <= this.#stable, "compaction past what is applied");
    invariant(index >= (this.#snapshot?.index ?? 0), "an older snapshot");
    this.#store.compact(upTo, snapshot);
    this.#snapshot = snapshot.meta;
    this.#firstIndex = Math.max(this.#firstIndex, upTo + 1);
    if (this.#tailFrom >= this.#firstIndex) return;
    for (const entry of this.#tail.splice(0, this.#firstIndex - this.#tailFrom)) this.#tailBytes -= entryBytes(entry);
    this.#tailFrom = this.#firstIndex;
  }

  snapshotBytes(offset: number, bytesMax: number): Uint8Array {
    if (this.#installing !== null) return this.#installing.data.subarray(offset, offset + bytesMax);
    return this.#store.snapshotBytes(offset, bytesMax);
  }
}
