import type { JobRecord } from "../../cluster/mod.ts";
import { shownReason } from "../../jobs/mod.ts";
import { isJobName, JOB_NAME_RULE } from "../../kernel/mod.ts";
import { jobFind, jobGet, jobList, jobSubmit, jobVerb, on, type Served } from "../../protocol/mod.ts";
import { NodeError } from "../error.ts";
import { encodeSubmission, summaryOf } from "../jobs/mod.ts";
import { command, freshen, type ServiceContext, valueOf } from "./context.ts";

const PAGE_COUNT = 100;
const FOUND_MAX = 32;

/** What the log knows of jobs, and what changes it. */
export function jobServices(context: ServiceContext): Served[] {
  const { replica } = context;
  return [
    on(jobList, async ({ beforeNumber, limit = PAGE_COUNT, states, consistency }, call) => {
      const freshness = await freshen(context, call, consistency);
      const below = beforeNumber ?? Number.POSITIVE_INFINITY;
      const jobs = [...replica.state.jobs.values()].filter(
        ({ number, state }) => number < below && (states?.includes(state) ?? true),
      );
      return { jobs: newestFirst(jobs).slice(0, limit).map(summaryOf), freshness };
    }),
    on(jobFind, async ({ text, consistency }, call) => {
      await freshen(context, call, consistency);
      return {
        jobs: found([...replica.state.jobs.values()], text)
          .slice(0, FOUND_MAX)
          .map(summaryOf),
      };
    }),
    on(jobGet, async ({ jobId, consistency }, call) => {
      const freshness = await freshen(context, call, consistency);
      const job = replica.state.jobs.get(jobId);
      if (job === undefined) return { job: null, freshness };
      const history = job.history.map((step) => ({ ...step, reason: shownReason(step.reason) }));
      return { job: { ...job, ...summaryOf(job), history }, freshness };
    }),
    submitService(context),
    verbService(context),
  ];
}

function submitService(context: ServiceContext): Served {
  return on(jobSubmit, async ({ jobId, name, plan, bundle, options, request }, call) => {
    if (!isJobName(name)) {
      throw new NodeError("refused", `Cannot submit job ${JSON.stringify(name)}: ${JOB_NAME_RULE}`);
    }
    const given = [plan, ...(bundle === null ? [] : [bundle])];
    const parts = given.flatMap(({ hash, bytes }) => (bytes === null ? [] : [{ hash, bytes }]));
    for (const { hash, bytes } of parts) {
      const actual = context.ports.keys.sha256(bytes);
      if (actual !== hash) throw new NodeError("refused", `Cannot submit job ${name}: its part ${hash} is ${actual}.`);
    }
    const blobs = given.filter(({ bytes }) => bytes === null).map(({ hash }) => hash);
    const submission = encodeSubmission({ plan: plan.hash, bundle: bundle?.hash ?? null, options });
    const body = { kind: "job.create", jobId, name, blobs, parts, options: submission } as const;
    const value = await command(context, call, body, request);
    if (value.type !== "job") throw new NodeError("refused", `Cannot submit job ${name}: ${value.type} is no answer.`);
    return { jobId, number: value.number };
  });
}

function verbService(context: ServiceContext): Served {
  const { replica, jobs } = context;
  return on(jobVerb, async ({ jobId, verb, request, by: passedOn }, call) => {
    if (verb === "delete") {
      const state = replica.state.jobs.get(jobId)?.state ?? "deleted";
      await command(context, call, { kind: "job.delete", jobId }, request);
      return { state };
    }
    const by = call.role === "node" && passedOn !== undefined ? passedOn : context.actor(call.peer);
    const body = { jobId, verb, by, ...(request === undefined ? {} : { request }) };
    return jobs().atLeader(
      call,
      async (manager) => {
        const record = replica.state.jobs.get(jobId);
        if (record === undefined) throw new NodeError("not-found", `There is no job ${jobId}.`);
        const known = request === undefined ? null : replica.state.outcomeOf(request);
        // It has come again. Where an earlier JobManager came too late with it, it is still to be done.
        if (known?.ok === true) return { state: record.state };
        if (known?.code === "session-expired") valueOf(known);
        const state = await manager.verb(jobId, verb, { by, request: known === null ? request : undefined });
        if (state === null) throw new NodeError("not-possible", `Job ${record.number} is of other software.`);
        return { state };
      },
      (session) => session.call(jobVerb, body),
    );
  });
}

function newestFirst(jobs: readonly JobRecord[]): JobRecord[] {
  return [...jobs].sort((a, b) => b.number - a.number);
}

/** By number, else by id or a prefix of it, and by name. */
function found(jobs: readonly JobRecord[], text: string): JobRecord[] {
  const number = /^#?\d{1,15}$/.test(text) ? Number(text.replace("#", "")) : null;
  const numbered = jobs.filter((job) => job.number === number);
  if (numbered.length > 0) return numbered;
  const isPrefix = /^[0-9a-f]{4,32}$/.test(text);
  return newestFirst(jobs.filter(({ jobId, name }) => name === text || (isPrefix && jobId.startsWith(text))));
}
