/**
 * Copying the leader's log (Ongaro 2014, 3.5 and 10.2).
 *
 * The leader sends when a Ready is asked for, not when something is proposed, so what came in between travels as one
 * message. Messages go out ahead of the answers; a refusal carries the follower's last place of a term no newer than the
 * refused one, so that the search for the common prefix skips whole terms.
 */
import { invariant, type PeerId } from "../kernel/mod.ts";
import type { Core, Leading } from "./core.ts";
import { advanceCommit, advanceLease, leaveOffice } from "./leading.ts";
import { APPEND_BYTES_MAX, APPEND_ENTRIES_MAX } from "./limits.ts";
import type { AppendRequest, AppendResponse, Entry, Heartbeat, HeartbeatResponse } from "./messages.ts";
import type { Progress } from "./progress.ts";
import { offerSnapshot, pumpSnapshot } from "./snapshot.ts";
import { entryBytes } from "./store.ts";
import { handOver } from "./transfer.ts";

/** Rounds without an answer that the leader remembers; forgetting one only costs lease time. */
const ROUNDS_MAX = 1_024;
/** Heartbeats of voters to one of learners. */
const LEARNER_BEATS = 5;

/** Sends all that the followers can take now. */
export function flush(core: Core, leading: Leading): void {
  const { lastIndex, commit, snapshot } = core.log;
  const { flushed } = leading;
  const isSame = flushed?.lastIndex === lastIndex && flushed.commit === commit && flushed.snapshot === snapshot;
  const isForOne = isSame && !leading.isRoundWanted && leading.spoken.size <= 1;
  const peers = isForOne ? leading.spoken : leading.peers.keys();
  if (leading.isRoundWanted) startRound(core, leading);
  for (const peer of peers) {
    const progress = leading.peers.get(peer);
    if (progress === undefined) continue;
    replicateTo(core, peer, progress);
    if (progress.leavingIndex !== null && core.log.commit >= progress.leavingIndex) leading.peers.delete(peer);
  }
  leading.spoken.clear();
  leading.flushed = isSame ? flushed : { lastIndex, commit, snapshot };
  leaveOffice(core, leading);
}

function startRound(core: Core, leading: Leading): void {
  leading.isRoundWanted = false;
  leading.round++;
  leading.rounds.push({ round: leading.round, sentMs: core.nowMs });
  if (leading.rounds.length > ROUNDS_MAX) leading.rounds.shift();
  const areLearnersDue = core.nowMs >= leading.learnersDueMs;
  if (areLearnersDue) leading.learnersDueMs = core.nowMs + LEARNER_BEATS * core.options.heartbeatMs;
  const { voters } = core.members.current;
  for (const [peer, progress] of leading.peers) {
    if (!areLearnersDue && !voters.includes(peer)) continue;
    const commit = Math.min(progress.match, core.log.commit);
    core.send(peer, { kind: "heartbeat", term: core.term, commit, round: leading.round });
    progress.sentCommit = Math.max(progress.sentCommit, commit);
  }
  if (voters.length === 1) advanceLease(core, leading);
}

function replicateTo(core: Core, peer: PeerId, progress: Progress): void {
  while (!progress.isPaused) {
    const isIdle = progress.next > core.log.lastIndex && progress.sentCommit >= core.log.commit;
    if (progress.state === "replicate" && isIdle && !progress.isPingWanted) return;
    if (!sendAppend(core, peer, progress)) break;
  }
  if (progress.state === "snapshot") pumpSnapshot(core, peer, progress);
}

/** False when the follower needs entries that are compacted: it now gets a snapshot. */
function sendAppend(core: Core, peer: PeerId, progress: Progress): boolean {
  const { log } = core;
  const prevIndex = progress.next - 1;
  const prevTerm = log.term(prevIndex);
  if (prevTerm === null || progress.next < log.firstIndex) {
    offerSnapshot(core, progress);
    return false;
  }
  const to = Math.min(log.lastIndex + 1, progress.next + APPEND_ENTRIES_MAX);
  const entries = log.entries(progress.next, to, APPEND_BYTES_MAX);
  const bytes = entries.reduce((sum, entry) => sum + entryBytes(entry), 0);
  core.send(peer, { kind: "append", term: core.term, prevIndex, prevTerm, entries, commit: log.commit });
  progress.sent(prevIndex + entries.length, bytes);
  progress.sentCommit = log.commit;
  return true;
}

export function onAppend(
  core: Core,
  from: PeerId,
  { term, prevIndex, prevTerm, entries, commit }: AppendRequest,
): void {
  const { log } = core;
  core.heardLeader(from);
  if (prevIndex >= log.commit && !log.matches(prevIndex, prevTerm)) return refuse(core, from, { prevIndex, prevTerm });
  const known = Math.max(prevIndex, log.commit);
  const rest = entries.slice(known - prevIndex);
  const conflict = rest.findIndex((entry) => !log.matches(entry.index, entry.term));
  if (conflict !== -1) takeEntries(core, rest.slice(conflict));
  const index = known + rest.length;
  if (Math.min(commit, index) > log.commit) log.commitTo(Math.min(commit, index));
  core.send(from, { kind: "appendResponse", term, index, isRejected: false, hintIndex: 0, hintTerm: 0 });
}

function takeEntries(core: Core, entries: readonly Entry[]): void {
  const first = entries[0];
  invariant(first !== undefined, "no entries to take");
  if (first.index <= core.log.lastIndex) core.members.cutFrom(first.index);
  core.log.append(entries);
  for (const entry of entries) if (entry.kind === "membership") core.members.add(entry.index, entry.membership);
}

function refuse(core: Core, from: PeerId, { prevIndex, prevTerm }: { prevIndex: number; prevTerm: number }): void {
  const { log, term } = core;
  let hintIndex = Math.min(prevIndex, log.lastIndex);
  while (hintIndex > log.commit && (log.term(hintIndex) ?? 0) > prevTerm) hintIndex--;
  const hintTerm = log.term(hintIndex) ?? 0;
  core.send(from, { kind: "appendResponse", term, index: prevIndex, isRejected: true, hintIndex, hintTerm });
}

export function onAppendResponse(core: Core, from: PeerId, response: AppendResponse): void {
  const { leading, log } = core;
  const progress = core.progressOf(from);
  if (leading === null || progress === null) return;
  progress.heardMs = core.nowMs;
  if (response.isRejected) {
    progress.rejected(response.index, commonGuess(core, progress, response));
    return;
  }
  invariant(response.index <= log.lastIndex, "a follower has more than its leader");
  const isNews = progress.accepted(response.index);
  switch (progress.state) {
    case "probe":
      if (isNews || response.index === progress.match) progress.replicate();
      break;
    case "snapshot":
      if (progress.match + 1 >= log.firstIndex && log.term(progress.match) !== null) progress.replicate();
      break;
    case "replicate":
      break;
  }
  if (!isNews) return;
  advanceCommit(core, leading);
  handOver(core, leading);
}

/** The largest index at which both logs can be equal, as far as the refusal tells. */
function commonGuess(core: Core, progress: Progress, { hintIndex, hintTerm }: AppendResponse): number {
  let index = Math.min(hintIndex, core.log.lastIndex);
  while (index > progress.match) {
    const term = core.log.term(index);
    if (term === null || term <= hintTerm) break;
    index--;
  }
  return index;
}

export function onHeartbeat(core: Core, from: PeerId, { term, commit, round }: Heartbeat): void {
  core.heardLeader(from);
  if (commit > core.log.commit) core.log.commitTo(commit);
  core.send(from, { kind: "heartbeatResponse", term, round });
}

export function onHeartbeatResponse(core: Core, from: PeerId, { round }: HeartbeatResponse): void {
  const { leading } = core;
  const progress = core.progressOf(from);
  if (leading === null || progress === null) return;
  invariant(round <= leading.round, "an answer to a round that was not started");
  progress.heardMs = core.nowMs;
  progress.round = Math.max(progress.round, round);
  if (progress.match < core.log.lastIndex || progress.state === "probe") progress.beat();
  advanceLease(core, leading);
  handOver(core, leading);
}
