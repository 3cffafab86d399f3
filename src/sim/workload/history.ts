import type { HistoryEntry, Operation } from "../check/linearizability.ts";

/** An operation that was called; `name` is that of its command, if it is one. */
export interface Call {
  readonly client: string;
  readonly key: string;
  readonly calledAtMs: number;
  readonly name: string | null;
}

interface Open extends Call {
  readonly operation: Operation;
}

/** What clients asked of settings and what they were answered, in virtual time. */
export class History {
  readonly #done: HistoryEntry[] = [];
  readonly #open: Open[] = [];

  get size(): number {
    return this.#done.length + this.#open.length;
  }

  returned(call: Call, operation: Operation, atMs: number): void {
    const { client, key, calledAtMs } = call;
    this.#done.push({ client, key, operation, calledAtMs, returnedAtMs: atMs });
  }

  /** No answer: it may have happened, or may yet. */
  unanswered(call: Call, operation: Operation): void {
    if (operation.kind !== "read") this.#open.push({ ...call, operation });
  }

  /**
   * The whole history for the checker. What became of calls without an answer is known here, from the log: `appliedAtMs`
   * tells when a command was first applied, or null when it never was and never will be.
   */
  entries(appliedAtMs: (name: string) => number | null): HistoryEntry[] {
    const open = this.#open.flatMap(({ client, key, calledAtMs, operation, name }): HistoryEntry[] => {
      const atMs = name === null ? Number.POSITIVE_INFINITY : appliedAtMs(name);
      return atMs === null ? [] : [{ client, key, operation, calledAtMs, returnedAtMs: Math.max(atMs, calledAtMs) }];
    });
    return [...this.#done, ...open];
  }
}
