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
} from "../state/mod.ts";
import { ConsensusError } from "./error.ts";
import { Lanes } from "./lanes.ts";

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

/** A proposal that was refused for the moment. */
const RETRY_MS = 40;
/** One that a leader has taken, which may have gone since. */
const RESEND_MS = 2_000;

interface Pending {
  readonly data: Uint8Array;
  readonly request: RequestId;
  readonly deadline: TimerId;
  retry: TimerId | null;
  readonly resolve: (outcome: Outcome) => void;
  readonly reject: (error: ConsensusError) => void;
  readonly answer: Promise<Outcome>;
}

export class Proposer {
  readonly #options: ProposerOptions;
  readonly #lanes: Lanes;
  readonly #pending = new Map<string, Pending>();
  #isStopped = false;

  constructor(options: ProposerOptions) {
    this.#options = options;
    this.#lanes = new Lanes(options);
  }

  get pendingCount(): number {
    return this.#pending.size;
  }

  /**
   * What the replicated state answers, once this node has applied the command. `given` names a command that its sender may
   * have sent through another node before.
   *
   * @throws {ConsensusError} timeout (whether it was applied is not known), full, too-large, stopped
   * @throws {StateError} bad-command
   */
  propose(command: Command, by: Actor, timeoutMs: number, given?: RequestId): Promise<Outcome> {
    if (this.#isStopped) return Promise.reject(stopped());
    const known = given === undefined ? undefined : this.#pending.get(keyOf(given));
    if (known !== undefined) return known.answer;
    const request = given ?? this.#lanes.open();
    if (request === null) return Promise.reject(full());
    const { clock, timers } = this.#options;
    const envelope = { by, atMs: Math.max(0, Math.floor(clock.wallMs())), request, command };
    let data: Uint8Array;
    try {
      data = encodeCommand(envelope, this.#options.format());
    } catch (error) {
      this.#lanes.close(request);
      return Promise.reject(error as Error);
    }
    const { promise: answer, resolve, reject } = Promise.withResolvers<Outcome>();
    const deadline = timers.after(timeoutMs, () => {
      this.#settle(pending);
      reject(timeout(command.kind, timeoutMs));
    });
    const pending: Pending = { data, request, deadline, retry: null, resolve, reject, answer };
    this.#pending.set(keyOf(request), pending);
    this.#send(pending);
    return answer;
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

  #isPending(pending: Pending): boolean {
    return this.#pending.get(keyOf(pending.request)) === pending;
  }

  #settle({ request, deadline, retry }: Pending): void {
    const { timers } = this.#options;
    this.#pending.delete(keyOf(request));
    this.#lanes.close(request);
    timers.cancel(deadline);
    if (retry !== null) timers.cancel(retry);
  }
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
    `${kind} got no answer within ${Math.round(timeoutMs)} ms: a majority of the voters may be out of reach. See: sage cluster status`,
  );
}
