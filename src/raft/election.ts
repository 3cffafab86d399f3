/**
 * How a leader is found (Ongaro 2014, chapters 3.4, 6.4 and 9.6).
 *
 * A voter that hears no leader for one to two election timeouts first asks whether it would be elected (pre-vote), so that
 * a node which was cut off does not disturb a working leader with its high term. A voter that heard a leader within
 * the least election timeout refuses (stickiness); leases of leaders rest on that, so it holds across terms and
 * restarts. Only a campaign that the leader itself asked for is exempt.
 */
import { invariant, type PeerId } from "../kernel/mod.ts";
import { becomeFollower, type Core } from "./core.ts";
import { startLeading } from "./leading.ts";
import type { VoteRequest, VoteResponse } from "./messages.ts";

export type Campaign = "preVote" | "vote" | "transfer";

export function tickElection(core: Core): void {
  if (core.nowMs < core.electionDueMs) return;
  core.restartElectionTimer();
  if (core.mayCampaign && core.log.installing === null) campaign(core, "preVote");
}

export function campaign(core: Core, kind: Campaign): void {
  invariant(core.role !== "leader" && core.mayCampaign, "only a voter that does not lead campaigns");
  invariant(kind === "transfer" || core.isOnlyVoter || !core.isBound, "a campaign against a leader's lease");
  const isPreVote = kind === "preVote";
  if (isPreVote) {
    core.leader = null;
  } else {
    core.setTerm(core.term + 1);
    core.vote = core.id;
  }
  core.role = isPreVote ? "preCandidate" : "candidate";
  core.restartElectionTimer();
  core.ballots = [{ from: core.id, isGranted: true }];
  const { index: lastIndex, term: lastTerm } = core.log.end;
  const term = isPreVote ? core.term + 1 : core.term;
  for (const voter of core.members.current.voters) {
    core.send(voter, { kind: "voteRequest", term, isPreVote, isTransfer: kind === "transfer", lastIndex, lastTerm });
  }
  count(core);
}

function count(core: Core): void {
  const result = core.rules.tally(core.members.current.voters, core.ballots);
  if (result === "open") return;
  if (result === "lost") becomeFollower(core, core.term, null);
  else if (core.role === "preCandidate") campaign(core, "vote");
  else startLeading(core);
}

export function onVoteRequest(core: Core, from: PeerId, request: VoteRequest): void {
  const { isPreVote, isTransfer } = request;
  if (!isTransfer && core.isBound) return;
  if (!isPreVote && core.rules.yields(core, request.term)) becomeFollower(core, request.term, null);
  const candidate = { index: request.lastIndex, term: request.lastTerm };
  const isGranted = isFree(core, from, request) && core.rules.isLogCurrent(core.log.end, candidate);
  if (isGranted && !isPreVote) {
    core.vote = from;
    core.restartElectionTimer();
  }
  const term = isGranted ? request.term : core.term;
  core.send(from, { kind: "voteResponse", term, isPreVote, isGranted });
}

/** This node did not decide otherwise in the term asked about. */
function isFree(core: Core, candidate: PeerId, { term, isPreVote }: VoteRequest): boolean {
  if (isPreVote && term > core.term) return true;
  return term === core.term && core.leader === null && core.rules.mayVoteFor(core.vote, candidate);
}

export function onVoteResponse(core: Core, from: PeerId, { term, isPreVote, isGranted }: VoteResponse): void {
  if (core.role !== (isPreVote ? "preCandidate" : "candidate")) return;
  if (isGranted && term !== (isPreVote ? core.term + 1 : core.term)) return;
  core.ballots.push({ from, isGranted });
  count(core);
}

/** The leader hands over to this node. */
export function onTimeoutNow(core: Core): void {
  if (core.isVoter && core.role !== "leader" && core.log.installing === null) campaign(core, "transfer");
}
