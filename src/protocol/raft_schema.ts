/** How messages of the consensus machine lie in a post, and what is accepted. Types and meaning: `raft/messages.ts`. */
import * as v from "valibot";
import type { PeerId } from "../kernel/mod.ts";
import {
  APPEND_ENTRIES_MAX,
  ENTRY_BYTES_MAX,
  type Entry,
  MEMBERS_MAX,
  type Message,
  SNAPSHOT_BYTES_MAX,
  SNAPSHOT_CHUNK_BYTES_MAX,
} from "../raft/mod.ts";
import { bytes, integer, list, peerId } from "./schema.ts";

const term = integer();
const index = integer();

/** One copy of each PeerId: a membership may have a thousand, and a log many memberships. */
const peers = new Map<PeerId, PeerId>();
const PEERS_MAX = 2 * MEMBERS_MAX;

function interned(peer: PeerId): PeerId {
  const known = peers.get(peer);
  if (known !== undefined) return known;
  if (peers.size >= PEERS_MAX) peers.clear();
  peers.set(peer, peer);
  return peer;
}

const member = v.pipe(peerId, v.transform(interned));
const membership = v.object({ voters: list(member, MEMBERS_MAX), learners: list(member, MEMBERS_MAX) });

/** An entry on the wire is [index, term, content]; content is null, bytes, or a membership, and tells the kind. */
type WireEntry = readonly [index: number, term: number, content: unknown];

function entryToWire(entry: Entry): WireEntry {
  switch (entry.kind) {
    case "data":
      return [entry.index, entry.term, entry.data];
    case "membership":
      return [entry.index, entry.term, entry.membership];
    case "noop":
      return [entry.index, entry.term, null];
  }
}

/** Written by hand: an append brings thousands of entries. */
export const entry = v.pipe(
  v.array(v.unknown()),
  v.rawTransform<unknown[], Entry>(({ dataset, addIssue, NEVER }): Entry => {
    const [place, ofTerm, content] = dataset.value;
    if (!isPlace(place) || !isPlace(ofTerm)) {
      addIssue({ message: "an entry begins with index and term" });
      return NEVER;
    }
    if (content instanceof Uint8Array) {
      if (content.length <= ENTRY_BYTES_MAX) return { kind: "data", index: place, term: ofTerm, data: content };
      addIssue({ message: `an entry has more than ${ENTRY_BYTES_MAX} bytes` });
      return NEVER;
    }
    if (content === null) return { kind: "noop", index: place, term: ofTerm };
    const parsed = v.safeParse(membership, content);
    if (parsed.success) return { kind: "membership", index: place, term: ofTerm, membership: parsed.output };
    addIssue({ message: "an entry holds neither nothing, bytes nor a membership" });
    return NEVER;
  }),
);

function isPlace(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

const snapshotMeta = v.object({ index, term, membership, bytes: integer(0, SNAPSHOT_BYTES_MAX) });

const outcome = v.variant("kind", [
  v.object({ kind: v.literal("accepted"), term, index }),
  v.object({
    kind: v.literal("dropped"),
    reason: v.picklist(["no-leader", "full", "too-large", "transferring", "lost"]),
  }),
]);

export const raftMessage: v.GenericSchema<unknown, Message> = v.variant("kind", [
  v.object({
    kind: v.literal("append"),
    term,
    prevIndex: index,
    prevTerm: term,
    entries: list(entry, APPEND_ENTRIES_MAX),
    commit: index,
  }),
  v.object({
    kind: v.literal("appendResponse"),
    term,
    index,
    isRejected: v.boolean(),
    hintIndex: index,
    hintTerm: term,
  }),
  v.object({ kind: v.literal("heartbeat"), term, commit: index, round: integer() }),
  v.object({ kind: v.literal("heartbeatResponse"), term, round: integer() }),
  v.object({
    kind: v.literal("voteRequest"),
    term,
    isPreVote: v.boolean(),
    isTransfer: v.boolean(),
    lastIndex: index,
    lastTerm: term,
  }),
  v.object({ kind: v.literal("voteResponse"), term, isPreVote: v.boolean(), isGranted: v.boolean() }),
  v.object({
    kind: v.literal("snapshotChunk"),
    term,
    snapshot: snapshotMeta,
    offset: integer(),
    data: bytes(SNAPSHOT_CHUNK_BYTES_MAX),
  }),
  v.object({ kind: v.literal("snapshotResponse"), term, index, offset: integer(), isRejected: v.boolean() }),
  v.object({ kind: v.literal("propose"), term: v.literal(0), proposal: integer(), data: bytes(ENTRY_BYTES_MAX) }),
  v.object({ kind: v.literal("proposeResponse"), term: v.literal(0), proposal: integer(), outcome }),
  v.object({ kind: v.literal("read"), term: v.literal(0), read: integer() }),
  v.object({ kind: v.literal("readResponse"), term: v.literal(0), read: integer(), index: v.nullable(index) }),
  v.object({ kind: v.literal("timeoutNow"), term }),
]);

/** What of a message is encoded. */
export function raftToWire(message: Message): unknown {
  return message.kind === "append" ? { ...message, entries: message.entries.map(entryToWire) } : message;
}
