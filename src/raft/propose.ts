/**
 * Proposals. Where there is a leader, any node takes them: a follower passes them on and learns the entry's place.
 *
 * "accepted" means in the leader's log, not committed. The proposer knows that its proposal is committed when an entry with
 * that index and that term is, and that it is lost when one with that index and another term is. Forwarded proposals can be
 * doubled by the network: a command carries its own id where doing it twice would hurt.
 */
import type { PeerId } from "../kernel/mod.ts";
import type { Core, Leading } from "./core.ts";
import { appendOwn, followMembership } from "./leading.ts";
import { ENTRY_BYTES_MAX, FORWARDED_MAX, PROMOTE_LAG_ENTRIES_MAX, UNCOMMITTED_BYTES_MAX } from "./limits.ts";
import { changedMembership, type MembershipChange, type MembershipRefusal } from "./membership.ts";
import type { ProposalOutcome, ProposeRequest, ProposeResponse } from "./messages.ts";

export type ProposeResult =
  | ProposalOutcome
  /** The outcome comes in a Ready under this number, at the latest as "lost" after one election timeout. */
  | { readonly kind: "forwarded"; readonly proposal: number };

export type MembershipResult =
  | { readonly kind: "accepted"; readonly term: number; readonly index: number }
  | { readonly kind: "refused"; readonly reason: MembershipRefusal };

export function propose(core: Core, data: Uint8Array): ProposeResult {
  if (core.leading !== null) return appendData(core, core.leading, data);
  if (core.leader === null) return { kind: "dropped", reason: "no-leader" };
  if (data.length > ENTRY_BYTES_MAX) return { kind: "dropped", reason: "too-large" };
  if (core.forwarded.size >= FORWARDED_MAX) return { kind: "dropped", reason: "full" };
  const proposal = core.name();
  core.forwarded.set(proposal, { deadlineMs: core.nowMs + core.options.electionTimeoutMs });
  core.send(core.leader, { kind: "propose", term: 0, proposal, data });
  return { kind: "forwarded", proposal };
}

function appendData(core: Core, leading: Leading, data: Uint8Array): ProposalOutcome {
  if (data.length > ENTRY_BYTES_MAX) return { kind: "dropped", reason: "too-large" };
  if (leading.transfer !== null) return { kind: "dropped", reason: "transferring" };
  if (leading.uncommittedBytes + data.length > UNCOMMITTED_BYTES_MAX) return { kind: "dropped", reason: "full" };
  const { term } = core;
  const index = core.log.lastIndex + 1;
  appendOwn(core, leading, { kind: "data", index, term, data });
  return { kind: "accepted", term, index };
}

export function onPropose(core: Core, from: PeerId, { proposal, data }: ProposeRequest): void {
  const outcome: ProposalOutcome =
    core.leading === null ? { kind: "dropped", reason: "no-leader" } : appendData(core, core.leading, data);
  core.send(from, { kind: "proposeResponse", term: 0, proposal, outcome });
}

export function onProposeResponse(core: Core, { proposal, outcome }: ProposeResponse): void {
  if (core.forwarded.delete(proposal)) core.outcomes.push({ proposal, outcome });
}

/** Questions that no leader answered in time. */
export function expirePending(core: Core): void {
  for (const [proposal, { deadlineMs }] of core.forwarded) {
    if (deadlineMs > core.nowMs) break;
    core.forwarded.delete(proposal);
    core.outcomes.push({ proposal, outcome: { kind: "dropped", reason: "lost" } });
  }
  for (const [name, { deadlineMs, read }] of core.askedReads) {
    if (deadlineMs > core.nowMs) break;
    core.askedReads.delete(name);
    core.failedReads.push({ kind: "failed", read, reason: "lost" });
  }
}

export function proposeMembership(core: Core, change: MembershipChange): MembershipResult {
  const refused = (reason: MembershipRefusal): MembershipResult => ({ kind: "refused", reason });
  const { leading, log, members } = core;
  if (leading === null) return refused("not-leader");
  if (leading.transfer !== null) return refused("transferring");
  if (log.commit < leading.noopIndex || log.commit < members.index) return refused("pending");
  const membership = changedMembership(members.current, change);
  if (typeof membership === "string") return refused(membership);
  if (change.kind === "promote" && !isCaughtUp(core, change.peer)) return refused("not-caught-up");
  const { term } = core;
  const index = log.lastIndex + 1;
  appendOwn(core, leading, { kind: "membership", index, term, membership });
  members.add(index, membership);
  followMembership(core, leading);
  return { kind: "accepted", term, index };
}

/** A voter that lags much would stop commits whenever its vote is needed. */
function isCaughtUp(core: Core, peer: PeerId): boolean {
  const progress = core.progressOf(peer);
  if (progress === null || progress.state !== "replicate") return false;
  const isFresh = core.nowMs - progress.heardMs <= 5 * core.options.heartbeatMs + core.options.electionTimeoutMs;
  return isFresh && core.log.lastIndex - progress.match <= PROMOTE_LAG_ENTRIES_MAX;
}
