import { type PeerId, unreachable } from "../../kernel/mod.ts";
import {
  DIGEST_BUCKETS_MAX,
  type DigestEntry,
  type DigestState,
  type SignedRecord,
  type Verdict,
} from "../../protocol/mod.ts";
import { hashState, hashText } from "./hash.ts";
import { Ring } from "./ring.ts";
import type { Health, MemberView } from "./types.ts";

/** What one node holds of one member. Changed by `Table` alone, but for the marks at the end. */
export interface Member {
  readonly peer: PeerId;
  readonly hash: number;
  signed: SignedRecord;
  /** About exactly the incarnation of `signed`. */
  verdict: Verdict | null;
  /** This node hears nothing of it, and has nobody's confirmation. */
  isDoubted: boolean;
  health: Health;
  sinceMs: number;
  isAllowed: boolean;
  /** What it contributes to its bucket; 0 while it is not counted. */
  stateHash: number;
  /** Since when it has been dead or left. */
  goneMs: number | null;
  isGoneCounted: boolean;
  heardMs: number | null;
  load: number | null;
}

export interface TableListener {
  changed(member: Member, before: MemberView | null): void;
  forgotten(member: Member): void;
  phi(member: Member): number;
}

/**
 * All members that this node knows, and what follows from them: the ring of those that are there, and the hashes by
 * which two nodes find what they disagree about. Each change costs the same whatever the size, but for the ring's move.
 *
 * Order of what can be known: a higher incarnation wins; within one, dead over suspect over the record's own state.
 */
export class Table {
  readonly ring = new Ring<Member>();
  readonly #members = new Map<PeerId, Member>();
  /** Members in each bucket that has any; those not counted too. */
  readonly #buckets: (Member[] | undefined)[] = Array.from({ length: DIGEST_BUCKETS_MAX });
  readonly #hashes = new Uint32Array(DIGEST_BUCKETS_MAX);
  /** Dead, but admitted: they may come back, and are asked now and then. */
  readonly dead = new Set<Member>();
  /** Dead or left, but admitted. */
  goneCount = 0;
  readonly #listener: TableListener;
  #nowMs = 0;

  constructor(listener: TableListener) {
    this.#listener = listener;
  }

  get size(): number {
    return this.#members.size;
  }

  setNow(nowMs: number): void {
    this.#nowMs = nowMs;
  }

  get(peer: PeerId): Member | undefined {
    return this.#members.get(peer);
  }

  values(): IterableIterator<Member> {
    return this.#members.values();
  }

  /** Takes a record, with the verdict about it if there is one, unless it is older than what is known. */
  put(signed: SignedRecord, verdict: Verdict | null): Member | null {
    const { peer, incarnation } = signed.record;
    const known = this.#members.get(peer);
    if (known === undefined) {
      const member = newMember(signed, verdict);
      this.#members.set(peer, member);
      const bucket = bucketOf(member);
      const others = this.#buckets[bucket];
      if (others === undefined) this.#buckets[bucket] = [member];
      else others.push(member);
      this.#settle(member, null);
      return member;
    }
    if (incarnation <= known.signed.record.incarnation) return null;
    const before = this.view(known);
    known.signed = signed;
    known.verdict = verdict;
    known.isDoubted = false;
    this.#settle(known, before);
    return known;
  }

  /** False when it is about another incarnation, or says nothing new. */
  judge(verdict: Verdict): boolean {
    const member = this.#members.get(verdict.peer);
    if (member === undefined || member.signed.record.incarnation !== verdict.incarnation) return false;
    if (member.signed.record.state === "left" || member.verdict?.state === "dead") return false;
    if (member.verdict?.state === verdict.state) return false;
    const before = this.view(member);
    member.verdict = verdict;
    this.#settle(member, before);
    return true;
  }

  /** A suspicion that lapsed. */
  acquit(member: Member): void {
    if (member.verdict?.state !== "suspect") return;
    const before = this.view(member);
    member.verdict = null;
    this.#settle(member, before);
  }

  doubt(member: Member, isDoubted: boolean): void {
    if (member.isDoubted === isDoubted) return;
    const before = this.view(member);
    member.isDoubted = isDoubted;
    this.#settle(member, before);
  }

  /** Takes note of whether `member` is admitted; one that is not counts for nothing. */
  allow(member: Member, isAllowed: boolean): void {
    if (member.isAllowed === isAllowed) return;
    member.isAllowed = isAllowed;
    this.#place(member);
  }

  forget(member: Member): void {
    member.isAllowed = false;
    this.#place(member);
    this.#members.delete(member.peer);
    const bucket = bucketOf(member);
    this.#buckets[bucket] = this.#buckets[bucket]?.filter((other) => other !== member);
    this.#listener.forgotten(member);
  }

  view(member: Member): MemberView {
    return {
      peer: member.peer,
      record: member.signed.record,
      health: member.health,
      healthSinceMs: member.sinceMs,
      phi: this.#listener.phi(member),
      lastHeardMs: member.heardMs,
      load: member.load,
    };
  }

  #settle(member: Member, before: MemberView | null): void {
    const health = healthOf(member);
    if (before === null || health !== member.health) member.sinceMs = this.#nowMs;
    member.health = health;
    const isGone = member.health === "dead" || member.health === "left";
    if (!isGone) member.goneMs = null;
    else member.goneMs ??= this.#nowMs;
    this.#place(member);
    if (before === null || before.health !== member.health || before.record !== member.signed.record) {
      this.#listener.changed(member, before);
    }
  }

  /** Puts it on the ring, among the dead, and into the hashes, or takes it out, as its state says. */
  #place(member: Member): void {
    const { incarnation } = member.signed.record;
    if (member.isAllowed && member.goneMs === null) this.ring.add(member);
    else this.ring.remove(member);
    if (member.isAllowed && member.health === "dead") this.dead.add(member);
    else this.dead.delete(member);
    const isGone = member.isAllowed && member.goneMs !== null;
    if (isGone !== member.isGoneCounted) this.goneCount += isGone ? 1 : -1;
    member.isGoneCounted = isGone;
    const hash = member.isAllowed ? hashState(member.hash, incarnation, rankOf(digestState(member))) : 0;
    const bucket = bucketOf(member);
    this.#hashes[bucket] = (this.#hashes[bucket] as number) ^ member.stateHash ^ hash;
    member.stateHash = hash;
  }

  /** As many buckets as suit the number of members. */
  bucketCount(): number {
    let count = 1;
    while (count < DIGEST_BUCKETS_MAX && count * 4 < this.#members.size) count *= 2;
    return count;
  }

  /** Hashes of `bucketCount` buckets, a power of two. */
  hashes(bucketCount: number): Uint32Array {
    const hashes = new Uint32Array(bucketCount);
    for (let at = 0; at < DIGEST_BUCKETS_MAX; at++) {
      const folded = at & (bucketCount - 1);
      hashes[folded] = (hashes[folded] as number) ^ (this.#hashes[at] as number);
    }
    return hashes;
  }

  /** The members that count of one of `bucketCount` buckets. */
  bucket(index: number, bucketCount: number): Member[] {
    const members: Member[] = [];
    for (let at = index; at < DIGEST_BUCKETS_MAX; at += bucketCount) {
      for (const member of this.#buckets[at] ?? []) if (member.isAllowed) members.push(member);
    }
    return members;
  }
}

function newMember(signed: SignedRecord, verdict: Verdict | null): Member {
  const { peer } = signed.record;
  return {
    peer,
    hash: hashText(peer),
    signed,
    verdict,
    isDoubted: false,
    health: "alive",
    sinceMs: 0,
    isAllowed: true,
    stateHash: 0,
    goneMs: null,
    isGoneCounted: false,
    heardMs: null,
    load: null,
  };
}

function bucketOf(member: Member): number {
  return member.hash & (DIGEST_BUCKETS_MAX - 1);
}

function healthOf({ signed, verdict, isDoubted }: Member): Health {
  if (signed.record.state === "left") return "left";
  if (verdict?.state === "dead") return "dead";
  if (verdict !== null || isDoubted) return "suspect";
  return signed.record.state;
}

/** Suspicion passes: nodes compare without it. */
function digestState({ signed, verdict }: Member): DigestState {
  return verdict?.state === "dead" ? "dead" : signed.record.state;
}

export function digestEntry(member: Member): DigestEntry {
  return { peer: member.peer, incarnation: member.signed.record.incarnation, state: digestState(member) };
}

/** Above 0 when `member` is newer than `entry`, below when it is older. */
export function compareKnowledge(member: Member, entry: DigestEntry): number {
  const difference = member.signed.record.incarnation - entry.incarnation;
  if (difference !== 0) return difference;
  return Number(digestState(member) === "dead") - Number(entry.state === "dead");
}

function rankOf(state: DigestState): number {
  switch (state) {
    case "alive":
      return 0;
    case "leaving":
      return 1;
    case "left":
      return 2;
    case "suspect":
      return 3;
    case "dead":
      return 4;
    default:
      return unreachable(state);
  }
}
