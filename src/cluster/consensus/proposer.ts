/**
 * Brings commands into the log, each once, whatever happens to leaders and messages on the way.
 *
 * A command without an answer is proposed again under the same request id; the replicated state applies one copy and answers
 * the others from its session. The state lets a session have `SESSION_WINDOW_MAX` requests on their way, so there are several.
 */
import type { Clock, Random, TimerId, Timers } from "../../kernel/mod.ts";
import type { DropReason } from "../../raft/mod.ts";
import {
  type Actor,
  type ApplyResult,
  type Command,
  encodeCommand,
  type Outcome,
  type RequestId,
  SESSION_WINDOW_MAX,
} from "../state/mod.ts";
import { ConsensusError } from "./error.ts";

export interface ProposerOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly timers: Timers;
  /** Index that is applied here. */
  readonly appliedIndex: () => number;
  /** Format in which commands are to be proposed now. */
  readonly format: () => number;
  readonly propose: (data: Uint8Array, dropped: (reason: DropReason) => void) => void;
}

/** Sessions of one node at a time; with their windows they bound what is on its way. */
const LANES_MAX = 64;
/** The state may have forgotten a session that rested for so long. */
const LANE_IDLE_MS = 60_000;
/** A proposal that was refused for the moment. */
const RETRY_MS = 40;
/** One that a leader has taken, which may have gone since. */
const RESEND_MS = 2_000;

/** A session: its requests are numbered, and those without an answer lie within one window. */
interface Lane {
  readonly session: string;
  readonly since: number;
  readonly open: Set<number>;
  lastSequence: number;
  usedMs: number;
}

interface Pending {
  readonly data: Uint8Array;
  readonly lane: Lane;
  readonly sequence: number;
  readonly deadline: TimerId;
  retry: TimerId | null;
  readonly resolve: (outcome: Outcome) => void;
  readonly reject: (error: ConsensusError) => void;
}

export class Proposer {
  readonly #options: ProposerOptions;
  #lanes: Lane[] = [];
  readonly #pending = new Map<string, Pending>();
  #isStopped = false;

  constructor(options: ProposerOptions) {
    this.#options = options;
  }

  get pendingCount(): number {
    return this.#pending.size;
  }

  /**
   * What the replicated state answers, once this node has applied the command.
   *
   * @throws {ConsensusError} timeout (whether it was applied is not known), full, too-large, stopped
   * @throws {StateError} bad-command
   */
  propose(command: Command, by: Actor, timeoutMs: number): Promise<Outcome> {
    if (this.#isStopped) return Promise.reject(stopped());
    const lane = this.#lane();
    if (lane === null) return Promise.reject(full());
    const sequence = lane.lastSequence + 1;
    const request = requestOf(lane, sequence);
    const { clock, timers } = this.#options;
    const envelope = { by, atMs: Math.max(0, Math.floor(clock.wallMs())), request, command };
    const data = encodeCommand(envelope, this.#options.format());
    lane.lastSequence = sequence;
    lane.open.add(sequence);
    lane.usedMs = clock.nowMs();
    return new Promise((resolve, reject) => {
      const deadline = timers.after(timeoutMs, () => {
        this.#settle(pending);
        reject(timeout(command.kind, timeoutMs));
      });
      const pending: Pending = { data, lane, sequence, deadline, retry: null, resolve, reject };
      this.#pending.set(keyOf(request), pending);
      this.#send(pending);
    });
  }

  /** To be told of every entry that is applied here. */
  applied(result: ApplyResult): void {
    if (result.request === null) return;
    const pending = this.#pending.get(keyOf(result.request));
    if (pending === undefined) return;
    this.#settle(pending);
    pending.resolve(result.outcome);
  }

  /** The state was replaced by a newer one, in which answers may lie that this node did not see go by. */
  restored(): void {
    for (const pending of this.#pending.values()) this.#later(pending, 0);
  }

  stop(): void {
    this.#isStopped = true;
    for (const pending of this.#pending.values()) {
      this.#settle(pending);
      pending.reject(stopped());
    }
  }

  #send(pending: Pending): void {
    this.#later(pending, RESEND_MS);
    this.#options.propose(pending.data, (reason) => this.#dropped(pending, reason));
  }

  #dropped(pending: Pending, reason: DropReason): void {
    if (!this.#isPending(pending)) return;
    if (reason !== "too-large") return this.#later(pending, RETRY_MS * (0.5 + this.#options.random.next()));
    this.#settle(pending);
    pending.reject(new ConsensusError("too-large", "Cannot propose a command of this size. Send it in parts."));
  }

  #later(pending: Pending, delayMs: number): void {
    const { timers } = this.#options;
    if (pending.retry !== null) timers.cancel(pending.retry);
    pending.retry = timers.after(delayMs, () => {
      if (this.#isPending(pending)) this.#send(pending);
    });
  }

  #isPending({ lane, sequence }: Pending): boolean {
    return lane.open.has(sequence);
  }

  #settle(pending: Pending): void {
    const { timers } = this.#options;
    const { lane, sequence, deadline, retry } = pending;
    this.#pending.delete(`${lane.session}/${sequence}`);
    lane.open.delete(sequence);
    timers.cancel(deadline);
    if (retry !== null) timers.cancel(retry);
  }

  /** A session with room for one more request. */
  #lane(): Lane | null {
    const { clock, random, appliedIndex } = this.#options;
    const nowMs = clock.nowMs();
    this.#lanes = this.#lanes.filter((lane) => lane.open.size > 0 || nowMs - lane.usedMs < LANE_IDLE_MS);
    const roomy = this.#lanes.find((lane) => lane.lastSequence - answeredTo(lane) < SESSION_WINDOW_MAX);
    if (roomy !== undefined) return roomy;
    if (this.#lanes.length >= LANES_MAX) return null;
    const session = [...random.bytes(12)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    const lane: Lane = { session, since: appliedIndex(), open: new Set(), lastSequence: 0, usedMs: nowMs };
    this.#lanes.push(lane);
    return lane;
  }
}

/** All requests up to here have their answers: sets keep the order in which requests came, the first is the oldest. */
function answeredTo({ open, lastSequence }: Lane): number {
  const [oldest] = open;
  return oldest === undefined ? lastSequence : oldest - 1;
}

function requestOf(lane: Lane, sequence: number): RequestId {
  return { session: lane.session, sequence, answeredTo: answeredTo(lane), since: lane.since };
}

function keyOf({ session, sequence }: Pick<RequestId, "session" | "sequence">): string {
  return `${session}/${sequence}`;
}

function stopped(): ConsensusError {
  return new ConsensusError("stopped", "Cannot propose: this node is stopping. Ask another one.", { retryable: true });
}

function full(): ConsensusError {
  return new ConsensusError("full", "Cannot propose: too many commands of this node have no answer yet. Try again.");
}

function timeout(kind: string, timeoutMs: number): ConsensusError {
  return new ConsensusError(
    "timeout",
    `${kind} got no answer within ${timeoutMs} ms: a majority of the voters may be out of reach. See: sage cluster status`,
  );
}
