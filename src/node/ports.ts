import type { AgentApi, AgentHooks } from "../agent/mod.ts";
import type { SnapshotPolicy } from "../cluster/mod.ts";
import type { Address, Clock, KeyPair, Keys, Log, Random, Transport } from "../kernel/mod.ts";
import type { RaftStore } from "../raft/mod.ts";

/** A small file that a node keeps besides its log. Durable and atomic: what `save` was given last, whole, or what was before. */
export interface Keepsake {
  /** Null when nothing was ever saved. */
  readonly load: () => Uint8Array | null;
  readonly save: (bytes: Uint8Array) => void;
}

/** The machine as a node sees it. */
export interface NodePorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly keys: Keys;
  readonly log: Log;
  readonly transport: Transport;
  readonly store: RaftStore;
  readonly keepsake: Keepsake;
  /** The node's own key; its PeerId is the transport's `self`. */
  readonly identity: KeyPair;
  /** Makes the node's agent; without, the node runs no tasks. Started and stopped by the node. */
  readonly agent?: (hooks: AgentHooks) => AgentApi;
  /** Memory that the process takes, where the machine tells. */
  readonly residentBytes?: () => number;
}

export interface NodeTimings {
  readonly heartbeatMs: number;
  readonly electionTimeoutMs: number;
  /** How often the leader looks after the cluster. */
  readonly stewardMs: number;
}

export const DEFAULT_NODE_TIMINGS: NodeTimings = { heartbeatMs: 100, electionTimeoutMs: 500, stewardMs: 250 };

export interface NodeOptions {
  readonly name: string;
  /** Of the software, such as "0.1.0". */
  readonly version: string;
  readonly slots: number;
  readonly memoryBytes: number;
  readonly voter: "auto" | "yes" | "no";
  /** Addresses to tell others, where those that the transport listens on are not the ones; null: those. */
  readonly announce: readonly Address[] | null;
  /** Null: found a cluster, unless the node belongs to one already. */
  readonly join: JoinOptions | null;
  readonly clusterName?: string;
  readonly timings?: Partial<NodeTimings>;
  readonly snapshots?: Partial<SnapshotPolicy>;
}

export type NodePhase = "starting" | "joining" | "ready" | "leaving" | "ended";

export interface JoinOptions {
  /** Members to ask, each with its PeerId. */
  readonly addresses: readonly Address[];
  /** Not needed by a node that belongs to the cluster already. */
  readonly token: string | null;
}
