/**
 * Audit entries as a snapshot holds them: many in a row, every text once. A row each would make a snapshot take ten times
 * as long, and a node neither answers nor sends heartbeats meanwhile.
 */
import type { AuditEntry } from "./records.ts";

/** Of each entry: index, time, and where in `texts` its six texts are. */
export interface AuditRow {
  readonly cells: readonly number[];
  readonly texts: readonly string[];
}

const ENTRIES_PER_ROW = 1_000;
const TEXTS = ["peer", "name", "role", "kind", "subject", "outcome"] as const;
const CELLS = 2 + TEXTS.length;

/** Equal entries give equal rows. */
export function auditRows(entries: readonly AuditEntry[]): AuditRow[] {
  const rows: AuditRow[] = [];
  for (let at = 0; at < entries.length; at += ENTRIES_PER_ROW) {
    rows.push(auditRow(entries.slice(at, at + ENTRIES_PER_ROW)));
  }
  return rows;
}

function auditRow(entries: readonly AuditEntry[]): AuditRow {
  const cells: number[] = [];
  const places = new Map<string, number>();
  const placeOf = (text: string): number => {
    const known = places.get(text);
    if (known !== undefined) return known;
    places.set(text, places.size);
    return places.size - 1;
  };
  for (const { index, atMs, peer, name, role, kind, subject, outcome } of entries) {
    cells.push(index, atMs, placeOf(peer), placeOf(name), placeOf(role));
    cells.push(placeOf(kind), placeOf(subject), placeOf(outcome));
  }
  return { cells, texts: [...places.keys()] };
}

/** Null when `value` is no row. Written out: there are thousands of entries. */
export function readAuditRow(value: unknown): AuditEntry[] | null {
  if (typeof value !== "object" || value === null || !("cells" in value) || !("texts" in value)) return null;
  const { cells, texts } = value as { cells: unknown; texts: unknown };
  if (!Array.isArray(cells) || !Array.isArray(texts) || cells.length % CELLS !== 0) return null;
  if (!texts.every((text) => typeof text === "string") || !cells.every(isCount)) return null;
  const entries: AuditEntry[] = [];
  for (let at = 0; at < cells.length; at += CELLS) {
    const [peer, name, role, kind, subject, outcome] = TEXTS.map((_, n) => texts[cells[at + 2 + n] as number]);
    if (cells[at] === 0 || peer === undefined || name === undefined || role === undefined) return null;
    if (kind === undefined || subject === undefined || outcome === undefined) return null;
    // The checks above have made these numbers.
    const [index, atMs] = [cells[at] as number, cells[at + 1] as number];
    entries.push({ index, atMs, peer, name, role, kind, subject, outcome });
  }
  return entries;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0; // a safe integer is a number
}
