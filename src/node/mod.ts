export { createAdmin, reachable } from "./admin.ts";
export { type Belonging, keptName } from "./belonging.ts";
export { NodeError, type NodeErrorCode } from "./error.ts";
export { memberFound } from "./found.ts";
export { ClusterNode, type NodeEnd, type NodeHooks } from "./node.ts";
export {
  DEFAULT_NODE_TIMINGS,
  type JoinOptions,
  type Keepsake,
  type NodeOptions,
  type NodePhase,
  type NodePorts,
  type NodeTimings,
} from "./ports.ts";
export type { Replica } from "./replica.ts";
