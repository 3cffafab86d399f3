/**
 * What is kept of how an attempt of a job went once it is over: its counters and its last error, in the log with the move
 * that ends it, so that later JobManagers show the same.
 */
import * as v from "valibot";
import type { TaskRecord } from "../../jobs/mod.ts";
import { encodeValue, type TaskMetrics, userPlace } from "../../protocol/mod.ts";
import type { JobDriver, JobErrorNote } from "./driver.ts";

const count = v.pipe(v.number(), v.minValue(0));

export const END_NOTES = v.object({
  attempt: v.pipe(v.number(), v.integer(), v.minValue(1)),
  /** Of each stage: rows in, rows out, bytes, time its readers were waited for, time, finished tasks. */
  stages: v.array(v.tuple([count, count, count, count, count, count])),
  /** Of tasks that did not go through at once: fragment, index, runs, failures, losses, and why the last run ended. */
  tasks: v.array(v.tuple([count, count, count, count, count, v.string()])),
  lastError: v.nullable(v.object({ reason: v.string(), place: v.nullable(userPlace), code: v.optional(v.string()) })),
});
export type EndNotes = Readonly<v.InferOutput<typeof END_NOTES>>;
type StageNotes = EndNotes["stages"][number];

/** Of the notes that one move may carry; the rest is for what the compiler made. */
const END_BYTES_MAX = 3_072;
const TASKS_NOTED_MAX = 24;
const TASK_REASON_CHARS_MAX = 80;
const ERROR_CHARS_MAX = 800;
const PLACE_CHARS_MAX = 300;

export function endNotesOf(driver: JobDriver): EndNotes {
  const { machine, outline, lastError } = driver;
  const records = machine.tasks;
  const stages = (outline?.fragments ?? []).map((): StageNotes => [0, 0, 0, 0, 0, 0]);
  for (const record of records) {
    const stage = stages[record.task.fragment];
    if (stage !== undefined) addTo(stage, record, driver.metricsOf(record));
  }
  const disturbed = records.filter(({ runs, failures, losses }) => runs > 1 || failures + losses > 0);
  const tasks = disturbed.slice(0, TASKS_NOTED_MAX).map((record): EndNotes["tasks"][number] => {
    const { task, runs, failures, losses, reasons } = record;
    const reason = (reasons.at(-1) ?? "").slice(0, TASK_REASON_CHARS_MAX);
    return [task.fragment, task.index, runs, failures, losses, reason];
  });
  return fitting({ attempt: machine.attempt, stages, tasks, lastError: shortError(lastError) });
}

function addTo(stage: StageNotes, { status }: Readonly<TaskRecord>, metrics: TaskMetrics | null): void {
  if (status === "finished" || status === "committed") stage[5]++;
  if (metrics === null) return;
  stage[0] += metrics.rowsIn;
  stage[1] += metrics.rowsOut;
  stage[2] += metrics.bytesOut;
  stage[3] += Math.round(metrics.backpressureMs);
  stage[4] = Math.max(stage[4], Math.round(metrics.elapsedMs));
}

function shortError(error: JobErrorNote | null): EndNotes["lastError"] {
  if (error === null) return null;
  const { reason, place = null, code } = error;
  const short =
    place === null
      ? null
      : { ...place, file: place.file.slice(-PLACE_CHARS_MAX), text: place.text.slice(0, PLACE_CHARS_MAX) };
  return { reason: reason.slice(0, ERROR_CHARS_MAX), place: short, ...(code === undefined ? {} : { code }) };
}

/** Leaves out tasks first, then the later stages, until the rest may stand in the log. */
function fitting(notes: EndNotes): EndNotes {
  let { tasks, stages } = notes;
  while (encodeValue({ ...notes, tasks, stages }).length > END_BYTES_MAX) {
    if (tasks.length > 0) tasks = tasks.slice(0, tasks.length >> 1);
    else if (stages.length > 0) stages = stages.slice(0, stages.length >> 1);
    else return { ...notes, tasks, stages, lastError: null };
  }
  return { ...notes, tasks, stages };
}
