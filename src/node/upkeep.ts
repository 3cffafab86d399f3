/** What a node does for itself once in a while: its entry in the log, its certificate, the content it misses. */
import { type Command, ConsensusError } from "../cluster/mod.ts";
import type { Company } from "./company.ts";
import type { LeaderLog } from "./leader_log.ts";
import type { NodeParts } from "./parts.ts";
import { isSameInfo } from "./standing.ts";

export interface UpkeepOptions extends NodeParts {
  readonly leaderLog: LeaderLog;
  /** Null until the node is ready. */
  readonly company: () => Company | null;
}

export class Upkeep {
  readonly #options: UpkeepOptions;
  /** A command of this node has no answer yet. */
  #isProposing = false;

  constructor(options: UpkeepOptions) {
    this.#options = options;
  }

  look(): void {
    const { replica, standing, departure, level, leaderLog, company } = this.#options;
    departure.look();
    standing.refresh(replica, { isHurried: false });
    leaderLog.look();
    const others = company();
    if (others === null) return;
    level.look();
    others.fetchBlobs();
    if (!this.#isProposing) this.#keepEntry();
  }

  /** Does not wait for the answer; what failed is looked at again in a later round. */
  propose(command: Command): void {
    const { ports, replica, own } = this.#options;
    const { kind } = command;
    this.#isProposing = true;
    replica
      .propose(command, own.actor)
      .then((outcome) => {
        if (!outcome.ok) ports.log.write("warn", "own command refused", { kind, reason: outcome.message });
      })
      .catch((error: unknown) => {
        const level = error instanceof ConsensusError ? "debug" : "error";
        ports.log.write(level, "own command failed", { kind, reason: String(error) });
      })
      .finally(() => {
        this.#isProposing = false;
      });
  }

  #keepEntry(): void {
    const { own, replica, standing } = this.#options;
    const entry = replica.state.members.get(own.peer);
    if (entry === undefined) return;
    if (standing.needsRenewal(replica)) this.propose({ kind: "certificate.renew", peer: own.peer });
    else if (!isSameInfo(entry.info, own.info())) this.propose({ kind: "member.update", member: own.info() });
  }
}
