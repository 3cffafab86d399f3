import type { JobRecord } from "../../cluster/mod.ts";
import { jobGet, jobList, on, type Served } from "../../protocol/mod.ts";
import { freshen, type ServiceContext } from "./context.ts";

const PAGE_COUNT = 100;

export function jobServices(context: ServiceContext): Served[] {
  const { replica } = context;
  return [
    on(jobList, async ({ beforeNumber, limit = PAGE_COUNT, states, consistency }, call) => {
      const freshness = await freshen(context, call, consistency);
      const below = beforeNumber ?? Number.POSITIVE_INFINITY;
      const jobs = [...replica.state.jobs.values()].filter(
        ({ number, state }) => number < below && (states?.includes(state) ?? true),
      );
      return {
        jobs: jobs
          .sort((a, b) => b.number - a.number)
          .slice(0, limit)
          .map(summaryOf),
        freshness,
      };
    }),
    on(jobGet, async ({ jobId, consistency }, call) => {
      const freshness = await freshen(context, call, consistency);
      const job = replica.state.jobs.get(jobId);
      return { job: job === undefined ? null : { ...job, ...summaryOf(job) }, freshness };
    }),
  ];
}

/** A job as lists show it. */
function summaryOf({ jobId, number, name, state, attempt, createdBy, createdAtMs, history }: JobRecord) {
  const last = history.at(-1);
  const moved = { movedAtMs: last?.atMs ?? createdAtMs, reason: last?.reason ?? "" };
  return { jobId, number, name, state, attempt, createdBy, createdAtMs, ...moved };
}
