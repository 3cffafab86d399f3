/** Becoming leader, staying it, and what follows when something is committed. */
import { invariant, type PeerId } from "../kernel/mod.ts";
import { becomeFollower, type Core, type Leading } from "./core.ts";
import type { Entry } from "./messages.ts";
import { Progress } from "./progress.ts";
import { answerReads } from "./read.ts";
import { resendLost } from "./snapshot.ts";
import { entryBytes } from "./store.ts";

export function startLeading(core: Core): void {
  invariant(core.role === "candidate", "only a candidate becomes leader");
  const noopIndex = core.log.lastIndex + 1;
  core.role = "leader";
  core.leader = core.id;
  core.ballots = [];
  core.arriving = null;
  core.leading = {
    peers: new Map(),
    noopIndex,
    heartbeatDueMs: core.nowMs + core.options.heartbeatMs,
    learnersDueMs: core.nowMs,
    quorumCheckedMs: core.nowMs,
    round: 0,
    rounds: [],
    isRoundWanted: true,
    leaseEndMs: Number.NEGATIVE_INFINITY,
    isLeaseBroken: false,
    transfer: null,
    uncommittedBytes: 0,
    reads: [],
    spoken: new Set(),
    flushed: null,
  };
  followMembership(core, core.leading);
  appendOwn(core, core.leading, { kind: "noop", index: noopIndex, term: core.term });
}

/** Puts an entry of this leader at the log's end. */
export function appendOwn(core: Core, leading: Leading, entry: Entry): void {
  invariant(entry.term === core.term && entry.index === core.log.lastIndex + 1, "an entry out of place");
  core.log.append([entry]);
  leading.uncommittedBytes += entryBytes(entry);
}

/** Keeps one progress a member. Those that left are kept until they can learn so. */
export function followMembership(core: Core, leading: Leading): void {
  const { voters, learners } = core.members.current;
  const members = new Set<PeerId>([...voters, ...learners]);
  members.delete(core.id);
  for (const peer of members) {
    const progress = leading.peers.get(peer);
    if (progress === undefined) leading.peers.set(peer, new Progress(core.log.lastIndex + 1, core.nowMs));
    else progress.leavingIndex = null;
  }
  for (const [peer, progress] of leading.peers) if (!members.has(peer)) progress.leavingIndex ??= core.members.index;
}

/** The largest of `valueOf` that a majority of the voters reaches; `own` is this node's. */
export function agreed(core: Core, own: number, valueOf: (progress: Progress) => number): number {
  const values = core.members.current.voters.map((voter) => {
    const progress = core.progressOf(voter);
    return voter === core.id ? own : progress === null ? 0 : valueOf(progress);
  });
  return core.rules.majorityValue(values);
}

/** Commits what a majority holds. */
export function advanceCommit(core: Core, leading: Leading): void {
  const index = Math.min(
    agreed(core, core.log.stable, (progress) => progress.match),
    core.log.lastIndex,
  );
  const { commit } = core.log;
  if (index <= commit || !core.rules.mayCommit(core.term, core.log.term(index) ?? 0)) return;
  const from = Math.max(commit + 1, leading.noopIndex);
  for (const entry of core.log.entries(from, index + 1, Number.POSITIVE_INFINITY)) {
    leading.uncommittedBytes -= entryBytes(entry);
  }
  leading.uncommittedBytes = Math.max(0, leading.uncommittedBytes);
  core.log.commitTo(index);
  answerReads(core, leading);
}

/** Learns from the answers how long no other leader can be, and answers reads that waited for it. */
export function advanceLease(core: Core, leading: Leading): void {
  const round = agreed(core, leading.round, (progress) => progress.round);
  const at = leading.rounds.findLastIndex((one) => one.round <= round);
  const latest = leading.rounds[at];
  if (latest !== undefined) {
    leading.leaseEndMs = core.rules.leaseEndMs(latest.sentMs, core.options.electionTimeoutMs);
    leading.rounds.splice(0, at + 1);
  }
  answerReads(core, leading);
}

export function tickLeader(core: Core, leading: Leading): void {
  const { electionTimeoutMs, heartbeatMs } = core.options;
  if (leading.transfer !== null && core.nowMs >= leading.transfer.deadlineMs) leading.transfer = null;
  if (core.nowMs - leading.quorumCheckedMs >= electionTimeoutMs) {
    const heardMs = agreed(core, core.nowMs, (progress) => progress.heardMs);
    if (heardMs < leading.quorumCheckedMs) return becomeFollower(core, core.term, null);
    leading.quorumCheckedMs = core.nowMs;
  }
  if (core.nowMs < leading.heartbeatDueMs) return;
  leading.heartbeatDueMs = core.nowMs + heartbeatMs;
  leading.isRoundWanted = true;
  for (const progress of leading.peers.values()) resendLost(progress);
}

/** A leader that is no voter any more leads until that is committed, then hands over to the best of the rest. */
export function leaveOffice(core: Core, leading: Leading): void {
  if (core.isVoter || core.log.commit < core.members.index) return;
  const voters = core.members.current.voters;
  const ranked = voters.map((voter) => ({ voter, match: leading.peers.get(voter)?.match ?? 0 }));
  const best = ranked.reduce((one, other) => (other.match > one.match ? other : one));
  core.send(best.voter, { kind: "timeoutNow", term: core.term });
  becomeFollower(core, core.term, null);
}
