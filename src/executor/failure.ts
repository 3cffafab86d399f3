import { SageError } from "../kernel/mod.ts";
import { REASON_LENGTH_MAX, type TaskRun, type UserPlace } from "../protocol/mod.ts";
import { ExecutorError } from "./error.ts";

/** What a report of a failed task says about why. */
export interface Failure {
  readonly reason: string;
  /** It would fail again: the job's own error. */
  readonly isFinal: boolean;
  readonly place: UserPlace | null;
  /** Whose rows are missing. */
  readonly lost: TaskRun | null;
}

const CAUSES_MAX = 10;

/** Errors of these domains come from the job itself, except for the codes named. */
const OF_THE_JOB: Readonly<Record<string, readonly string[]>> = {
  ExecError: ["memoryLimit", "timeout", "cancelled", "workerLost"],
  // A full disk, or a file that only this node lacks: elsewhere, or later, it may work.
  ConnectorError: ["io", "notFound"],
  PlanError: [],
  JobError: [],
  JobsError: [],
  CodegenError: [],
  ArrowError: ["memoryLimit"],
};

/** What the JobManager is told; `placeOf` finds the user's line. */
export function failureOf(error: unknown, placeOf: (error: unknown) => UserPlace | null): Failure {
  const place = placeOf(error);
  return {
    reason: reasonOf(error).slice(0, REASON_LENGTH_MAX),
    isFinal: place !== null || isOfTheJob(error),
    place,
    lost: lostRun(error),
  };
}

/** Whether it would fail again wherever it runs. */
function isOfTheJob(error: unknown): boolean {
  if (!(error instanceof SageError)) return false;
  const code = String(error.code);
  // An error that crossed threads has its class's name only.
  const others = OF_THE_JOB[error.name];
  if (others !== undefined) return !others.includes(code);
  if (error.name === "ShuffleError") return code === "type";
  // The agent refuses rows that nobody fetches: the limit of results.
  return error.name === "RemoteError" && !error.retryable && code !== "closed";
}

function lostRun(error: unknown): TaskRun | null {
  let current: unknown = error;
  for (let depth = 0; depth < CAUSES_MAX && current instanceof Error; depth++) {
    if (current instanceof ExecutorError && current.input !== null) {
      const { producer, attempt } = current.input;
      return { task: producer, attempt };
    }
    current = current.cause;
  }
  return null;
}

function reasonOf(error: unknown): string {
  if (error instanceof SageError) return error.message;
  if (error instanceof Error) return `${error.name}: ${error.message}`;
  return String(error);
}
