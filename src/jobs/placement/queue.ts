import { JobsError } from "../error.ts";
import type { AgentFacts } from "./place.ts";

/** What a job asks of the cluster before it can start. */
export interface JobDemand {
  readonly jobId: string;
  readonly name: string;
  /** Higher goes first. */
  readonly priority: number;
  /** Log index of its acceptance: older goes first among equals. */
  readonly acceptedAtIndex: number;
  /** Tasks that have to run at the same time. */
  readonly slotsAtOnce: number;
  readonly taskMemoryBytes: number;
}

export function queueOrder(a: JobDemand, b: JobDemand): number {
  return b.priority - a.priority || a.acceptedAtIndex - b.acceptedAtIndex;
}

/**
 * Jobs that may start now. Nobody overtakes: a job that waits for many slots gets them before those behind it get
 * theirs, so that it does not wait for ever.
 */
export function startable(jobs: readonly JobDemand[], agents: readonly AgentFacts[]): readonly JobDemand[] {
  const free = agents.flatMap(({ freeSlots, slotMemoryBytes }) => freeSlots.map(() => slotMemoryBytes));
  // Slots with the least memory that will do are taken first.
  free.sort((a, b) => a - b);
  const started: JobDemand[] = [];
  for (const job of [...jobs].sort(queueOrder)) {
    const fitting = free.filter((memory) => memory >= job.taskMemoryBytes).slice(0, job.slotsAtOnce);
    if (fitting.length < job.slotsAtOnce) break;
    for (const memory of fitting) free.splice(free.indexOf(memory), 1);
    started.push(job);
  }
  return started;
}

/** Throws JobsError "doesNotFit", with the arithmetic, when the job could not run even if it had all agents to itself. */
export function checkFits(job: JobDemand, agents: readonly AgentFacts[]): void {
  const able = agents.filter(({ slotMemoryBytes }) => slotMemoryBytes >= job.taskMemoryBytes);
  const slots = able.reduce((sum, { slotCount }) => sum + slotCount, 0);
  if (slots >= job.slotsAtOnce) return;
  const all = agents.reduce((sum, { slotCount }) => sum + slotCount, 0);
  const wants = `it needs ${job.slotsAtOnce} × a slot of ${bytesText(job.taskMemoryBytes)} at once`;
  const sizes = agents.map(({ slotCount, slotMemoryBytes }) => `${slotCount} × ${bytesText(slotMemoryBytes)}`);
  const has = all === 0 ? "no agent offers a slot" : `of ${all} slots (${sizes.join(" + ")}) ${slots} are large enough`;
  const advice = "Lower --parallelism or its memory, or add nodes.";
  throw new JobsError("doesNotFit", `Cannot run job ${job.name}: ${wants}, and ${has}. ${advice}`);
}

const UNITS = ["bytes", "KiB", "MiB", "GiB", "TiB"] as const;

function bytesText(bytes: number): string {
  const power = bytes < 1 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1024 ** power;
  return `${Number.isInteger(value) ? value : value.toFixed(1)} ${UNITS[power] ?? "bytes"}`;
}
