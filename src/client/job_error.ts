import { SageError, type SageErrorOptions } from "../kernel/mod.ts";
import type { PlanErrorCode } from "../plan/mod.ts";

export type JobEndCode =
  /** It was given up; the message is its reason. */
  | "job-failed"
  | "job-cancelled"
  | "job-stopped"
  /** Its rows are not to be had any more: the node that kept them is gone. */
  | "rows-lost"
  /** It is not known any more. */
  | "job-deleted";

/** A place in a file of the user. Line and column count from 1. */
export interface UserPlace {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** The whole line; empty when it is not at hand. */
  readonly text: string;
}

/** A job that did not come to its end, and so has no result. */
export class JobFailedError extends SageError<JobEndCode> {
  override readonly name = "JobFailedError";
  readonly jobId: string;
  readonly number: number;
  /** Where the user's code failed, when it did. */
  readonly place: UserPlace | null;
  /** What is wrong with the dataflow, where that is why; the same as of `sage run`. */
  readonly planCode: PlanErrorCode | null;

  constructor(
    code: JobEndCode,
    message: string,
    of: SageErrorOptions & {
      readonly jobId: string;
      readonly number: number;
      readonly place?: UserPlace | null;
      readonly planCode?: PlanErrorCode | null;
    },
  ) {
    super(code, message, of);
    this.jobId = of.jobId;
    this.number = of.number;
    this.place = of.place ?? null;
    this.planCode = of.planCode ?? null;
  }
}
