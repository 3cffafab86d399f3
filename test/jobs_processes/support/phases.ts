/** Moments in the life of a job, as its watchers see them. */
import type { Job } from "../../../src/client/mod.ts";
import type { JobProgress } from "../../../src/protocol/mod.ts";
import { pause } from "../../cluster_processes/harness.ts";

export const PHASES = ["before deploy", "in shuffle", "in sort", "at the commit", "in the last second"] as const;
export type Phase = (typeof PHASES)[number];

const ENDED = new Set(["finished", "failed", "cancelled", "stopped"]);

/** Stages of small jobs are over soon. */
const LOOK_MS = 25;

/** Waits for it; gives what the job was at then, or null when it ended before. */
export async function reached(job: Job, phase: Phase): Promise<string | null> {
  if (phase === "before deploy") return "submitted";
  // Watchers are told each state at once, and of what goes on within one twice a second.
  for await (const progress of phase === "at the commit" ? job.watch() : looks(job)) {
    if (ENDED.has(progress.state)) return null;
    if (isIn(progress, phase)) return stateText(progress);
  }
  return null;
}

async function* looks(job: Job): AsyncGenerator<JobProgress> {
  for (;;) {
    yield await job.status();
    await pause(LOOK_MS);
  }
}

function isIn({ state, stages }: JobProgress, phase: Phase): boolean {
  const read = new Set(stages.flatMap(({ inputs }) => inputs));
  // Counters come twice a second, ends of tasks at once.
  const begun = stages.filter(({ running, rowsIn, inputs }) => {
    const isFed = inputs.some((input) => (stages[input]?.finished ?? 0) > 0);
    return running > 0 && inputs.length > 0 && (rowsIn > 0 || isFed);
  });
  switch (phase) {
    case "before deploy":
      return true;
    case "in shuffle":
      return begun.length > 0;
    case "in sort":
      return begun.some(({ label }) => label.endsWith("sort"));
    case "at the commit":
      return state === "finishing";
    case "in the last second":
      return begun.some(({ fragment }) => !read.has(fragment));
  }
}

function stateText({ state, stages }: JobProgress): string {
  const busy = stages.filter(({ running }) => running > 0).map(({ label, running }) => `${running} × ${label}`);
  return busy.length === 0 ? state : `${state}: ${busy.join(", ")}`;
}
