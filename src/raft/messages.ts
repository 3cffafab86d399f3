/**
 * What the consensus machine keeps and what its instances tell one another. All of it is plain data.
 *
 * A message may be lost, doubled, overtaken, and arrive much later: every handler allows for that. `term` is the sender's
 * term (for a pre-vote: the term it would have), 0 where terms do not matter.
 */
import type { PeerId } from "../kernel/mod.ts";

/** Who takes part: voters decide, learners only follow. Sorted, disjoint, without doubles. */
export type Membership = {
  readonly voters: readonly PeerId[];
  readonly learners: readonly PeerId[];
};

type EntryPlace = { readonly index: number; readonly term: number };

/** A leader's first entry of its term: commits what earlier leaders left. */
export type NoopEntry = EntryPlace & { readonly kind: "noop" };
/** A command of the state machine. Whoever holds it must not change the bytes. */
export type DataEntry = EntryPlace & { readonly kind: "data"; readonly data: Uint8Array };
/** The membership from this entry on, in whole. */
export type MembershipEntry = EntryPlace & { readonly kind: "membership"; readonly membership: Membership };

/** One place of the log; the first index is 1. */
export type Entry = NoopEntry | DataEntry | MembershipEntry;

/** What a node must never forget. */
export type HardState = {
  readonly term: number;
  /** Whom this node voted for in `term`. */
  readonly vote: PeerId | null;
  /** A lower bound of what is committed; it is saved along with the rest, not on its own. */
  readonly commit: number;
};

/** The state after applying entries up to `index`. */
export type SnapshotMeta = {
  readonly index: number;
  readonly term: number;
  readonly membership: Membership;
  /** Length of its data. */
  readonly bytes: number;
};

export type Snapshot = { readonly meta: SnapshotMeta; readonly data: Uint8Array };

/** Why a proposal was not taken. "lost": no answer came from the leader, so it may or may not be in the log. */
export type DropReason = "no-leader" | "full" | "too-large" | "transferring" | "lost";

export type ProposalOutcome =
  | { readonly kind: "accepted"; readonly term: number; readonly index: number }
  | { readonly kind: "dropped"; readonly reason: DropReason };

export type VoteRequest = {
  readonly kind: "voteRequest";
  readonly term: number;
  /** Asks whether a real request would be granted; changes nothing at the receiver. */
  readonly isPreVote: boolean;
  /** The leader asked for it: voters do not protect the leader's lease. */
  readonly isTransfer: boolean;
  readonly lastIndex: number;
  readonly lastTerm: number;
};

export type VoteResponse = {
  readonly kind: "voteResponse";
  readonly term: number;
  readonly isPreVote: boolean;
  readonly isGranted: boolean;
};

export type AppendRequest = {
  readonly kind: "append";
  readonly term: number;
  /** Place before `entries`, which the receiver must have. */
  readonly prevIndex: number;
  readonly prevTerm: number;
  readonly entries: readonly Entry[];
  readonly commit: number;
};

export type AppendResponse = {
  readonly kind: "appendResponse";
  readonly term: number;
  /** Accepted: the receiver's log equals the leader's up to here. Rejected: the `prevIndex` that was refused. */
  readonly index: number;
  readonly isRejected: boolean;
  /** Rejected: the receiver's last place at or before `prevIndex` whose term is at most `prevTerm`. Else 0. */
  readonly hintIndex: number;
  readonly hintTerm: number;
};

export type Heartbeat = {
  readonly kind: "heartbeat";
  readonly term: number;
  readonly commit: number;
  /** Counts the leader's rounds within its term; answered as it is. Carries leases and read confirmations. */
  readonly round: number;
};

export type HeartbeatResponse = { readonly kind: "heartbeatResponse"; readonly term: number; readonly round: number };

export type SnapshotChunk = {
  readonly kind: "snapshotChunk";
  readonly term: number;
  readonly snapshot: SnapshotMeta;
  readonly offset: number;
  readonly data: Uint8Array;
};

export type SnapshotResponse = {
  readonly kind: "snapshotResponse";
  readonly term: number;
  /** Of the snapshot meant. */
  readonly index: number;
  /** The receiver has all bytes before this one. */
  readonly offset: number;
  /** The chunk did not fit: send from `offset` on. */
  readonly isRejected: boolean;
};

/** A follower passes a proposal on. */
export type ProposeRequest = {
  readonly kind: "propose";
  readonly term: 0;
  /** Names it between these two nodes. */
  readonly proposal: number;
  readonly data: Uint8Array;
};

export type ProposeResponse = {
  readonly kind: "proposeResponse";
  readonly term: 0;
  readonly proposal: number;
  readonly outcome: ProposalOutcome;
};

/** A follower asks from which applied index on it may read. */
export type ReadRequest = { readonly kind: "read"; readonly term: 0; readonly read: number };

export type ReadResponse = {
  readonly kind: "readResponse";
  readonly term: 0;
  readonly read: number;
  /** Null: the asked node cannot tell. */
  readonly index: number | null;
};

/** The leader hands over: become candidate at once. */
export type TimeoutNow = { readonly kind: "timeoutNow"; readonly term: number };

export type Message =
  | VoteRequest
  | VoteResponse
  | AppendRequest
  | AppendResponse
  | Heartbeat
  | HeartbeatResponse
  | SnapshotChunk
  | SnapshotResponse
  | ProposeRequest
  | ProposeResponse
  | ReadRequest
  | ReadResponse
  | TimeoutNow;

export type MessageKind = Message["kind"];

export type Envelope = { readonly to: PeerId; readonly message: Message };
