/**
 * What no member that keeps to the rules sends. Such a message is not taken: a lost message harms nobody, while to follow
 * it would break what this machine relies on, and to stop for it would let one faulty member stop all the others.
 *
 * What tells that this node has lost entries which it once confirmed is taken: then it has to stop, and does.
 */
import type { PeerId } from "../kernel/mod.ts";
import type { Core } from "./core.ts";
import { SNAPSHOT_BYTES_MAX } from "./limits.ts";
import type { AppendRequest, Message, SnapshotChunk } from "./messages.ts";

/** Terms that a member may be ahead: more elections than a cluster holds in its life. */
const TERM_JUMP_MAX = 2 ** 32;

/** Why `message` is not to be taken from `from`; null when it may be. */
export function objection(core: Core, from: PeerId, message: Message): string | null {
  if (message.term > core.term + TERM_JUMP_MAX) return `its term ${message.term} is out of all proportion`;
  const isCurrent = message.term === core.term;
  switch (message.kind) {
    case "append":
      return secondLeader(core, from, isCurrent) ?? badEntries(core, message);
    case "heartbeat":
      return secondLeader(core, from, isCurrent);
    case "snapshotChunk":
      return secondLeader(core, from, isCurrent) ?? badSnapshot(message);
    case "timeoutNow":
      return isCurrent && core.leader !== null && core.leader !== from ? "its sender does not lead" : null;
    case "heartbeatResponse":
      if (!isCurrent || core.leading === null) return null;
      return message.round > core.leading.round ? "it answers a round that was not begun" : null;
    default:
      return null;
  }
}

function secondLeader(core: Core, from: PeerId, isCurrent: boolean): string | null {
  const isOther = core.role === "leader" || (core.leader !== null && core.leader !== from);
  return isCurrent && isOther ? "another leader speaks in one term" : null;
}

function badEntries({ log }: Core, { term, prevIndex, prevTerm, entries }: AppendRequest): string | null {
  let index = prevIndex;
  let least = prevTerm;
  for (const entry of entries) {
    if (index === log.commit) least = Math.max(least, log.term(index) ?? 0);
    if (entry.index !== index + 1 || entry.term < least || entry.term > term) return "its entries are out of order";
    if (entry.kind === "membership" && entry.membership.voters.length === 0) return "it leaves no voters";
    index = entry.index;
    least = entry.term;
  }
  return null;
}

function badSnapshot({ term, snapshot, offset, data }: SnapshotChunk): string | null {
  const { bytes, membership } = snapshot;
  if (bytes > SNAPSHOT_BYTES_MAX) return `a snapshot of ${bytes} bytes`;
  if (snapshot.term > term || membership.voters.length === 0) return "a snapshot that cannot be";
  return offset + data.length > bytes ? "a part that is none of its snapshot" : null;
}
