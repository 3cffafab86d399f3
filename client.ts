/**
 * Clusters for programs: `import { connect } from "sage/client"`.
 */
export {
  ClientError,
  type ClientErrorCode,
  type Cluster,
  type ClusterJobs,
  type Job,
  type JobEndCode,
  JobFailedError,
  type JobLogLine,
  type JobProgress,
  type JobQuery,
  type JobStage,
  type JobSummary,
  type JobTask,
  type SubmitOptions,
  type UserPlace,
} from "./src/client/mod.ts";
export { SageError } from "./src/kernel/mod.ts";
export { PlanError } from "./src/plan/mod.ts";
export { type ConnectOptions, connect } from "./src/platform/connect.ts";
export { RemoteError } from "./src/protocol/mod.ts";
