/**
 * The whole state of one machine. The files beside this one are functions over it; `raft.ts` is its only owner.
 *
 * Nothing here acts: what is to be sent, saved, applied and answered is collected and handed out by `Raft.ready`.
 */
import { invariant, type PeerId } from "../kernel/mod.ts";
import { RaftLog } from "./log.ts";
import { MembershipHistory } from "./membership.ts";
import type { Envelope, HardState, Message, ProposalOutcome, SnapshotMeta } from "./messages.ts";
import type { Progress } from "./progress.ts";
import { type Ballot, type RaftRules, type Role, RULES } from "./rules.ts";
import type { RaftStore } from "./store.ts";

export type RaftOptions = {
  readonly id: PeerId;
  /** Least time without a leader after which a voter campaigns; the actual time is one to two of these. */
  readonly electionTimeoutMs: number;
  /** A few of these must fit into `electionTimeoutMs`. */
  readonly heartbeatMs: number;
  /** 0 ≤ x < 1. */
  readonly random: () => number;
  /** Only tests that look for their own blind spots give others. */
  readonly rules?: RaftRules;
};

export type ReadOutcome =
  /** All that was committed before the read was asked for is in the state machine, once this Ready is applied. */
  | { readonly kind: "ready"; readonly read: number }
  /** Nothing is known; ask again. */
  | { readonly kind: "failed"; readonly read: number; readonly reason: "no-leader" | "full" | "lost" };

export type ForwardedOutcome = { readonly proposal: number; readonly outcome: ProposalOutcome };

/** A read that waits for its leader to be confirmed. `peer` asked for it, null: this node itself. */
export type WaitingRead = { readonly peer: PeerId | null; readonly read: number; readonly round: number };

/** A snapshot that is arriving. */
export type Arriving = {
  readonly from: PeerId;
  readonly meta: SnapshotMeta;
  readonly parts: Uint8Array[];
  received: number;
};

/** What only a leader has. */
export type Leading = {
  /** All members but the leader itself. */
  readonly peers: Map<PeerId, Progress>;
  /** Index of this term's first entry. */
  readonly noopIndex: number;
  heartbeatDueMs: number;
  /** Learners decide nothing: they are kept awake less often. */
  learnersDueMs: number;
  quorumCheckedMs: number;
  /** Last heartbeat round sent, and when those were sent that no majority answered yet. */
  round: number;
  rounds: { readonly round: number; readonly sentMs: number }[];
  isRoundWanted: boolean;
  leaseEndMs: number;
  /** A successor was told to campaign in this term: no lease can be trusted until the next. */
  isLeaseBroken: boolean;
  transfer: { readonly to: PeerId; readonly deadlineMs: number } | null;
  uncommittedBytes: number;
  reads: WaitingRead[];
  /** Have spoken since `flushed`: only they can take more now, as long as what all of them wait for is the same. */
  readonly spoken: Set<PeerId>;
  flushed: { readonly lastIndex: number; readonly commit: number; readonly snapshot: SnapshotMeta | null } | null;
};

export type Pending = { readonly deadlineMs: number };

export class Core {
  readonly id: PeerId;
  readonly options: RaftOptions;
  readonly rules: RaftRules;
  readonly store: RaftStore;
  readonly log: RaftLog;
  readonly members: MembershipHistory;
  nowMs: number;
  term: number;
  vote: PeerId | null;
  role: Role = "follower";
  leader: PeerId | null = null;
  /** Hard state as it was last handed out for saving. */
  saved: HardState;
  electionDueMs: number;
  /** When a leader last spoke. Until one election timeout later this node helps nobody else, in whatever term. */
  leaderHeardMs = Number.NEGATIVE_INFINITY;
  /** A node forgets in a crash what it promised to a leader: it keeps still for as long as that could hold. */
  readonly stillUntilMs: number;
  ballots: Ballot[] = [];
  leading: Leading | null = null;
  arriving: Arriving | null = null;
  /** Asked of the leader, by the name used on the wire. */
  readonly forwarded = new Map<number, Pending>();
  readonly askedReads = new Map<number, Pending & { readonly read: number }>();
  #lastName: number;
  /** To be handed out. */
  messages: Envelope[] = [];
  outcomes: ForwardedOutcome[] = [];
  failedReads: ReadOutcome[] = [];
  /** Confirmed, waiting until `index` is applied. */
  confirmedReads: { readonly read: number; readonly index: number }[] = [];

  constructor(options: RaftOptions, store: RaftStore, nowMs: number) {
    invariant(options.heartbeatMs > 0 && options.electionTimeoutMs > options.heartbeatMs, "timeouts out of proportion");
    const stored = store.load();
    this.id = options.id;
    this.options = options;
    this.rules = options.rules ?? RULES;
    this.store = store;
    this.log = new RaftLog(store, stored);
    this.members = new MembershipHistory(stored);
    this.nowMs = nowMs;
    this.saved = stored.hardState ?? { term: 0, vote: null, commit: 0 };
    this.term = this.saved.term;
    this.vote = this.saved.vote;
    invariant(this.log.end.term <= this.term, "the log has an entry of a term not reached yet");
    const isNew = stored.hardState === null && stored.lastIndex === 0;
    this.stillUntilMs = isNew ? Number.NEGATIVE_INFINITY : nowMs + options.electionTimeoutMs;
    this.electionDueMs = this.isOnlyVoter ? nowMs : this.#someElectionTimeMs();
    this.#lastName = Math.floor(options.random() * 2 ** 31) * 2 ** 20;
  }

  get isVoter(): boolean {
    return this.members.current.voters.includes(this.id);
  }

  /**
   * Voters campaign, and also a node that is left out by a membership not known to be committed: it may hold the only copy,
   * without which the rest can elect nobody (Ongaro 2014, 4.2.2).
   */
  get mayCampaign(): boolean {
    const { commit } = this.log;
    return this.isVoter || (commit < this.members.index && this.members.at(commit).voters.includes(this.id));
  }

  /** Nobody else can be leader, so there is nothing to wait for. */
  get isOnlyVoter(): boolean {
    return this.isVoter && this.members.current.voters.length === 1;
  }

  send(to: PeerId, message: Message): void {
    if (to !== this.id) this.messages.push({ to, message });
  }

  /** A name for a question to another node that differs from those of earlier runs of this one. */
  name(): number {
    return ++this.#lastName;
  }

  #someElectionTimeMs(): number {
    return this.nowMs + this.options.electionTimeoutMs * (1 + this.options.random());
  }

  restartElectionTimer(): void {
    this.electionDueMs = this.#someElectionTimeMs();
  }

  /** The leader of this term spoke. */
  heardLeader(leader: PeerId): void {
    invariant(this.leader === null || this.leader === leader, "two leaders in one term");
    this.leader = leader;
    this.leaderHeardMs = this.nowMs;
    this.restartElectionTimer();
  }

  /** A leader may rely on this node not to help another one to power. */
  get isBound(): boolean {
    if (this.role === "leader" || this.nowMs < this.stillUntilMs) return true;
    return this.nowMs < this.leaderHeardMs + this.options.electionTimeoutMs;
  }

  /** The leader's state, or null. */
  progressOf(peer: PeerId): Progress | null {
    return this.leading?.peers.get(peer) ?? null;
  }

  setTerm(term: number): void {
    invariant(term > this.term, "terms only grow");
    this.term = term;
    this.vote = null;
    this.leader = null;
    this.#loseQuestions();
  }

  /** The leader that was asked leads no more: whoever waits for its answers asks the next one now. */
  #loseQuestions(): void {
    for (const proposal of this.forwarded.keys()) {
      this.outcomes.push({ proposal, outcome: { kind: "dropped", reason: "lost" } });
    }
    for (const { read } of this.askedReads.values()) this.failedReads.push({ kind: "failed", read, reason: "lost" });
    this.forwarded.clear();
    this.askedReads.clear();
  }
}

/** Ends whatever role this node had. Same term: it keeps its vote. */
export function becomeFollower(core: Core, term: number, leader: PeerId | null): void {
  const { leading } = core;
  if (term > core.term) core.setTerm(term);
  core.role = "follower";
  core.leader = leader;
  core.leading = null;
  core.ballots = [];
  core.restartElectionTimer();
  for (const { peer, read } of leading?.reads ?? []) {
    if (peer === null) core.failedReads.push({ kind: "failed", read, reason: "lost" });
    else core.send(peer, { kind: "readResponse", term: 0, read, index: null });
  }
}
