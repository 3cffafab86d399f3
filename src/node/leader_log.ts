import type { Clock, Log, PeerId } from "../kernel/mod.ts";
import type { RoleChange } from "../raft/mod.ts";

/** Elections pass; what lasts longer someone should know. */
const LEADERLESS_MS = 5_000;

export interface LeaderLogOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly nameOf: (peer: PeerId) => string | null;
}

/** Says who leads, and when nobody does for long. */
export class LeaderLog {
  readonly #options: LeaderLogOptions;
  /** Null: there is a leader, or its absence has been told. */
  #leaderlessSinceMs: number | null;

  constructor(options: LeaderLogOptions) {
    this.#options = options;
    this.#leaderlessSinceMs = options.clock.nowMs();
  }

  changed({ role, term, leader }: RoleChange): void {
    const { clock, log, nameOf } = this.#options;
    this.#leaderlessSinceMs = leader === null ? (this.#leaderlessSinceMs ?? clock.nowMs()) : null;
    if (role === "leader") log.write("info", "node is leader", { term });
    else if (leader === null) log.write("debug", `node is ${role}`, { term });
    else log.write("info", "node follows its leader", { leader: nameOf(leader) ?? leader, term });
  }

  /** To be called now and then. */
  look(): void {
    const { clock, log } = this.#options;
    if (this.#leaderlessSinceMs === null || clock.nowMs() - this.#leaderlessSinceMs < LEADERLESS_MS) return;
    this.#leaderlessSinceMs = null;
    log.write("warn", "no leader", { reason: "a majority of the voters is needed: start those that do not run" });
  }
}
