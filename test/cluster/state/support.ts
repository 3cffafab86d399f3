import {
  type Actor,
  type ApplyResult,
  ClusterState,
  type Command,
  createClusterKey,
  encodeCommand,
  FORMAT_MAX,
  type MemberInfo,
  type RequestId,
  type Role,
} from "../../../src/cluster/mod.ts";
import type { PeerId } from "../../../src/kernel/mod.ts";
import { createKeys } from "../../../src/platform/keys.ts";

export const keys = createKeys();
export const sha256 = (bytes: Uint8Array): string => keys.sha256(bytes);
export const CLUSTER = "0123456789abcdef0123456789abcdef";
export const START_MS = 1_800_000_000_000;
export const HOUR_MS = 3_600_000;

export const peerOf = (text: string): PeerId => text as PeerId;
export const actor = (role: Role = "node", name = "first"): Actor => ({ peer: peerOf(`peer-${name}`), name, role });

export function member(name: string, change: Partial<MemberInfo> = {}): MemberInfo {
  return {
    peer: peerOf(`peer-${name}`),
    name,
    addresses: [],
    slots: 2,
    memoryBytes: 1 << 30,
    version: "0.1.0",
    formatMax: FORMAT_MAX,
    voter: "auto",
    ...change,
  };
}

export const clusterKey = createClusterKey(keys);

export const createCluster: Command = {
  kind: "cluster.create",
  cluster: CLUSTER as never,
  name: "test",
  ...clusterKey,
  member: member("first"),
};

export interface ProposeOptions {
  readonly by?: Actor;
  readonly atMs?: number;
  readonly request?: Partial<RequestId>;
  readonly format?: number;
}

/** A log of its own and one replica that follows it. */
export class Replica {
  state = new ClusterState({ sha256 });
  readonly log: Uint8Array[] = [];
  nowMs = START_MS;

  encode(command: Command, options: ProposeOptions = {}): Uint8Array {
    const sequence = this.log.length + 1;
    const request = { session: "session-1", sequence, answeredTo: sequence - 1, since: 0, ...options.request };
    const { by = actor(), atMs = this.nowMs, format = FORMAT_MAX } = options;
    return encodeCommand({ by, atMs, request, command }, format);
  }

  append(bytes: Uint8Array): ApplyResult {
    this.log.push(bytes);
    return this.state.apply(this.log.length, bytes);
  }

  propose(command: Command, options: ProposeOptions = {}): ApplyResult {
    return this.append(this.encode(command, options));
  }

  /** "ok", or the code of the refusal. */
  try(command: Command, options: ProposeOptions = {}): string {
    const { outcome } = this.propose(command, options);
    return outcome.ok ? "ok" : outcome.code;
  }
}

/** A replica of a cluster with one member. */
export function started(): Replica {
  const replica = new Replica();
  replica.propose(createCluster);
  return replica;
}
