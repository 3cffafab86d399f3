import { AUDIT_ENTRIES_MAX } from "./limits.ts";
import type { AuditEntry } from "./records.ts";

export interface AuditQuery {
  /** Newest entries first; default 100. */
  readonly limit?: number;
  /** Only entries of lower log indexes: for paging. */
  readonly beforeIndex?: number;
}

/** Who did what, when, and what came of it: the newest entries. */
export class Audit {
  readonly #entries: AuditEntry[] = [];
  /** Where the next entry goes once the ring is full: at the oldest. */
  #oldest = 0;

  add(entry: AuditEntry): void {
    if (this.#entries.length < AUDIT_ENTRIES_MAX) {
      this.#entries.push(entry);
      return;
    }
    this.#entries[this.#oldest] = entry;
    this.#oldest = (this.#oldest + 1) % AUDIT_ENTRIES_MAX;
  }

  /** Oldest first. */
  rows(): AuditEntry[] {
    return [...this.#entries.slice(this.#oldest), ...this.#entries.slice(0, this.#oldest)];
  }

  /** Newest first. */
  list(query: AuditQuery = {}): AuditEntry[] {
    const before = query.beforeIndex ?? Number.POSITIVE_INFINITY;
    const found: AuditEntry[] = [];
    const count = this.#entries.length;
    for (let i = 1; i <= count && found.length < (query.limit ?? 100); i++) {
      const entry = this.#entries[(this.#oldest + count - i) % count];
      if (entry !== undefined && entry.index < before) found.push(entry);
    }
    return found;
  }
}
