import { canMove, isEnded, isForgettable, JOB_STATE_TABLE, type JobState } from "../../jobs/mod.ts";
import { addParts, checkParts, countRefs } from "./apply_blobs.ts";
import type { CommandOf } from "./command.ts";
import type { Context, StateData } from "./data.ts";
import { JOB_BLOBS_MAX, JOB_HISTORY_MAX, JOBS_ENDED_MAX, JOBS_MAX } from "./limits.ts";
import type { JobRecord, JobStep } from "./records.ts";
import { give, NOTHING, type Outcome, refuse } from "./result.ts";

function removeJob(data: StateData, job: JobRecord, context: Context): void {
  data.jobs.delete(job.jobId);
  data.derived.endedJobs.delete(job.jobId);
  countRefs(data, job.blobs, -1, context);
}

export function createJob(data: StateData, command: CommandOf<"job.create">, context: Context): Outcome {
  const { jobId, name, options, parts = [] } = command;
  const known = data.jobs.get(jobId);
  if (known !== undefined) {
    if (isSame(known, command, context)) return give({ type: "job", number: known.number, attempt: 1 });
    return refuse("conflict", `Cannot create job ${jobId}: there is one with this id.`);
  }
  const missing = command.blobs.find((hash) => !data.blobs.has(hash));
  if (missing !== undefined) return refuse("not-found", `Cannot create job ${name}: its blob ${missing} is not there.`);
  if (data.jobs.size >= JOBS_MAX) {
    return refuse(
      "limit",
      `Cannot create job ${name}: there are ${JOBS_MAX} jobs, the most there can be. Delete some.`,
    );
  }
  const refusal = checkParts(data, parts, context);
  if (refusal !== null) return refusal;
  const blobs = [...new Set([...command.blobs, ...parts.map(({ hash }) => hash)])];
  addParts(data, parts, context);
  const number = data.nextJobNumber++;
  const step: JobStep = { state: "submitted", attempt: 1, atMs: context.atMs, reason: "" };
  countRefs(data, blobs, 1, context);
  data.jobs.set(jobId, {
    jobId,
    number,
    name,
    state: "submitted",
    attempt: 1,
    blobs,
    options,
    notes: new Uint8Array(0),
    createdBy: context.by.name,
    createdAtMs: context.atMs,
    movedAtIndex: context.index,
    history: [step],
  });
  return give({ type: "job", number, attempt: 1 });
}

/** Whether the job was made by the same command, under another request. */
function isSame(job: JobRecord, command: CommandOf<"job.create">, { by }: Context): boolean {
  const { name, options, blobs, parts = [] } = command;
  const held = new Set(job.blobs);
  const isHeld = [...blobs, ...parts.map(({ hash }) => hash)].every((hash) => held.has(hash));
  const areOptionsSame = options.length === job.options.length && options.every((byte, i) => byte === job.options[i]);
  return name === job.name && by.name === job.createdBy && isHeld && areOptionsSame;
}

export function moveJob(data: StateData, command: CommandOf<"job.move">, context: Context): Outcome {
  const { jobId, from, to, parts = [] } = command;
  const job = data.jobs.get(jobId);
  if (job === undefined) return refuse("not-found", `Cannot move job ${jobId}: there is none.`);
  if (job.state !== from || job.attempt !== command.attempt) {
    const now = `it is ${job.state} in attempt ${job.attempt}`;
    return refuse("stale", `Cannot move job ${job.number} from ${from} in attempt ${command.attempt}: ${now}.`);
  }
  const { term = job.term } = command;
  if (term !== undefined && term < (job.term ?? 0)) {
    const now = `the JobManager of term ${job.term} has moved it`;
    return refuse("stale", `Cannot move job ${job.number} to ${to} in term ${term}: ${now}.`);
  }
  const steps = stepsOf(job, command, context.atMs);
  const illegal = illegalStep(from, steps);
  if (illegal !== null) {
    const next = JOB_STATE_TABLE[illegal.from].next.join(", ");
    const text = `Cannot move job ${job.number} from ${illegal.from} to ${illegal.to}: only to ${next}.`;
    return refuse("illegal-move", text);
  }
  const more = [...(command.blobs ?? []), ...parts.map(({ hash }) => hash)];
  const added = [...new Set(more)].filter((hash) => !job.blobs.includes(hash));
  const refusal = checkAdded(data, job, command, context);
  if (refusal !== null) return refusal;
  addParts(data, parts, context);
  countRefs(data, added, 1, context);
  const blobs = added.length === 0 ? job.blobs : [...job.blobs, ...added];
  const notes = command.notes ?? job.notes;
  const attempt = steps.at(-1)?.attempt ?? job.attempt;
  const history = [...job.history, ...steps].slice(-JOB_HISTORY_MAX);
  data.jobs.set(jobId, {
    ...job,
    blobs,
    notes,
    state: to,
    attempt,
    movedAtIndex: context.index,
    history,
    ...(term === undefined ? {} : { term }),
  });
  // Removed first, so that a job which ends again stands last.
  data.derived.endedJobs.delete(jobId);
  if (isForgettable(to)) data.derived.endedJobs.add(jobId);
  forgetOldest(data, context);
  return give({ type: "job", number: job.number, attempt });
}

/** The way of the job, with its last state. */
function stepsOf(job: JobRecord, { to, via = [], reason }: CommandOf<"job.move">, atMs: number): JobStep[] {
  let { attempt } = job;
  const sinceMs = job.history.at(-1)?.atMs ?? 0;
  return [...via, { state: to, agoMs: 0 }].map(({ state, agoMs }, at): JobStep => {
    if (state === "restarting") attempt++;
    // The clock of another leader may have stood otherwise.
    const stepMs = Math.min(atMs, Math.max(sinceMs, atMs - agoMs));
    return { state, attempt, atMs: stepMs, reason: at === via.length ? reason : "" };
  });
}

function illegalStep(from: JobState, steps: readonly JobStep[]) {
  let at = from;
  for (const { state } of steps) {
    if (!canMove(at, state)) return { from: at, to: state };
    at = state;
  }
  return null;
}

function checkAdded(data: StateData, job: JobRecord, command: CommandOf<"job.move">, context: Context): Outcome | null {
  const { blobs = [], parts = [] } = command;
  const missing = blobs.find((hash) => !data.blobs.has(hash));
  if (missing !== undefined) {
    return refuse("not-found", `Cannot move job ${job.number}: its blob ${missing} is not there.`);
  }
  if (job.blobs.length + blobs.length + parts.length > JOB_BLOBS_MAX) {
    return refuse("limit", `Cannot move job ${job.number}: it would hold more than ${JOB_BLOBS_MAX} blobs.`);
  }
  return checkParts(data, parts, context);
}

function forgetOldest(data: StateData, context: Context): void {
  for (const jobId of data.derived.endedJobs) {
    if (data.derived.endedJobs.size <= JOBS_ENDED_MAX) return;
    const job = data.jobs.get(jobId);
    if (job !== undefined) removeJob(data, job, context);
  }
}

export function deleteJob(data: StateData, command: CommandOf<"job.delete">, context: Context): Outcome {
  const job = data.jobs.get(command.jobId);
  if (job === undefined) return refuse("not-found", `Cannot delete job ${command.jobId}: there is none.`);
  if (!isEnded(job.state)) {
    return refuse("in-use", `Cannot delete job ${job.number}: it is ${job.state}. Cancel it first.`);
  }
  removeJob(data, job, context);
  return NOTHING;
}
