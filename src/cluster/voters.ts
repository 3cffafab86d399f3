/**
 * Who should vote: pure policy. The leader calls it now and then with what it knows and proposes what comes back, one change
 * at a time, until nothing does.
 *
 * How many. Up to five, and an odd number, since a fourth voter makes every commit wait for one more disk and lets no more
 * nodes fail than three do: of four nodes, one is a learner and takes the place of a voter that dies. Two nodes are
 * the exception, both vote: a single voter would stay writable when the other node dies, but all that was accepted would be on its
 * disk alone. SAGE promises that an accepted job survives, so two nodes keep it on both, and stop accepting while one is
 * missing; a node that leaves cleanly gives its vote up first, so that a shutdown stops nothing.
 *
 * A change is proposed only if the voters that are alive can commit it, and are a majority of the voters after it.
 */
import type { PeerId } from "../kernel/mod.ts";
import { type Membership, type MembershipChange, majority } from "../raft/mod.ts";
import type { Health } from "./membership/mod.ts";

/** Voters that the policy aims at. */
export const VOTERS_WANTED_MAX = 5;
/** A voter is replaced when it was dead for so long: well past a restart. */
export const REPLACE_AFTER_MS = 30_000;
/** A dead voter without a replacement keeps its vote for so long, unless its vote only harms. */
export const DROP_AFTER_MS = 300_000;

/** Members that begin to follow the log with one change: each change carries the whole membership to everyone. */
const ADDED_MAX = 256;

export interface VoterCandidate {
  readonly peer: PeerId;
  /** In the replicated state. Others have no business in the group. */
  readonly isAdmitted: boolean;
  readonly wish: "auto" | "yes" | "no";
  readonly health: Health;
  /** Monotonic time since which it has this health. */
  readonly sinceMs: number;
  /** The leader replicates to it, and it lacks next to nothing. */
  readonly isCaughtUp: boolean;
}

export interface VoterFacts {
  /** The leader, which decides. */
  readonly self: PeerId;
  readonly membership: Membership;
  /** Everyone known by the replicated state or by gossip; who is missing here is not admitted. */
  readonly candidates: readonly VoterCandidate[];
  /** A change is under way. */
  readonly isChanging: boolean;
  /** Monotonic. */
  readonly nowMs: number;
}

export type VoterChange = MembershipChange & {
  /** For the log. */
  readonly reason: string;
};

/** The facts by peer, and what the rules ask of them. */
class Group {
  readonly #facts: VoterFacts;
  readonly #candidates: ReadonlyMap<PeerId, VoterCandidate>;

  constructor(facts: VoterFacts) {
    this.#facts = facts;
    this.#candidates = new Map(facts.candidates.map((candidate) => [candidate.peer, candidate]));
  }

  get voters(): readonly PeerId[] {
    return this.#facts.membership.voters;
  }

  get learners(): readonly PeerId[] {
    return this.#facts.membership.learners;
  }

  /** Voters but the leader itself, which hands its leadership over before it gives up its vote. The dead come first. */
  get others(): readonly PeerId[] {
    const others = this.voters.filter((peer) => peer !== this.#facts.self);
    return others.sort((a, b) => Number(this.isUsable(a)) - Number(this.isUsable(b)));
  }

  get(peer: PeerId): VoterCandidate | null {
    return this.#candidates.get(peer) ?? null;
  }

  isAdmitted(peer: PeerId): boolean {
    return this.get(peer)?.isAdmitted ?? false;
  }

  /** Its vote will come: a suspect often only is slow, and a leaving one answers until it has left. */
  isUsable(peer: PeerId): boolean {
    if (peer === this.#facts.self) return true;
    const health = this.get(peer)?.health;
    return health === "alive" || health === "suspect" || health === "leaving";
  }

  isGoing(peer: PeerId): boolean {
    const health = this.get(peer)?.health;
    return health === "leaving" || health === "left";
  }

  wants(peer: PeerId, wish: VoterCandidate["wish"]): boolean {
    return this.get(peer)?.wish === wish;
  }

  isDeadFor(peer: PeerId, durationMs: number): boolean {
    const candidate = this.get(peer);
    return candidate?.health === "dead" && this.#facts.nowMs - candidate.sinceMs >= durationMs;
  }

  /** Learners that can become voters now: those that ask for it first, then those that have been well for longest. */
  ready(): VoterCandidate[] {
    const learners = this.learners.flatMap((peer) => this.get(peer) ?? []);
    const able = learners.filter((c) => c.isAdmitted && c.health === "alive" && c.isCaughtUp && c.wish !== "no");
    const rank = (c: VoterCandidate): number => (c.wish === "yes" ? 0 : 1);
    return able.sort((a, b) => rank(a) - rank(b) || a.sinceMs - b.sinceMs || (a.peer < b.peer ? -1 : 1));
  }

  /** Whether the live voters can commit the change, and can go on after it. */
  isSafe({ kind, peer }: MembershipChange): boolean {
    const live = this.voters.filter((voter) => this.isUsable(voter)).length;
    if (live < majority(this.voters.length)) return false;
    if (kind === "addLearner" || !(kind === "promote" || this.voters.includes(peer))) return true;
    const by = kind === "promote" ? 1 : -1;
    const liveAfter = live + (this.isUsable(peer) ? by : 0);
    const votersAfter = this.voters.length + by;
    return votersAfter > 0 && liveAfter >= majority(votersAfter);
  }
}

type Rule = (group: Group) => VoterChange | null;

/** Who is no member any more has no place in the group. */
function removeStrangers(group: Group): VoterChange | null {
  const isStranger = (peer: PeerId): boolean => !group.isAdmitted(peer);
  const peer = group.learners.find(isStranger) ?? group.others.find(isStranger);
  return peer === undefined ? null : { kind: "remove", peer, reason: "no member of the cluster any more" };
}

/** Every member follows the log. */
function addMembers(facts: VoterFacts): VoterChange | null {
  const { voters, learners } = facts.membership;
  const known = new Set([...voters, ...learners]);
  const missing = facts.candidates.filter((c) => c.isAdmitted && c.health === "alive" && !known.has(c.peer));
  const [next, ...others] = missing.slice(0, ADDED_MAX).map(({ peer }) => peer);
  if (next === undefined) return null;
  const change = { kind: "addLearner", peer: next, reason: "member that does not follow the log yet" } as const;
  return others.length === 0 ? change : { ...change, others };
}

function demoteGoing(group: Group): VoterChange | null {
  const peer = group.others.find((voter) => group.isGoing(voter));
  return peer === undefined ? null : { kind: "demote", peer, reason: "is leaving" };
}

function demoteUnwilling(group: Group): VoterChange | null {
  const peer = group.others.find((voter) => group.wants(voter, "no"));
  return peer === undefined ? null : { kind: "demote", peer, reason: "was started with --voter no" };
}

/** A dead voter makes place once someone can take it, or when its vote does nothing but raise the majority. */
function demoteDead(group: Group): VoterChange | null {
  const dead = group.others.filter((voter) => group.isDeadFor(voter, REPLACE_AFTER_MS));
  const [peer] = dead;
  if (peer === undefined) return null;
  if (group.ready().length > 0) return { kind: "demote", peer, reason: "is dead, another takes its place" };
  const forgotten = dead.filter((voter) => group.isDeadFor(voter, DROP_AFTER_MS));
  const [oldest] = forgotten;
  const isEven = group.voters.length % 2 === 0;
  if (oldest === undefined || group.voters.length <= 2 || !(isEven || forgotten.length >= 2)) return null;
  return { kind: "demote", peer: oldest, reason: "is dead for long, and its vote only raises the majority" };
}

/** Makes place for a node that is to vote, where one votes that need not. */
function demoteForWish(group: Group): VoterChange | null {
  const next = group.ready()[0];
  if (next?.wish !== "yes" || group.voters.length < VOTERS_WANTED_MAX) return null;
  const peer = group.others.findLast((voter) => group.wants(voter, "auto"));
  return peer === undefined ? null : { kind: "demote", peer, reason: "a node with --voter yes takes its place" };
}

/** How many of `count` able nodes should vote. */
function wantedCount(count: number): number {
  const most = Math.min(count, VOTERS_WANTED_MAX);
  return most > 2 && most % 2 === 0 ? most - 1 : most;
}

function promoteNext(group: Group): VoterChange | null {
  const ready = group.ready();
  const [next] = ready;
  if (next === undefined) return null;
  const count = group.voters.length + ready.length;
  const wanted = wantedCount(count);
  // Whoever was told to vote does, be the number even or not.
  const asked = ready.filter(({ wish }) => wish === "yes").length;
  const target = Math.max(wanted, Math.min(VOTERS_WANTED_MAX, group.voters.length + asked));
  if (group.voters.length >= target) return null;
  return { kind: "promote", peer: next.peer, reason: `the cluster can have ${target} voters` };
}

/** The next change to propose; null when the group is as it should be, or nothing safe can be done. */
export function voterChange(facts: VoterFacts): VoterChange | null {
  if (facts.isChanging) return null;
  const group = new Group(facts);
  const rules: readonly Rule[] = [
    removeStrangers,
    demoteGoing,
    demoteUnwilling,
    demoteDead,
    demoteForWish,
    promoteNext,
    () => addMembers(facts),
  ];
  for (const rule of rules) {
    const change = rule(group);
    if (change !== null && group.isSafe(change)) return change;
  }
  return null;
}
