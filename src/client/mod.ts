export { withAbsolutePaths } from "./absolute_paths.ts";
export { type CallSettings, type ClientOptions, type ClientPorts, ClusterClient } from "./client.ts";
export { Cluster, type ClusterJobs, type ClusterPorts, Job, type PreparedJob, type SubmitOptions } from "./cluster.ts";
export { ClientError, type ClientErrorCode } from "./error.ts";
export { type JobEndCode, JobFailedError, type UserPlace } from "./job_error.ts";
export type { JobLogLine, JobProgress, JobStage, JobSummary, JobTask } from "./job_facts.ts";
export {
  decidingError,
  isEndState,
  JobHandle,
  type JobRecord,
  type JobRows,
  type JobVerb,
} from "./job_handle.ts";
export { type JobQuery, Jobs, type JobsPorts } from "./jobs.ts";
export { openResult, resultArena, resultRows } from "./result.ts";
export { checkSubmission, JOB_DEFAULTS, type Submission } from "./submission.ts";
