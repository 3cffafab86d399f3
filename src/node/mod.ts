export type { Belonging } from "./belonging.ts";
export { NodeError, type NodeErrorCode } from "./error.ts";
export { askToJoin, type JoinAs, type JoinInvitation, type JoinPorts, peerOfAddress } from "./join.ts";
export { ClusterNode, type NodeEnd, type NodeHooks, type NodePhase } from "./node.ts";
export { Peers, type PeersOptions, RPC_PROTOCOL } from "./peers.ts";
export {
  DEFAULT_NODE_TIMINGS,
  type JoinOptions,
  type Keepsake,
  type NodeOptions,
  type NodePorts,
  type NodeTimings,
} from "./ports.ts";
export type { Replica } from "./replica.ts";
