import type { Action, Prepared } from "./facts.ts";
import type { TaskRecord } from "./task_record.ts";

/** Whoever sees a prepared file is asked again after this time. */
const SEEK_MS = 1_000;
/** Times that a file could not be put in its place. */
const REFUSALS_MAX = 5;

interface Sought {
  readonly sinceMs: number;
  readonly reason: string;
  askedMs: number;
}

/**
 * Puts what sinks have prepared in its place, once the log says that it shall be. From then on the job only goes forward:
 * a file whose executor is gone is asked of all nodes that may see it, and waited for.
 */
export class Commits {
  readonly #waitMs: number;
  readonly #ordered = new Set<TaskRecord>();
  readonly #sought = new Map<TaskRecord, Sought>();
  readonly #refusals = new Map<TaskRecord, number>();

  constructor(waitMs: number) {
    this.#waitMs = waitMs;
  }

  /** Who prepared it cannot commit it: it is gone. */
  seek(record: TaskRecord, reason: string, nowMs: number): void {
    const known = this.#sought.get(record);
    this.#sought.set(record, { sinceMs: known?.sinceMs ?? nowMs, reason, askedMs: Number.NEGATIVE_INFINITY });
  }

  /** Its file was there and could not be put in its place; it is tried again. */
  refused(record: TaskRecord, reason: string, nowMs: number): void {
    this.#refusals.set(record, (this.#refusals.get(record) ?? 0) + 1);
    const known = this.#sought.get(record);
    this.#sought.set(record, { sinceMs: known?.sinceMs ?? nowMs, reason, askedMs: nowMs });
  }

  /** Why the files will not all stand; null while they may. */
  problemOf(open: readonly TaskRecord[], nowMs: number): { readonly reason: string; readonly isFinal: boolean } | null {
    for (const record of open) {
      const sought = this.#sought.get(record);
      if (sought === undefined) continue;
      const isFinal = (this.#refusals.get(record) ?? 0) >= REFUSALS_MAX;
      if (isFinal || nowMs - sought.sinceMs >= this.#waitMs) return { reason: sought.reason, isFinal };
    }
    return null;
  }

  orders(open: readonly TaskRecord[], of: { readonly jobAttempt: number; readonly nowMs: number }): Action[] {
    return open.flatMap((record): Action[] => {
      const { jobAttempt, nowMs } = of;
      const { task, attempt, peer } = record;
      const sought = this.#sought.get(record);
      const isDue = sought === undefined ? !this.#ordered.has(record) : nowMs - sought.askedMs >= SEEK_MS;
      if (peer === null || !isDue) return [];
      this.#ordered.add(record);
      if (sought !== undefined) sought.askedMs = nowMs;
      return [{ kind: "commitSink", jobAttempt, task, attempt, peer, isSought: sought !== undefined }];
    });
  }

  /** When time alone changes something; null when it does not. */
  nextDueMs(open: readonly TaskRecord[]): number | null {
    let nextMs = Number.POSITIVE_INFINITY;
    for (const record of open) {
      const sought = this.#sought.get(record);
      if (sought === undefined) continue;
      nextMs = Math.min(nextMs, sought.askedMs + SEEK_MS, sought.sinceMs + this.#waitMs);
    }
    return nextMs === Number.POSITIVE_INFINITY ? null : nextMs;
  }

  /** A file that waits for its node; null: none does. */
  awaited(open: readonly TaskRecord[]): (Prepared & { readonly reason: string }) | null {
    for (const record of open) {
      const sought = this.#sought.get(record);
      const { task, attempt, peer } = record;
      if (sought !== undefined && peer !== null) return { task, attempt, peer, reason: sought.reason };
    }
    return null;
  }
}

export function preparedOf(records: readonly TaskRecord[]): Prepared[] {
  return records.flatMap(({ task, attempt, peer }) => (peer === null ? [] : [{ task, attempt, peer }]));
}
