import { SageError } from "../kernel/mod.ts";

export type AgentErrorCode =
  /** The order is of a JobManager that has been replaced. */
  | "stale-term"
  /** Nothing of that job, or of that attempt of it, is here. */
  | "unknown-job"
  | "unknown-run"
  /** What the run gave for the client is gone; retryable when it will be given again. */
  | "rows-lost"
  /** More rows for the client than the job allows. */
  | "result-limit"
  /** No executor could be started, or it ended meanwhile. */
  | "no-executor"
  | "disk"
  | "stopping";

/** What an agent cannot do. */
export class AgentError extends SageError<AgentErrorCode> {
  override readonly name = "AgentError";
}
