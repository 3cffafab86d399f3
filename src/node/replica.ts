/**
 * This node's copy of the replicated state, kept by consensus: commands go in, every node applies the same ones.
 */
import {
  type Actor,
  type ApplyResult,
  ClusterState,
  type Command,
  Consensus,
  type Outcome,
  Proposer,
  type RequestId,
  type SnapshotPolicy,
} from "../cluster/mod.ts";
import type { PeerId, Timers } from "../kernel/mod.ts";
import type { Message, RaftRules, RoleChange } from "../raft/mod.ts";
import type { NodePorts, NodeTimings } from "./ports.ts";

/** Told of all that becomes of the state, before anyone else. */
export interface ReplicaWatch {
  readonly applied: (result: ApplyResult, data: Uint8Array) => void;
  readonly restored: (snapshot: Uint8Array) => void;
}

export interface ReplicaOptions {
  readonly ports: NodePorts;
  readonly timers: Timers;
  readonly timings: NodeTimings;
  readonly rules?: RaftRules;
  readonly snapshots?: Partial<SnapshotPolicy>;
  readonly post: (to: PeerId, message: Message) => void;
  readonly roleChanged: (change: RoleChange) => void;
  readonly membershipChanged: () => void;
  /** After each command that this node has applied; null: the whole state was replaced. */
  readonly applied: (result: ApplyResult | null) => void;
  readonly failed: (error: unknown) => void;
  readonly watch?: ReplicaWatch;
}

/** How long a command or read may take unless its caller says. */
export const ANSWER_TIMEOUT_MS = 10_000;

export class Replica {
  readonly state: ClusterState;
  readonly consensus: Consensus;
  readonly #proposer: Proposer;
  readonly #options: ReplicaOptions;
  #isMade = false;

  constructor(options: ReplicaOptions) {
    const { ports, timers, timings, rules, snapshots } = options;
    const { clock, random, keys, store, transport } = ports;
    this.#options = options;
    this.state = new ClusterState({ sha256: (bytes) => keys.sha256(bytes) });
    this.#proposer = new Proposer({
      clock,
      random,
      timers,
      appliedIndex: () => this.state.appliedIndex,
      format: () => this.state.format,
      propose: (data, dropped) => this.consensus.propose(data, dropped),
    });
    this.consensus = new Consensus({
      raft: {
        id: transport.self,
        electionTimeoutMs: timings.electionTimeoutMs,
        heartbeatMs: timings.heartbeatMs,
        random: () => random.next(),
        ...(rules === undefined ? {} : { rules }),
      },
      ...(snapshots === undefined ? {} : { snapshots }),
      store,
      machine: {
        apply: (index, data) => this.#apply(index, data),
        snapshot: () => this.state.snapshot(),
        restore: (snapshot) => this.#restore(snapshot),
      },
      clock,
      timers,
      post: options.post,
      roleChanged: options.roleChanged,
      membershipChanged: options.membershipChanged,
      failed: options.failed,
    });
    this.#isMade = true;
  }

  /** Proposes as often as needed; the outcome is this node's own. Errors as of `Proposer.propose`. */
  propose(command: Command, by: Actor, timeoutMs: number = ANSWER_TIMEOUT_MS, request?: RequestId): Promise<Outcome> {
    return this.#proposer.propose(command, by, timeoutMs, request);
  }

  /** Makes sure that the state here is as new as any was when this was called. Errors as of `Consensus.read`. */
  catchUp(timeoutMs: number = ANSWER_TIMEOUT_MS): Promise<void> {
    return this.consensus.read(timeoutMs);
  }

  stop(): void {
    this.consensus.stop();
    this.#proposer.stop();
  }

  #apply(index: number, data: Uint8Array): void {
    const result = this.state.apply(index, data);
    this.#options.watch?.applied(result, data);
    const { store } = this.#options.ports;
    for (const effect of result.effects) {
      if (effect.kind === "putBlob") store.putBlob(effect.hash, effect.bytes);
      else store.dropBlob(effect.hash);
    }
    this.#proposer.applied(result);
    this.#options.applied(result);
  }

  #restore(snapshot: Uint8Array): void {
    this.state.restore(snapshot);
    this.#options.watch?.restored(snapshot);
    // The first restore happens while consensus is being made: nobody can ask this replica anything yet.
    if (!this.#isMade) return;
    this.#proposer.restored();
    this.#options.applied(null);
  }
}
