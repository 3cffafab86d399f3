/**
 * The consensus machine: the one owner of `Core` and the folder's entry.
 *
 * ```ts
 * raft.step(from, message, clock.nowMs());
 * while (raft.hasReady()) {
 *   const ready = raft.ready();
 *   const change = changeOf(ready);
 *   if (change !== null) store.save(change); // first of all
 *   for (const { to, message } of ready.messages) post(to, message);
 *   if (ready.snapshot !== null) restore(ready.snapshot);
 *   for (const entry of ready.committed) apply(entry);
 *   raft.advance(ready);
 * }
 * ```
 */
import { invariant, type PeerId, unreachable } from "../kernel/mod.ts";
import { Core, type RaftOptions } from "./core.ts";
import { onTimeoutNow, onVoteRequest, onVoteResponse, tickElection } from "./election.ts";
import { advanceCommit, tickLeader } from "./leading.ts";
import { COMMITTED_BYTES_MAX, SNAPSHOT_BYTES_MAX } from "./limits.ts";
import type { MembershipChange } from "./membership.ts";
import type { Entry, HardState, Message } from "./messages.ts";
import { objection } from "./objection.ts";
import {
  expirePending,
  type MembershipResult,
  onPropose,
  onProposeResponse,
  type ProposeResult,
  propose,
  proposeMembership,
} from "./propose.ts";
import { leaseLeftMs, onRead, onReadResponse, read, takeConfirmed } from "./read.ts";
import type { PeerProgress, RaftStatus, Ready, RoleChange } from "./ready.ts";
import { flush, onAppend, onAppendResponse, onHeartbeat, onHeartbeatResponse } from "./replication.ts";
import { onSnapshotChunk, onSnapshotResponse } from "./snapshot.ts";
import type { RaftStore } from "./store.ts";
import { type InTerm, meetTerm } from "./terms.ts";
import { startTransfer, type TransferResult } from "./transfer.ts";

export class Raft {
  readonly #core: Core;
  /** As last handed out. */
  #role: RoleChange;
  #isOut = false;

  /** Goes on where `store` ends. The state machine starts from the store's snapshot, or empty. */
  constructor(options: RaftOptions, store: RaftStore, nowMs: number) {
    this.#core = new Core(options, store, nowMs);
    this.#role = this.#roleNow();
  }

  /** Lets time pass. Needed at `dueMs` or later; earlier and more often does no harm. */
  tick(nowMs: number): void {
    const core = this.#at(nowMs);
    expirePending(core);
    if (core.leading === null) tickElection(core);
    else tickLeader(core, core.leading);
  }

  /** When `tick` has something to do, unless a message comes first. */
  dueMs(): number {
    const { leading, electionDueMs, options, forwarded, askedReads } = this.#core;
    const dues = leading === null ? [electionDueMs] : [leading.heartbeatDueMs];
    if (leading !== null) {
      dues.push(leading.quorumCheckedMs + options.electionTimeoutMs, leading.transfer?.deadlineMs ?? Infinity);
    }
    for (const pending of [forwarded, askedReads]) {
      for (const { deadlineMs } of pending.values()) {
        dues.push(deadlineMs);
        break;
      }
    }
    return Math.min(...dues);
  }

  /** Takes over `message` from a member: its bytes must not change any more. Gives why it was not taken, or null. */
  step(from: PeerId, message: Message, nowMs: number): string | null {
    const core = this.#at(nowMs);
    if (from === core.id) return null;
    const reason = objection(core, from, message);
    if (reason === null) this.#take(core, from, message);
    core.leading?.spoken.add(from);
    return reason;
  }

  #take(core: Core, from: PeerId, message: Message): void {
    switch (message.kind) {
      case "propose":
        return onPropose(core, from, message);
      case "proposeResponse":
        return onProposeResponse(core, message);
      case "read":
        return onRead(core, from, message);
      case "readResponse":
        return onReadResponse(core, message);
      case "voteRequest":
        return onVoteRequest(core, from, message);
      default:
        if (meetTerm(core, from, message)) this.#stepInTerm(from, message);
    }
  }

  #stepInTerm(from: PeerId, message: InTerm): void {
    const core = this.#core;
    switch (message.kind) {
      case "voteResponse":
        return onVoteResponse(core, from, message);
      case "append":
        return onAppend(core, from, message);
      case "appendResponse":
        return onAppendResponse(core, from, message);
      case "heartbeat":
        return onHeartbeat(core, from, message);
      case "heartbeatResponse":
        return onHeartbeatResponse(core, from, message);
      case "snapshotChunk":
        return onSnapshotChunk(core, from, message);
      case "snapshotResponse":
        return onSnapshotResponse(core, from, message);
      case "timeoutNow":
        return onTimeoutNow(core);
      default:
        return unreachable(message);
    }
  }

  /** Takes over `data`. */
  propose(data: Uint8Array, nowMs: number): ProposeResult {
    return propose(this.#at(nowMs), data);
  }

  /** At the leader only, one change at a time. */
  proposeMembership(change: MembershipChange, nowMs: number): MembershipResult {
    return proposeMembership(this.#at(nowMs), change);
  }

  transferLeader(to: PeerId, nowMs: number): TransferResult {
    return startTransfer(this.#at(nowMs), to);
  }

  /** Asks for a linearizable read under the caller's number `id`; a Ready answers. */
  read(id: number, nowMs: number): void {
    read(this.#at(nowMs), id);
  }

  hasReady(): boolean {
    const core = this.#core;
    if (this.#isOut) return false;
    if (core.leading !== null) flush(core, core.leading);
    const { log } = core;
    return (
      core.messages.length > 0 ||
      log.installing !== null ||
      log.stable < log.lastIndex ||
      log.applied < log.commit ||
      core.outcomes.length > 0 ||
      core.failedReads.length > 0 ||
      core.confirmedReads.some(({ index }) => index <= log.applied) ||
      this.#hardStateToSave(false) !== null ||
      this.#roleChange() !== null
    );
  }

  /** What is to be done now. Only one at a time: `advance` it before asking for the next. */
  ready(): Ready {
    invariant(!this.#isOut, "a Ready is asked for before the last one was advanced");
    const core = this.#core;
    if (core.leading !== null) flush(core, core.leading);
    const { log } = core;
    const entries = log.unstable();
    const snapshot = log.installing;
    const hardState = this.#hardStateToSave(entries.length > 0 || snapshot !== null);
    const committed = log.entries(log.applied + 1, log.commit + 1, COMMITTED_BYTES_MAX);
    const role = this.#roleChange();
    const reads = [...core.failedReads, ...takeConfirmed(core, committed.at(-1)?.index ?? log.applied)];
    const ready: Ready = {
      hardState,
      snapshot,
      entries,
      messages: core.messages,
      role,
      committed,
      reads,
      outcomes: core.outcomes,
    };
    core.messages = [];
    core.outcomes = [];
    core.failedReads = [];
    if (hardState !== null) core.saved = hardState;
    if (role !== null) this.#role = role;
    this.#isOut = true;
    return ready;
  }

  /** All of `ready` is done. */
  advance(ready: Ready): void {
    invariant(this.#isOut, "there is no Ready to advance");
    this.#isOut = false;
    const core = this.#core;
    const { log } = core;
    if (ready.snapshot !== null) log.installed(ready.snapshot);
    const saved = ready.entries.at(-1);
    if (saved !== undefined) log.stableTo(saved.index, saved.term);
    const applied = ready.committed.at(-1);
    if (applied !== undefined && applied.index > log.applied) log.appliedTo(applied.index);
    if (core.leading !== null) advanceCommit(core, core.leading);
  }

  /**
   * Replaces what is applied by a snapshot of the state machine at `index` (applied, at most `status().applied`).
   * `keepEntries` before it stay, for followers that lag a little.
   */
  compact({ index, data, keepEntries }: { index: number; data: Uint8Array; keepEntries: number }): void {
    const { log, members } = this.#core;
    invariant(data.length <= SNAPSHOT_BYTES_MAX, "a snapshot above the limit");
    const term = log.term(index);
    invariant(term !== null && index >= 1, "a snapshot of an index that the log does not have");
    const meta = { index, term, membership: members.at(index), bytes: data.length };
    log.compact(Math.max(0, index - keepEntries), { meta, data });
    members.compactTo(index);
  }

  /** Null where log and snapshot do not tell. */
  termAt(index: number): number | null {
    return this.#core.log.term(index);
  }

  status(nowMs: number): RaftStatus {
    const core = this.#at(nowMs);
    const { log, members, leading } = core;
    return {
      ...this.#roleNow(),
      id: core.id,
      firstIndex: log.firstIndex,
      lastIndex: log.lastIndex,
      commit: log.commit,
      applied: log.applied,
      snapshotIndex: log.snapshot?.index ?? 0,
      membership: members.current,
      isMembershipPending: log.commit < members.index,
      leaseLeftMs: leading === null ? 0 : Math.max(0, leaseLeftMs(core, leading)),
      transferTo: leading?.transfer?.to ?? null,
    };
  }

  /** At a leader all other members, also those about to leave; elsewhere empty. */
  progress(nowMs: number): PeerProgress[] {
    const { leading, log, members } = this.#at(nowMs);
    return [...(leading?.peers ?? [])].map(([peer, { state, match, next, heardMs, inflightCount }]) => ({
      peer,
      isVoter: members.current.voters.includes(peer),
      state,
      match,
      next,
      lagEntries: log.lastIndex - match,
      silentMs: nowMs - heardMs,
      inflightCount,
    }));
  }

  /** Entries of this node's log, for inspection: `from <= index < to`. */
  entries(from: number, to: number, bytesMax: number): readonly Entry[] {
    return this.#core.log.entries(from, to, bytesMax);
  }

  #at(nowMs: number): Core {
    this.#core.nowMs = Math.max(this.#core.nowMs, nowMs);
    return this.#core;
  }

  #roleNow(): RoleChange {
    const { role, term, leader } = this.#core;
    return { role, term, leader };
  }

  #roleChange(): RoleChange | null {
    const now = this.#roleNow();
    const last = this.#role;
    return now.role === last.role && now.term === last.term && now.leader === last.leader ? null : now;
  }

  /** The commit index alone is not worth a write to the disk: it goes `along` with others. */
  #hardStateToSave(along: boolean): HardState | null {
    const { term, vote, saved, log } = this.#core;
    const isNew = term !== saved.term || vote !== saved.vote || (along && log.commit !== saved.commit);
    return isNew ? { term, vote, commit: log.commit } : null;
  }
}
