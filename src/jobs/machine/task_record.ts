import type { PeerId } from "../../kernel/mod.ts";
import type { TaskVertex } from "../physical/mod.ts";
import type { Action } from "./facts.ts";

export type TaskStatus = "waiting" | "deployed" | "running" | "cancelling" | "finished" | "committed";

/** Reasons that are kept of one task. */
const REASONS_MAX = 8;

export interface TaskRecord {
  readonly task: TaskVertex;
  status: TaskStatus;
  /** Of the newest that was deployed; 0 before. */
  attempt: number;
  /** How often it was begun, as far as this JobManager knows. */
  runs: number;
  /** Where it is, or what it gave lies; null while waiting. */
  peer: PeerId | null;
  slot: number;
  failures: number;
  losses: number;
  /** Of the losses: its executor ended for no known reason while it ran. */
  ends: number;
  /** Waits at least so long. */
  notBeforeMs: number;
  /** Since when it has its status. */
  sinceMs: number;
  /** Someone may have read what an earlier attempt gave. */
  hasGiven: boolean;
  outputBytes: number;
  readonly reasons: string[];
}

export interface Loss {
  readonly peer: PeerId;
  readonly upToAttempt: number;
  readonly reason: string;
  /** Only an executor of the peer is gone. */
  readonly isAgentThere: boolean;
  /** Who has ended that executor nobody knows. */
  readonly isUnexplained: boolean;
}

const LIVE: ReadonlySet<TaskStatus> = new Set(["deployed", "running", "cancelling"]);

/** It runs, or is about to begin or to end: it is in a slot. */
export function isLive({ status }: Readonly<TaskRecord>): boolean {
  return LIVE.has(status);
}

export function isDone(status: TaskStatus): boolean {
  return status === "finished" || status === "committed";
}

/** Names a run of a task within its job's attempt. */
export function runName({ task, attempt }: { readonly task: TaskVertex; readonly attempt: number }): string {
  return `${nameOf(task)}@${attempt}`;
}

export function note(record: TaskRecord, reason: string): void {
  record.reasons.push(reason);
  if (record.reasons.length > REASONS_MAX) record.reasons.shift();
}

export function nameOf({ fragment, index }: TaskVertex): string {
  return `${fragment}.${index}`;
}

export function cancelOf({
  task,
  attempt,
  peer,
}: {
  readonly task: TaskVertex;
  readonly attempt: number;
  readonly peer: PeerId;
}): Action {
  return { kind: "cancelTask", task, attempt, peer };
}
