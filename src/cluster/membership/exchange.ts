/**
 * Push-pull: two nodes find what they disagree about and make it equal. A sends hashes of buckets; B answers, where some
 * differ, with what it knows in them; A sends what is newer and asks for what is newer there; B sends that.
 * Each step is one message, and a lost one costs only time: the next round begins anew.
 */
import type { PeerId } from "../../kernel/mod.ts";
import {
  DIGEST_BUCKETS_MAX,
  DIGEST_ENTRIES_MAX,
  type Digest,
  type DigestEntry,
  type DigestPart,
  type DigestReply,
  type GossipUpdates,
  RECORDS_PER_MESSAGE_MAX,
} from "../../protocol/mod.ts";
import { recordBytes, verdictBytes } from "./news.ts";
import { compareKnowledge, digestEntry, type Member, type Table } from "./table.ts";
import { NEWS_BYTES_MAX } from "./timings.ts";

const ENTRIES_MAX = 128;
const WANTED_MAX = 100;
const WANTED_BYTES = 60;

export function digestOf(table: Table): Digest {
  const hashes = table.hashes(table.bucketCount());
  const buckets = new Uint8Array(hashes.length * 4);
  const view = new DataView(buckets.buffer);
  hashes.forEach((hash, at) => {
    view.setUint32(at * 4, hash, true);
  });
  return { kind: "digest", buckets };
}

/**
 * Null when both know the same, and for a digest of an impossible size. `chance` 0 ≤ x < 1 says where to begin. To one who
 * knows far fewer, whose buckets would each hold hundreds, the answer is a digest of our own: roles change.
 */
export function answerDigest(table: Table, digest: Digest, chance: number): DigestPart | Digest | null {
  const bucketCount = digest.buckets.length / 4;
  if (!isBucketCount(bucketCount)) return null;
  const theirs = new DataView(digest.buckets.buffer, digest.buckets.byteOffset, digest.buckets.length);
  const ours = table.hashes(bucketCount);
  if (bucketCount * 2 < table.bucketCount()) {
    return ours.every((hash, at) => hash === theirs.getUint32(at * 4, true)) ? null : digestOf(table);
  }
  const start = Math.floor(chance * bucketCount);
  const buckets: number[] = [];
  const entries: DigestEntry[] = [];
  for (let step = 0; step < bucketCount; step++) {
    const at = (start + step) & (bucketCount - 1);
    if (theirs.getUint32(at * 4, true) === ours[at]) continue;
    const members = table.bucket(at, bucketCount);
    if (entries.length + members.length > ENTRIES_MAX && buckets.length > 0) break;
    if (members.length > DIGEST_ENTRIES_MAX) continue;
    buckets.push(at);
    for (const member of members) entries.push(digestEntry(member));
  }
  return buckets.length === 0 ? null : { kind: "digest-part", bucketCount, buckets, entries };
}

export interface AnswerOptions {
  /** 0 ≤ x < 1. */
  readonly chance: number;
  readonly allow: (peer: PeerId) => boolean;
}

/** Null when there is nothing to send or to ask for. */
export function answerPart(table: Table, part: DigestPart, options: AnswerOptions): DigestReply | null {
  const { chance } = options;
  if (!isBucketCount(part.bucketCount)) return null;
  const theirs = new Map(part.entries.map((entry) => [entry.peer, entry]));
  const newer: Member[] = [];
  for (const bucket of new Set(part.buckets)) {
    if (!Number.isInteger(bucket) || bucket < 0 || bucket >= part.bucketCount) continue;
    for (const member of table.bucket(bucket, part.bucketCount)) {
      const entry = theirs.get(member.peer);
      if (entry === undefined || compareKnowledge(member, entry) > 0) newer.push(member);
    }
  }
  const wanted: PeerId[] = [];
  for (const entry of part.entries) {
    const member = table.get(entry.peer);
    if (member !== undefined && compareKnowledge(member, entry) >= 0) continue;
    if (options.allow(entry.peer)) wanted.push(entry.peer);
  }
  if (newer.length === 0 && wanted.length === 0) return null;
  const chosen = rotate(wanted, chance).slice(0, WANTED_MAX);
  const updates = updatesAbout(newer, chance, NEWS_BYTES_MAX - chosen.length * WANTED_BYTES);
  return { kind: "digest-reply", updates, wanted: chosen };
}

/** Null when none of the wanted is known. */
export function answerWanted(table: Table, wanted: readonly PeerId[]): DigestReply | null {
  const members = wanted.flatMap((peer) => table.get(peer) ?? []).filter(({ isAllowed }) => isAllowed);
  if (members.length === 0) return null;
  return { kind: "digest-reply", updates: updatesAbout(members, 0), wanted: [] };
}

/** As much as fits into one message, from a place on that `chance` says. */
export function updatesAbout(
  members: readonly Member[],
  chance: number,
  bytesMax: number = NEWS_BYTES_MAX,
): GossipUpdates {
  const records = [];
  const verdicts = [];
  let left = bytesMax;
  for (const { signed, verdict } of rotate(members, chance)) {
    left -= recordBytes(signed) + (verdict === null ? 0 : verdictBytes(verdict));
    if ((left < 0 && records.length > 0) || records.length === RECORDS_PER_MESSAGE_MAX) break;
    records.push(signed);
    if (verdict !== null) verdicts.push(verdict);
  }
  return { records, verdicts };
}

function rotate<T>(items: readonly T[], chance: number): readonly T[] {
  const start = Math.floor(chance * items.length);
  return start === 0 ? items : [...items.slice(start), ...items.slice(0, start)];
}

function isBucketCount(count: number): boolean {
  return Number.isInteger(count) && count >= 1 && count <= DIGEST_BUCKETS_MAX && (count & (count - 1)) === 0;
}
