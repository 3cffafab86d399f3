/** What the JobManager shows of a job. */
import type { JobRecord } from "../../cluster/mod.ts";
import { isEnded, type JobOutline, type TaskRecord } from "../../jobs/mod.ts";
import type { PeerId } from "../../kernel/mod.ts";
import type { JobProgress, JobStage, JobTask, TaskMetrics } from "../../protocol/mod.ts";
import type { JobDriver } from "./driver.ts";
import type { EndNotes } from "./end_notes.ts";
import { summaryOf } from "./summary.ts";

export interface ProgressOptions {
  readonly hasTasks: boolean;
  readonly outline: JobOutline | null;
  /** Physical plan as text, where asked for. */
  readonly plan: string | null;
  readonly nameOf: (peer: PeerId) => string | null;
}

const WAITING_CHARS_MAX = 512;
const TASKS_SHOWN_MAX = 4_096;
const REASON_CHARS_MAX = 2_000;
const TEXT_CHARS_MAX = 65_536;
const NO_STAGE = [0, 0, 0, 0, 0, 0] as const;
const NOTHING: TaskMetrics = {
  rowsIn: 0,
  rowsOut: 0,
  bytesOut: 0,
  spilledBytes: 0,
  backpressureMs: 0,
  elapsedMs: 0,
};

export function progressOf(driver: JobDriver, record: JobRecord, options: ProgressOptions): JobProgress {
  const { outline, hasTasks, plan } = options;
  const tasks = driver.machine.tasks;
  const noted = driver.compiler.noted()?.end ?? null;
  // What another JobManager has brought to its end.
  const end = tasks.length === 0 && isEnded(record.state) && noted?.attempt === record.attempt ? noted : null;
  const shown = hasTasks ? tasks.slice(0, TASKS_SHOWN_MAX) : [];
  const isWaiting = driver.machine.wantedSlots > 0 || driver.waiting !== null;
  return {
    ...summaryOf(record),
    waiting: awaitedOf(driver, options) ?? (isWaiting && !driver.hasEnded ? driver.waiting : null),
    stages: outline === null ? [] : end === null ? stagesOf(driver, outline, tasks) : notedStages(record, outline, end),
    plan: plan === null ? null : plan.slice(0, TEXT_CHARS_MAX),
    tasks: end !== null && hasTasks ? notedTasks(end) : shown.map((task) => taskOf(driver, task, options.nameOf)),
    tasksLeftOut: hasTasks ? tasks.length - shown.length : 0,
    ...rootsOf(outline),
    lastError:
      driver.lastError === null
        ? (noted?.lastError ?? null)
        : { ...driver.lastError, place: driver.lastError.place ?? null },
  };
}

function rootsOf(outline: JobOutline | null): Pick<JobProgress, "resultRoots" | "roots"> {
  if (outline === null) return { resultRoots: 0 };
  const roots = outline.fragments.flatMap(({ output }) => (output.kind === "client" ? [output.root ?? 0] : []));
  return { resultRoots: roots.length, roots: roots.sort((a, b) => a - b) };
}

/** What a job that finishes waits for. */
function awaitedOf({ machine }: JobDriver, { nameOf }: ProgressOptions): string | null {
  const { awaited } = machine;
  if (awaited === null) return null;
  const { task, peer, reason } = awaited;
  const text = `for ${nameOf(peer) ?? peer}, which has prepared the file of task ${task.fragment}.${task.index}: ${reason}`;
  return text.slice(0, WAITING_CHARS_MAX);
}

function notedStages({ state }: JobRecord, outline: JobOutline, end: EndNotes): JobStage[] {
  return outline.fragments.map((fragment) => {
    const { parallelism } = fragment;
    const [rowsIn, rowsOut, bytesOut, backpressureMs, elapsedMs, done] = end.stages[fragment.id] ?? NO_STAGE;
    const finished = state === "finished" ? parallelism : Math.min(done, parallelism);
    const counted = { rowsIn, rowsOut, bytesOut, backpressureMs, elapsedMs };
    return { ...stageOf(outline, fragment), waiting: parallelism - finished, running: 0, finished, ...counted };
  });
}

/** Those that did not go through at once. */
function notedTasks({ tasks }: EndNotes): JobTask[] {
  return tasks.map(([fragment, index, runs, failures, losses, reason]) => {
    const place = { node: null, peer: null, slot: 0 };
    const reasons = reason === "" ? [] : [reason];
    return { fragment, index, status: "ended", ...place, attempt: runs, failures, losses, ...NOTHING, reasons };
  });
}

function stageOf(outline: JobOutline, { id, parallelism, inputs }: JobOutline["fragments"][number]) {
  const sources = inputs.map((edge) => outline.exchanges[edge]?.from ?? 0);
  return { fragment: id, label: outline.labels[id] ?? "", parallelism, inputs: sources };
}

function stagesOf(driver: JobDriver, outline: JobOutline, tasks: readonly Readonly<TaskRecord>[]): JobStage[] {
  const hasFinished = driver.machine.state === "finished";
  const isOver = hasFinished && tasks.length === 0;
  const stages = outline.fragments.map((fragment) => ({
    ...stageOf(outline, fragment),
    waiting: tasks.length === 0 && !isOver ? fragment.parallelism : 0,
    running: 0,
    finished: isOver ? fragment.parallelism : 0,
    rowsIn: 0,
    rowsOut: 0,
    bytesOut: 0,
    backpressureMs: 0,
    elapsedMs: 0,
  }));
  for (const record of tasks) {
    const stage = stages[record.task.fragment];
    if (stage === undefined) continue;
    const { rowsIn, rowsOut, bytesOut, backpressureMs, elapsedMs } = driver.metricsOf(record) ?? NOTHING;
    // What nobody wanted any more was called off.
    stage[hasFinished ? "finished" : groupOf(record)]++;
    stage.rowsIn += rowsIn;
    stage.rowsOut += rowsOut;
    stage.bytesOut += bytesOut;
    stage.backpressureMs += backpressureMs;
    stage.elapsedMs = Math.max(stage.elapsedMs, elapsedMs);
  }
  return stages;
}

function groupOf({ status }: Readonly<TaskRecord>): "waiting" | "running" | "finished" {
  if (status === "waiting") return "waiting";
  return status === "finished" || status === "committed" ? "finished" : "running";
}

/** A task whose job has ended waits for nothing. */
function endOf({ status, failures, losses }: Readonly<TaskRecord>): string {
  if (status !== "waiting") return status;
  return failures > 0 ? "failed" : losses > 0 ? "lost" : "not run";
}

function taskOf(driver: JobDriver, record: Readonly<TaskRecord>, nameOf: (peer: PeerId) => string | null): JobTask {
  const { task, status, peer, slot, runs, failures, losses, reasons } = record;
  return {
    fragment: task.fragment,
    index: task.index,
    status: driver.hasEnded ? endOf(record) : status,
    node: peer === null ? null : (nameOf(peer) ?? peer),
    peer,
    slot,
    attempt: runs,
    failures,
    losses,
    ...(driver.metricsOf(record) ?? NOTHING),
    reasons: reasons.slice(-16).map((reason) => reason.slice(0, REASON_CHARS_MAX)),
  };
}
