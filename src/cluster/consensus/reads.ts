import type { Clock, TimerId, Timers } from "../../kernel/mod.ts";
import type { ReadOutcome } from "../../raft/mod.ts";
import { ConsensusError } from "./error.ts";

/** A read that found no leader, or lost it, asks again after this. */
const RETRY_MS = 50;
/** Reads that wait at one node. */
const WAITING_MAX = 10_000;

interface Waiting {
  readonly deadline: TimerId;
  readonly resolve: () => void;
  readonly reject: (error: ConsensusError) => void;
}

/** Linearizable reads that wait for their confirmation; one that fails is asked again until its time is over. */
export class Reads {
  readonly #options: { readonly clock: Clock; readonly timers: Timers; ask(id: number): void };
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;
  #isStopped = false;

  constructor(options: { readonly clock: Clock; readonly timers: Timers; ask(id: number): void }) {
    this.#options = options;
  }

  read(timeoutMs: number): Promise<void> {
    if (this.#isStopped) return Promise.reject(stopped());
    if (this.#waiting.size >= WAITING_MAX) {
      return Promise.reject(new ConsensusError("full", `Cannot read: ${WAITING_MAX} reads wait already. Try again.`));
    }
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      const deadline = this.#options.timers.after(timeoutMs, () => {
        this.#waiting.delete(id);
        reject(
          new ConsensusError("timeout", `Cannot read: no leader confirmed it within ${Math.round(timeoutMs)} ms.`),
        );
      });
      this.#waiting.set(id, { deadline, resolve, reject });
      this.#options.ask(id);
    });
  }

  answered(outcomes: readonly ReadOutcome[]): void {
    for (const { kind, read } of outcomes) {
      const waiting = this.#waiting.get(read);
      if (waiting === undefined) continue;
      if (kind === "ready") {
        this.#waiting.delete(read);
        this.#options.timers.cancel(waiting.deadline);
        waiting.resolve();
      } else this.#options.timers.after(RETRY_MS, () => this.#again(read));
    }
  }

  stop(): void {
    this.#isStopped = true;
    for (const { deadline, reject } of this.#waiting.values()) {
      this.#options.timers.cancel(deadline);
      reject(stopped());
    }
    this.#waiting.clear();
  }

  #again(id: number): void {
    if (this.#waiting.has(id)) this.#options.ask(id);
  }
}

function stopped(): ConsensusError {
  return new ConsensusError("stopped", "Cannot read: this node is stopping.", { retryable: true });
}
