export { Agent } from "./agent.ts";
export type { AgentApi } from "./api.ts";
export { AgentError, type AgentErrorCode } from "./error.ts";
export {
  AGENT_DEFAULTS,
  type AgentHooks,
  type AgentOptions,
  type AgentPorts,
  type AgentSettings,
  type ClusterFacts,
  type CommitOrder,
  type Compiled,
  type CompileOrder,
  type DeployOrder,
  type ExecutorPlace,
  type ExecutorQuestion,
  type Inventory,
  type JobOrders,
  type JobsReport,
  type LogLine,
  type LogsRequest,
  type ReleaseOrder,
  type RowsItem,
  type RowsRequest,
  type RunsOrder,
} from "./ports.ts";
