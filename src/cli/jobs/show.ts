import { ClientError, type JobHandle, type JobRecord } from "../../client/mod.ts";
import type { Terminal } from "../../platform/mod.ts";
import type { JobProgress } from "../../protocol/mod.ts";
import { chooseOutput, jsonText } from "../cluster/mod.ts";
import { EXIT } from "../error.ts";
import { paintFor } from "../paint.ts";
import type { ParsedCommand } from "../parse.ts";
import { chosenJob } from "./choose.ts";
import { withJobs } from "./session.ts";
import { showText } from "./show_text.ts";

export function showJob(on: Terminal, parsed: ParsedCommand): Promise<number> {
  const output = chooseOutput(parsed);
  return withJobs(on, parsed, async (context) => {
    const { timeoutMs } = context;
    const job = await chosenJob(context, parsed);
    const [progress, history] = await (parsed.flags.has("stale") ? staleView : fullView)(job, timeoutMs);
    if (output === "json") await on.out.write(jsonText({ ...progress, history }));
    else {
      const style = { paint: paintFor(on.out), width: on.out.columns };
      const of = { history, nowMs: on.wallMs(), hasAllTasks: parsed.flags.has("tasks"), style };
      await on.out.write(showText(progress, of));
    }
    return EXIT.ok;
  });
}

type View = readonly [JobProgress, JobRecord["history"]];

async function fullView(job: JobHandle, timeoutMs: number): Promise<View> {
  const [progress, record] = await Promise.all([job.show({ hasTasks: true, timeoutMs }), job.record({ timeoutMs })]);
  return [progress, record?.history ?? []];
}

/** What the log has: of stages and tasks only the JobManager knows. */
async function staleView(job: JobHandle, timeoutMs: number): Promise<View> {
  const record = await job.record({ timeoutMs, consistency: "stale" });
  if (record === null)
    throw new ClientError("no-such-job", `Job ${job.number} is not known to the node that answered.`);
  const { history, blobs: _, ...summary } = record;
  const nothing = {
    waiting: null,
    stages: [],
    plan: null,
    tasks: [],
    tasksLeftOut: 0,
    resultRoots: 0,
    lastError: null,
  };
  return [{ ...summary, ...nothing }, history];
}
