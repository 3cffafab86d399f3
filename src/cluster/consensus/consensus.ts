/**
 * Drives the consensus machine: clock and messages go in; what it has ready is saved, then sent, then applied.
 *
 * All that arrives in one turn is handled in one round at its end, so that many proposals share one durable write. A write
 * that fails is the end: what is not saved must not be sent, so this node falls silent and says why.
 */
import type { Clock, PeerId, TimerId, Timers } from "../../kernel/mod.ts";
import {
  changeOf,
  type DropReason,
  type Entry,
  type MembershipChange,
  type MembershipResult,
  type Message,
  type PeerProgress,
  Raft,
  type RaftOptions,
  type RaftStatus,
  type RaftStore,
  type Ready,
  type RoleChange,
  type TransferResult,
} from "../../raft/mod.ts";
import { Reads } from "./reads.ts";

/** What the log is for. */
export interface Machine {
  /** Applies an entry; its effects on the store are done when this returns. */
  readonly apply: (index: number, data: Uint8Array) => void;
  readonly snapshot: () => Uint8Array;
  /** Replaces the whole state. */
  readonly restore: (snapshot: Uint8Array) => void;
}

/** When the log is cut off and what stays of it. */
export interface SnapshotPolicy {
  /** Entries applied since the last snapshot, or their bytes, after which the next is made. */
  readonly everyEntries: number;
  readonly everyBytes: number;
  /** Entries before a snapshot that stay in the log, for followers that lag a little. */
  readonly keepEntries: number;
}

const SNAPSHOT_POLICY: SnapshotPolicy = { everyEntries: 20_000, everyBytes: 32 << 20, keepEntries: 2_000 };

export interface ConsensusOptions {
  readonly raft: RaftOptions;
  readonly snapshots?: Partial<SnapshotPolicy>;
  readonly store: RaftStore;
  readonly machine: Machine;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly post: (to: PeerId, message: Message) => void;
  readonly roleChanged: (change: RoleChange) => void;
  /** A change of who votes and who follows is committed. */
  readonly membershipChanged: () => void;
  /** The node cannot go on: its disk refused a write, or the log holds what it does not understand. */
  readonly failed: (error: unknown) => void;
}

/** Least time from one look at the clock to the next. */
const TICK_MS_MIN = 1;

type Dropped = (reason: DropReason) => void;

export class Consensus {
  readonly #options: ConsensusOptions;
  readonly #snapshots: SnapshotPolicy;
  readonly #raft: Raft;
  readonly #reads: Reads;
  readonly #forwarded = new Map<number, Dropped>();
  #entriesSinceSnapshot = 0;
  #bytesSinceSnapshot = 0;
  #isScheduled = false;
  #isStopped = false;
  #timer: TimerId | null = null;
  /** When the timer rings; the machine may have put off what it was set for. */
  #ringsMs = Number.POSITIVE_INFINITY;

  /** Goes on where the store ends: `machine` is restored from its snapshot first. */
  constructor(options: ConsensusOptions) {
    const { raft, store, machine, clock, timers } = options;
    this.#options = options;
    this.#snapshots = { ...SNAPSHOT_POLICY, ...options.snapshots };
    const { snapshot } = store.load();
    if (snapshot !== null && snapshot.bytes > 0) machine.restore(store.snapshotBytes(0, snapshot.bytes));
    this.#raft = new Raft(raft, store, clock.nowMs());
    this.#reads = new Reads({ clock, timers, ask: (id) => this.#input(() => this.#raft.read(id, clock.nowMs())) });
    this.#schedule();
    this.#arm();
  }

  /** Gives why the message was not taken; null when it was. */
  step(from: PeerId, message: Message): string | null {
    let reason: string | null = null;
    this.#input(() => {
      reason = this.#raft.step(from, message, this.#nowMs);
    });
    return reason;
  }

  /** Hands `data` to the leader. That it was applied is seen at the machine; `dropped` is called when it surely was not taken, or got lost. */
  propose(data: Uint8Array, dropped: Dropped): void {
    if (this.#isStopped) return dropped("no-leader");
    const result = this.#raft.propose(data, this.#nowMs);
    if (result.kind === "dropped") return dropped(result.reason);
    if (result.kind === "forwarded") this.#forwarded.set(result.proposal, dropped);
    this.#schedule();
  }

  /**
   * Resolves when all that was committed before the call is applied here.
   *
   * @throws {ConsensusError} timeout, stopped
   */
  read(timeoutMs: number): Promise<void> {
    return this.#reads.read(timeoutMs);
  }

  changeMembership(change: MembershipChange): MembershipResult {
    const result = this.#raft.proposeMembership(change, this.#nowMs);
    this.#schedule();
    return result;
  }

  transferLeader(to: PeerId): TransferResult {
    const result = this.#raft.transferLeader(to, this.#nowMs);
    this.#schedule();
    return result;
  }

  status(): RaftStatus {
    return this.#raft.status(this.#nowMs);
  }

  progress(): readonly PeerProgress[] {
    return this.#raft.progress(this.#nowMs);
  }

  termAt(index: number): number | null {
    return this.#raft.termAt(index);
  }

  /** No message, no write and no answer after this. */
  stop(): void {
    this.#isStopped = true;
    this.#reads.stop();
  }

  get #nowMs(): number {
    return this.#options.clock.nowMs();
  }

  #input(run: () => void): void {
    if (this.#isStopped) return;
    run();
    this.#schedule();
    this.#arm();
  }

  /** Sees to it that the clock is looked at in time for what the machine does next; an earlier look does no harm. */
  #arm(): void {
    const dueMs = this.#raft.dueMs();
    if (this.#timer !== null && this.#ringsMs <= dueMs) return;
    const { timers } = this.#options;
    if (this.#timer !== null) timers.cancel(this.#timer);
    const delayMs = Math.max(TICK_MS_MIN, dueMs - this.#nowMs);
    this.#ringsMs = this.#nowMs + delayMs;
    this.#timer = timers.after(delayMs, () => {
      this.#timer = null;
      this.#input(() => this.#raft.tick(this.#nowMs));
    });
  }

  /** One round at the end of the turn, if there is anything to do. */
  #schedule(): void {
    if (this.#isScheduled || this.#isStopped || !this.#raft.hasReady()) return;
    this.#isScheduled = true;
    this.#options.clock.soon(() => {
      this.#isScheduled = false;
      this.#round();
      // Awake anyway: what has slack needs no wake of its own.
      this.#options.timers.look();
    });
  }

  #round(): void {
    try {
      while (!this.#isStopped && this.#raft.hasReady()) this.#handle(this.#raft.ready());
      this.#compact();
      if (!this.#isStopped) this.#arm();
    } catch (error) {
      this.stop();
      this.#options.failed(error);
    }
  }

  #handle(ready: Ready): void {
    const { store, machine, post, roleChanged } = this.#options;
    const change = changeOf(ready);
    if (change !== null) store.save(change);
    for (const { to, message } of ready.messages) post(to, message);
    if (ready.snapshot !== null) {
      machine.restore(ready.snapshot.data);
      this.#entriesSinceSnapshot = 0;
      this.#bytesSinceSnapshot = 0;
    }
    for (const entry of ready.committed) this.#apply(entry);
    this.#raft.advance(ready);
    if (ready.role !== null) roleChanged(ready.role);
    this.#reads.answered(ready.reads);
    for (const { proposal, outcome } of ready.outcomes) {
      const dropped = this.#forwarded.get(proposal);
      this.#forwarded.delete(proposal);
      if (outcome.kind === "dropped") dropped?.(outcome.reason);
    }
  }

  #apply(entry: Entry): void {
    this.#entriesSinceSnapshot++;
    if (entry.kind === "membership") this.#options.membershipChanged();
    if (entry.kind !== "data") return;
    this.#bytesSinceSnapshot += entry.data.length;
    this.#options.machine.apply(entry.index, entry.data);
  }

  #compact(): void {
    const { everyEntries, everyBytes, keepEntries } = this.#snapshots;
    const isDue = this.#entriesSinceSnapshot >= everyEntries || this.#bytesSinceSnapshot >= everyBytes;
    if (!isDue || this.#isStopped) return;
    const index = this.status().applied;
    this.#raft.compact({ index, data: this.#options.machine.snapshot(), keepEntries });
    this.#entriesSinceSnapshot = 0;
    this.#bytesSinceSnapshot = 0;
  }
}
