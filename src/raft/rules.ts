/**
 * The few judgements on which all safety rests, as pure functions in one object.
 *
 * The machine asks `RaftOptions.rules` and never judges these things itself, so that a test can hand in one wrong
 * judgement and show that the simulator notices.
 */
import type { PeerId } from "../kernel/mod.ts";
import type { HardState } from "./messages.ts";

export type Role = "follower" | "preCandidate" | "candidate" | "leader";
export type Ballot = { readonly from: PeerId; readonly isGranted: boolean };
export type LogEnd = { readonly index: number; readonly term: number };

export type RaftRules = {
  /** Result of an election so far. `ballots` may hold doubles and ballots of strangers. */
  tally(voters: readonly PeerId[], ballots: readonly Ballot[]): "won" | "lost" | "open";
  /** The largest number that a majority reaches. `values` has one number a voter; none gives 0. */
  majorityValue(values: readonly number[]): number;
  /** A message of a newer term makes any node a follower of that term. */
  yields(own: { readonly role: Role; readonly term: number }, messageTerm: number): boolean;
  /** Whether `candidate`'s log has all that could be committed in `own`. */
  isLogCurrent(own: LogEnd, candidate: LogEnd): boolean;
  /** One vote a term. */
  mayVoteFor(vote: HardState["vote"], candidate: PeerId): boolean;
  /** A leader counts copies only of entries of its own term (Raft, 5.4.2). */
  mayCommit(term: number, entryTerm: number): boolean;
  /** Until when no other leader can be, when a majority answered a heartbeat sent at `sentMs`. */
  leaseEndMs(sentMs: number, electionTimeoutMs: number): number;
};

/** Share of the election timeout that a lease lasts: clocks of two nodes may differ in rate by a tenth. */
const LEASE_SHARE = 0.9;

export const RULES: RaftRules = {
  tally(voters, ballots) {
    const answers = new Map<PeerId, boolean>();
    for (const { from, isGranted } of ballots) {
      if (voters.includes(from) && !answers.has(from)) answers.set(from, isGranted);
    }
    const granted = [...answers.values()].filter(Boolean).length;
    const needed = majority(voters.length);
    if (voters.length > 0 && granted >= needed) return "won";
    return answers.size - granted > voters.length - needed ? "lost" : "open";
  },
  majorityValue(values) {
    const sorted = Float64Array.from(values).sort();
    return sorted[values.length - majority(values.length)] ?? 0;
  },
  yields: (own, messageTerm) => messageTerm > own.term,
  isLogCurrent: (own, candidate) =>
    candidate.term > own.term || (candidate.term === own.term && candidate.index >= own.index),
  mayVoteFor: (vote, candidate) => vote === null || vote === candidate,
  mayCommit: (term, entryTerm) => entryTerm === term,
  leaseEndMs: (sentMs, electionTimeoutMs) => sentMs + LEASE_SHARE * electionTimeoutMs,
};

/** Smallest count that two groups of `voterCount` cannot both have. */
export function majority(voterCount: number): number {
  return Math.floor(voterCount / 2) + 1;
}
