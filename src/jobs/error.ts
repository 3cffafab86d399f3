import { SageError } from "../kernel/mod.ts";

export type JobsErrorCode =
  /** An option is out of its range. */
  | "option"
  /** The job can never run on this cluster. */
  | "doesNotFit";

/** A job that cannot be planned or placed. */
export class JobsError extends SageError<JobsErrorCode> {
  override readonly name = "JobsError";
}
