export type { Violation, ViolationKind } from "./check/violation.ts";
export type { JobCanary } from "./jobs/job_cluster.ts";
export { type JobCrowdOptions, type JobCrowdResult, runJobCrowd } from "./jobs/job_crowd.ts";
export { type JobScenarioOptions, type JobScenarioResult, type JobStats, runJobScenario } from "./jobs/job_scenario.ts";
export { SimCluster, type SimClusterOptions } from "./nodes/sim_cluster.ts";
export { SimNode, type SimNodeHooks, type SimNodeOptions, type WrapStore } from "./nodes/sim_node.ts";
export { type CrowdOptions, type CrowdResult, runCrowd } from "./scenario/crowd.ts";
export { FAULT_KINDS, type FaultKind, type FaultOptions } from "./scenario/faults.ts";
export { reportOf } from "./scenario/report.ts";
export {
  type Canary,
  runScenario,
  type ScenarioOptions,
  type ScenarioResult,
  type ScenarioStats,
} from "./scenario/scenario.ts";
export type { Trace } from "./trace.ts";
export type { WorkloadOptions } from "./workload/client.ts";
export type { Settle } from "./world/world.ts";
