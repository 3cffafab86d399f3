import { jobGet, jobList, on, type Served } from "../../protocol/mod.ts";
import { freshen, type ServiceContext } from "./context.ts";

const PAGE_COUNT = 100;

export function jobServices(context: ServiceContext): Served[] {
  const { replica } = context;
  return [
    on(jobList, async ({ beforeNumber, limit = PAGE_COUNT, consistency }, call) => {
      const freshness = await freshen(context, call, consistency);
      const below = beforeNumber ?? Number.POSITIVE_INFINITY;
      const jobs = [...replica.state.jobs.values()].filter(({ number }) => number < below);
      return { jobs: jobs.sort((a, b) => b.number - a.number).slice(0, limit), freshness };
    }),
    on(jobGet, async ({ jobId, consistency }, call) => {
      const freshness = await freshen(context, call, consistency);
      return { job: replica.state.jobs.get(jobId) ?? null, freshness };
    }),
  ];
}
