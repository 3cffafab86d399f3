import type { Consensus } from "../cluster/mod.ts";
import type { Clock, PeerId } from "../kernel/mod.ts";
import type { Message } from "../raft/mod.ts";

/**
 * When this node was last level with its leader: had applied all that was committed, as far as it can know.
 *
 * A heartbeat names no more than its receiver is known to hold, so a node that is far behind, or has just joined, learns
 * from appends only how much there is.
 */
export class Level {
  readonly #clock: Clock;
  readonly #consensus: Consensus;
  #atMs: number | null = null;
  /** The term in which a leader has told how much is committed, and what it told. */
  #term = -1;
  #commit = 0;

  constructor(clock: Clock, consensus: Consensus) {
    this.#clock = clock;
    this.#consensus = consensus;
  }

  /** Monotonic; null: not since the process started. */
  get atMs(): number | null {
    return this.#atMs;
  }

  /** Looks at a message that consensus has just taken. */
  heard(from: PeerId, message: Message): void {
    if (message.kind !== "heartbeat" && message.kind !== "append") return;
    const { leader, term, applied } = this.#consensus.status();
    if (leader !== from || term !== message.term) return;
    if (message.kind === "append") {
      this.#commit = this.#term === term ? Math.max(this.#commit, message.commit) : message.commit;
      this.#term = term;
    }
    if (this.#term === term && applied >= this.#commit) this.#atMs = this.#clock.nowMs();
  }

  /** A leader that has applied an entry of its own term has applied all before it. */
  look(): void {
    const { role, term, applied } = this.#consensus.status();
    if (role === "leader" && this.#consensus.termAt(applied) === term) this.#atMs = this.#clock.nowMs();
  }
}
