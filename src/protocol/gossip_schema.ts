/** How messages about members lie in a post, and what is accepted. Types and their meaning: `gossip.ts`. */
import * as v from "valibot";
import {
  ADDRESSES_PER_MEMBER_MAX,
  CONFIRMATIONS_MAX,
  DIGEST_BUCKETS_MAX,
  DIGEST_ENTRIES_MAX,
  type GossipMessage,
  type GossipUpdates,
  type MemberRecord,
  RECORDS_PER_MESSAGE_MAX,
  type SignedRecord,
  VERDICTS_PER_MESSAGE_MAX,
} from "./gossip.ts";
import { address, bytes, integer, list, name, parse, peerId, version } from "./schema.ts";
import { decodeValue, encodeValue } from "./value.ts";
import { PROTOCOL_VERSION_MAX } from "./version.ts";

export const MEMBER_RECORD_BYTES_MAX = 1 << 14;
export const SIGNATURE_BYTES_MAX = 64;

/** In the signed bytes, so that a signature over something else never passes for one over a record. */
const RECORD_PURPOSE = "sage member record";

const MEMBER_RECORD = v.object({
  purpose: v.literal(RECORD_PURPOSE),
  peer: peerId,
  name,
  addresses: list(address, ADDRESSES_PER_MEMBER_MAX),
  version,
  protocolMin: integer(1, PROTOCOL_VERSION_MAX),
  protocolMax: integer(1, PROTOCOL_VERSION_MAX),
  slots: integer(0, 1 << 20),
  memoryBytes: integer(),
  voter: v.picklist(["auto", "yes", "no"]),
  incarnation: integer(),
  state: v.picklist(["alive", "leaving", "left"]),
});

/** The bytes that a member signs to make a `SignedRecord`. */
export function encodeMemberRecord(record: MemberRecord): Uint8Array {
  return encodeValue({ purpose: RECORD_PURPOSE, ...record });
}

/** @throws {ProtocolError} malformed, schema, too-large */
export function decodeMemberRecord(encoded: Uint8Array): MemberRecord {
  const { purpose: _, ...record } = parse(MEMBER_RECORD, decodeValue(encoded), "member record");
  return record;
}

/** On the wire a pair: what was signed, and the signature. An error within the signed bytes passes through. */
export const signedRecord = v.pipe(
  v.tuple([bytes(MEMBER_RECORD_BYTES_MAX), bytes(SIGNATURE_BYTES_MAX)]),
  v.transform(([encoded, signature]): SignedRecord => interned(encoded, signature)),
);

/**
 * Records seen of late, by their bytes: each comes many times, from one member after another, and every table that holds
 * it shares one copy. Nothing here says that a signature is right.
 */
const seen = new Map<string, SignedRecord>();
const SEEN_MAX = 8_192;
const latin1 = new TextDecoder("latin1");

function interned(encoded: Uint8Array, signature: Uint8Array): SignedRecord {
  const key = latin1.decode(encoded);
  const known = seen.get(key);
  if (known !== undefined) {
    return areEqual(known.signature, signature) ? known : { record: known.record, bytes: known.bytes, signature };
  }
  const made: SignedRecord = { record: decodeMemberRecord(encoded), bytes: encoded, signature };
  if (seen.size >= SEEN_MAX) for (const oldest of seen.keys()) if (seen.delete(oldest)) break;
  seen.set(key, made);
  return made;
}

function areEqual(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, at) => byte === other[at]);
}

export type WireSignedRecord = readonly [bytes: Uint8Array, signature: Uint8Array];

export function signedRecordToWire(signed: SignedRecord): WireSignedRecord {
  return [signed.bytes, signed.signature];
}

const verdict = v.object({
  peer: peerId,
  incarnation: integer(),
  state: v.picklist(["suspect", "dead"]),
  by: peerId,
  confirmedBy: list(peerId, CONFIRMATIONS_MAX),
});

const updates = v.object({
  records: list(signedRecord, RECORDS_PER_MESSAGE_MAX),
  verdicts: list(verdict, VERDICTS_PER_MESSAGE_MAX),
});

const digestEntry = v.object({
  peer: peerId,
  incarnation: integer(),
  state: v.picklist(["alive", "leaving", "left", "suspect", "dead"]),
});

const bucketIndex = integer(0, DIGEST_BUCKETS_MAX - 1);

export const gossipMessage: v.GenericSchema<unknown, GossipMessage> = v.variant("kind", [
  v.object({
    kind: v.literal("heartbeat"),
    sequence: integer(),
    incarnation: integer(),
    load: v.pipe(v.number(), v.finite(), v.minValue(0)),
    updates,
  }),
  v.object({ kind: v.literal("news"), updates }),
  v.object({ kind: v.literal("probe"), probe: integer(), target: peerId, updates }),
  v.object({ kind: v.literal("probe-ack"), probe: integer(), incarnation: integer(), updates }),
  v.object({ kind: v.literal("probe-request"), probe: integer(), target: peerId, incarnation: integer() }),
  v.object({
    kind: v.literal("probe-result"),
    probe: integer(),
    target: peerId,
    isReachable: v.boolean(),
    incarnation: integer(),
  }),
  v.object({ kind: v.literal("digest"), buckets: bytes(4 * DIGEST_BUCKETS_MAX) }),
  v.object({
    kind: v.literal("digest-part"),
    bucketCount: integer(1, DIGEST_BUCKETS_MAX),
    buckets: list(bucketIndex, DIGEST_BUCKETS_MAX),
    entries: list(digestEntry, DIGEST_ENTRIES_MAX),
  }),
  v.object({ kind: v.literal("digest-reply"), updates, wanted: list(peerId, DIGEST_ENTRIES_MAX) }),
]);

function updatesToWire({ records, verdicts }: GossipUpdates): unknown {
  return { records: records.map(signedRecordToWire), verdicts };
}

/** What of a message is encoded. */
export function gossipToWire(message: GossipMessage): unknown {
  return "updates" in message ? { ...message, updates: updatesToWire(message.updates) } : message;
}
