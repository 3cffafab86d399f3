/**
 * What the leader does for the cluster besides the log: who votes, which keys and blobs can go, which format is spoken.
 * Every decision is a pure policy's; each round makes at most one change of a kind, and the next round looks again.
 */
import { type Command, FORMAT_MAX, type VoterCandidate, voterChange } from "../cluster/mod.ts";
import type { PeerId } from "../kernel/mod.ts";
import type { Gossip } from "./gossip.ts";
import type { NodePorts } from "./ports.ts";
import type { Replica } from "./replica.ts";
import { successors } from "./succession.ts";

export interface StewardOptions {
  readonly ports: NodePorts;
  readonly replica: Replica;
  readonly gossip: Gossip;
  /** In the name of this node; failures are logged and tried again in a later round. */
  readonly propose: (command: Command) => void;
}

/** Blobs that nothing held for so long are dropped. */
const BLOB_IDLE_MS = 3_600_000;
/** Housekeeping that is not urgent is looked at every so many rounds. */
const SLOW_ROUNDS = 40;
/** A learner within these has caught up. */
const LAG_ENTRIES_MAX = 256;
const SILENT_MS_MAX = 2_000;

export class Steward {
  readonly #options: StewardOptions;
  #round = 0;

  constructor(options: StewardOptions) {
    this.#options = options;
  }

  /** To be called now and then; does nothing unless this node leads. */
  look(): void {
    const { replica } = this.#options;
    if (replica.consensus.status().role !== "leader" || replica.state.cluster === null) return;
    this.#lookAtVoters();
    if (!replica.state.members.has(this.#options.ports.transport.self)) this.#retire();
    if (this.#round++ % SLOW_ROUNDS === 0) this.#keepHouse();
  }

  /** A leader that was taken out of the cluster leads until someone else can. */
  #retire(): void {
    const { replica, gossip } = this.#options;
    const [successor] = successors(replica.consensus.progress(), gossip);
    if (successor !== undefined) replica.consensus.transferLeader(successor);
  }

  #lookAtVoters(): void {
    const { replica, ports } = this.#options;
    const { membership, isMembershipPending } = replica.consensus.status();
    const change = voterChange({
      self: ports.transport.self,
      membership,
      candidates: this.#candidates(),
      isChanging: isMembershipPending,
      nowMs: ports.clock.nowMs(),
    });
    if (change === null) return;
    const result = replica.consensus.changeMembership(change);
    const { kind, peer, reason } = change;
    const isNews = result.kind === "accepted" && kind !== "addLearner";
    const name = replica.state.members.get(peer)?.info.name ?? null;
    ports.log.write(isNews ? "info" : "debug", `voters change: ${kind}`, { name, peer, reason, result: result.kind });
  }

  #candidates(): VoterCandidate[] {
    const { replica, gossip, ports } = this.#options;
    const caughtUp = new Set<PeerId>();
    for (const { peer, state, lagEntries, silentMs } of replica.consensus.progress()) {
      if (state === "replicate" && lagEntries < LAG_ENTRIES_MAX && silentMs < SILENT_MS_MAX) caughtUp.add(peer);
    }
    const { members } = replica.state;
    const known = [...members.values()].map(({ info: { peer, voter: wish } }) => ({ peer, wish, isAdmitted: true }));
    const { voters } = replica.consensus.status().membership;
    const removed = voters.filter((peer) => !members.has(peer));
    const leaving = removed.map((peer) => ({ peer, wish: "no" as const, isAdmitted: false }));
    return [...known, ...leaving].map((candidate) => {
      const { peer } = candidate;
      const isSelf = peer === ports.transport.self;
      return {
        ...candidate,
        // A member that this node has not met since it started is as good as dead, from then on.
        health: gossip.member(peer)?.health ?? "dead",
        sinceMs: gossip.sinceMs(peer),
        isCaughtUp: isSelf || caughtUp.has(peer),
      };
    });
  }

  #keepHouse(): void {
    const { replica, ports, propose } = this.#options;
    const wallMs = Math.floor(ports.clock.wallMs());
    const { state } = replica;
    for (const keyId of state.unusedKeys(wallMs)) propose({ kind: "key.retire", keyId, isForced: false });
    for (const hash of state.idleBlobs(wallMs - BLOB_IDLE_MS)) propose({ kind: "blob.drop", hash });
    const format = Math.min(state.formatOfAll, FORMAT_MAX);
    if (format > state.format) propose({ kind: "cluster.upgrade", format });
  }
}
