/**
 * The messages that a cluster sends all the time, judged by hand: twenty times faster than their schemas.
 *
 * A function here gives a message only when its schema would give the same; on anything else it gives null and leaves the
 * judgement, and the words for it, to the schema. A test holds both against each other.
 */
import { APPEND_ENTRIES_MAX, ENTRY_BYTES_MAX, type Entry, type Message } from "../raft/mod.ts";
import type { GossipMessage, GossipUpdates } from "./gossip.ts";

type Fields = Readonly<Record<string, unknown>>;

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);
}

function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isData(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array && value.length <= ENTRY_BYTES_MAX;
}

/** As `raftMessage` gives it, or null. */
export function hotRaftMessage(value: unknown): Message | null {
  if (!isFields(value)) return null;
  const { kind, term } = value;
  if (!isWhole(term)) return null;
  switch (kind) {
    case "heartbeat": {
      const { commit, round } = value;
      return isWhole(commit) && isWhole(round) ? { kind, term, commit, round } : null;
    }
    case "heartbeatResponse": {
      const { round } = value;
      return isWhole(round) ? { kind, term, round } : null;
    }
    case "append":
      return append(term, value);
    case "appendResponse": {
      const { index, isRejected, hintIndex, hintTerm } = value;
      if (typeof isRejected !== "boolean" || !isWhole(index) || !isWhole(hintIndex) || !isWhole(hintTerm)) return null;
      return { kind, term, index, isRejected, hintIndex, hintTerm };
    }
    case "propose": {
      const { proposal, data } = value;
      return term === 0 && isWhole(proposal) && isData(data) ? { kind, term, proposal, data } : null;
    }
    case "read": {
      const { read } = value;
      return term === 0 && isWhole(read) ? { kind, term, read } : null;
    }
    default:
      return null;
  }
}

function append(term: number, { prevIndex, prevTerm, commit, entries: given }: Fields): Message | null {
  if (!isWhole(prevIndex) || !isWhole(prevTerm) || !isWhole(commit)) return null;
  if (!Array.isArray(given) || given.length > APPEND_ENTRIES_MAX) return null;
  const entries: Entry[] = [];
  for (const one of given as unknown[]) {
    const entry = dataEntry(one);
    if (entry === null) return null;
    entries.push(entry);
  }
  return { kind: "append", term, prevIndex, prevTerm, entries, commit };
}

/** A membership, or a term's first entry, is rare. */
function dataEntry(value: unknown): Entry | null {
  if (!Array.isArray(value)) return null;
  const [index, term, data] = value as unknown[];
  return isWhole(index) && isWhole(term) && isData(data) ? { kind: "data", index, term, data } : null;
}

const NOTHING_NEW: GossipUpdates = { records: [], verdicts: [] };

/** As `gossipMessage` gives it, or null. */
export function hotGossipMessage(value: unknown): GossipMessage | null {
  if (!isFields(value) || value["kind"] !== "heartbeat") return null;
  const { sequence, incarnation, load, updates } = value;
  if (!isWhole(sequence) || !isWhole(incarnation)) return null;
  if (typeof load !== "number" || !Number.isFinite(load) || load < 0) return null;
  if (!isFields(updates) || !isNone(updates["records"]) || !isNone(updates["verdicts"])) return null;
  return { kind: "heartbeat", sequence, incarnation, load, updates: NOTHING_NEW };
}

function isNone(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}
