/**
 * What nodes tell each other about each other: heartbeats, probes, and what is known of members. Each message is one
 * post: it may be lost, doubled or overtaken. Plain data; who decides what from it is `cluster/membership`.
 *
 * Verification of signatures is the reader's work: a decoded `SignedRecord` is well-formed, not yet true.
 */
import type { Address, PeerId } from "../kernel/mod.ts";

/** A member as it describes itself. A record with a higher incarnation replaces one with a lower. */
export interface MemberRecord {
  readonly peer: PeerId;
  readonly name: string;
  readonly addresses: readonly Address[];
  /** Software version, such as "0.1.0". */
  readonly version: string;
  /** Protocol versions that it speaks. */
  readonly protocolMin: number;
  readonly protocolMax: number;
  readonly slots: number;
  readonly memoryBytes: number;
  readonly voter: "auto" | "yes" | "no";
  /** Raised by the member itself at each start and to refute a verdict. */
  readonly incarnation: number;
  readonly state: "alive" | "leaving" | "left";
}

/**
 * A record with its proof. `bytes` are exactly what was signed: relaying passes them on as they came, with fields that
 * this version does not know.
 */
export interface SignedRecord {
  readonly record: MemberRecord;
  readonly bytes: Uint8Array;
  /** Ed25519 by `record.peer` over `bytes`. */
  readonly signature: Uint8Array;
}

/** What others hold of a member's health; refuted by a record of a higher incarnation. */
export interface Verdict {
  readonly peer: PeerId;
  /** Of the record it is about. */
  readonly incarnation: number;
  readonly state: "suspect" | "dead";
  readonly by: PeerId;
  /** Who probed `peer` in vain; dead needs others than `by`. */
  readonly confirmedBy: readonly PeerId[];
}

/** News that ride along with other messages. */
export interface GossipUpdates {
  readonly records: readonly SignedRecord[];
  readonly verdicts: readonly Verdict[];
}

/** The state in which a digest's sender sees a member. */
export type DigestState = MemberRecord["state"] | Verdict["state"];

export interface DigestEntry {
  readonly peer: PeerId;
  readonly incarnation: number;
  readonly state: DigestState;
}

/** Each interval, to every watcher. */
export interface Heartbeat {
  readonly kind: "heartbeat";
  /** Counts up by one since start; gaps show loss. */
  readonly sequence: number;
  readonly incarnation: number;
  /** Share of the slots in use, 0 to 1. */
  readonly load: number;
  readonly updates: GossipUpdates;
}

/** News alone, when there is nothing to ride on. */
export interface News {
  readonly kind: "news";
  readonly updates: GossipUpdates;
}

/** "Are you there?" to `target` itself. */
export interface Probe {
  readonly kind: "probe";
  /** Chosen by the sender, comes back in the answer. */
  readonly probe: number;
  readonly target: PeerId;
  readonly updates: GossipUpdates;
}

export interface ProbeAck {
  readonly kind: "probe-ack";
  readonly probe: number;
  readonly incarnation: number;
  readonly updates: GossipUpdates;
}

/** "Probe `target` for me and tell me what came of it." */
export interface ProbeRequest {
  readonly kind: "probe-request";
  readonly probe: number;
  readonly target: PeerId;
  /** Of the target's record that is in doubt. */
  readonly incarnation: number;
}

/** Answer to a `ProbeRequest`, by who was asked. */
export interface ProbeResult {
  readonly kind: "probe-result";
  readonly probe: number;
  readonly target: PeerId;
  readonly isReachable: boolean;
  /** The one that the target answered with, else that of the request. */
  readonly incarnation: number;
}

/**
 * Push-pull, first step: all that the sender knows, in short. Members fall into buckets by a hash of their PeerId; each
 * bucket has the XOR of its members' 32-bit state hashes. A receiver that has the same hashes stays silent.
 */
export interface Digest {
  readonly kind: "digest";
  /** 4 bytes little-endian a bucket; the number of buckets is a power of two up to `DIGEST_BUCKETS_MAX`. */
  readonly buckets: Uint8Array;
}

/** Second step: what the answering side knows of members in some buckets that differ. */
export interface DigestPart {
  readonly kind: "digest-part";
  readonly bucketCount: number;
  /** Indexes of the buckets whose members are listed, all of them. */
  readonly buckets: readonly number[];
  readonly entries: readonly DigestEntry[];
}

/** Third step, and its answer: what the receiver lacks, and what it should send the same way. */
export interface DigestReply {
  readonly kind: "digest-reply";
  readonly updates: GossipUpdates;
  readonly wanted: readonly PeerId[];
}

export type GossipMessage =
  | Heartbeat
  | News
  | Probe
  | ProbeAck
  | ProbeRequest
  | ProbeResult
  | Digest
  | DigestPart
  | DigestReply;

export const NO_UPDATES: GossipUpdates = Object.freeze({ records: Object.freeze([]), verdicts: Object.freeze([]) });

/** Limits per message; the byte limit of a post holds besides. */
export const RECORDS_PER_MESSAGE_MAX = 256;
export const VERDICTS_PER_MESSAGE_MAX = 1_024;
export const DIGEST_BUCKETS_MAX = 256;
export const DIGEST_ENTRIES_MAX = 1_024;
export const ADDRESSES_PER_MEMBER_MAX = 16;
export const CONFIRMATIONS_MAX = 8;
