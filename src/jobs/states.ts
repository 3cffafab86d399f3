/**
 * The life of a job as a table. `job.move` is the only way along it, so that all replicas and both the old and the new
 * JobManager agree on what a job may do next.
 */
export const JOB_STATES = [
  "submitted",
  "compiling",
  "scheduling",
  "running",
  "finishing",
  "failing",
  "restarting",
  "cancelling",
  "finished",
  "failed",
  "cancelled",
  "stopped",
] as const;
export type JobState = (typeof JOB_STATES)[number];

interface JobStateRow {
  readonly meaning: string;
  readonly next: readonly JobState[];
  /** Nothing runs and nothing will unless someone asks for it. */
  readonly isEnded?: true;
}

export const JOB_STATE_TABLE: Readonly<Record<JobState, JobStateRow>> = {
  submitted: { meaning: "accepted and in the log", next: ["compiling", "failing", "cancelling"] },
  compiling: { meaning: "being optimised and cut into tasks", next: ["scheduling", "failing", "cancelling"] },
  scheduling: { meaning: "waiting for slots and deployment", next: ["running", "failing", "cancelling"] },
  running: { meaning: "tasks run", next: ["finishing", "failing", "cancelling"] },
  finishing: { meaning: "sinks commit", next: ["finished", "stopped", "failing"] },
  failing: { meaning: "tasks are being ended after a failure", next: ["restarting", "failed", "cancelling"] },
  restarting: { meaning: "waiting to be scheduled as a new attempt", next: ["scheduling", "failing", "cancelling"] },
  cancelling: { meaning: "tasks are being ended on request", next: ["cancelled", "stopped", "failing"] },
  finished: { meaning: "all results are committed", next: ["restarting"], isEnded: true },
  failed: { meaning: "given up, with the reason", next: ["restarting"], isEnded: true },
  cancelled: { meaning: "ended on request", next: ["restarting"], isEnded: true },
  stopped: { meaning: "ended on request, can be continued where it was", next: ["restarting"], isEnded: true },
};

export function canMove(from: JobState, to: JobState): boolean {
  return JOB_STATE_TABLE[from].next.includes(to);
}

export function isEnded(state: JobState): boolean {
  return JOB_STATE_TABLE[state].isEnded === true;
}

/** A stopped job waits to be continued: it is ended, but not forgotten for being old. */
export function isForgettable(state: JobState): boolean {
  return isEnded(state) && state !== "stopped";
}

/** The table as a mermaid state diagram, for the documentation. */
export function jobStatesDiagram(): string {
  const lines = ["stateDiagram-v2", "  [*] --> submitted"];
  for (const state of JOB_STATES) {
    const row = JOB_STATE_TABLE[state];
    lines.push(`  ${state}: ${state}<br/>${row.meaning}`);
    for (const next of row.next) lines.push(`  ${state} --> ${next}`);
    if (row.isEnded) lines.push(`  ${state} --> [*]`);
  }
  return `${lines.join("\n")}\n`;
}
