/** Shapes about tasks that several methods share. */
import * as v from "valibot";
import { blobHash, bytes, durationMs, integer, list, peerId, text } from "../schema.ts";
import { jobId } from "./job.ts";

export const TASKS_MAX = 20_000;
/** Of a plan that travels inside a message; longer ones are fetched as blobs. */
export const INLINE_BYTES_MAX = 256 << 10;
export const REASON_LENGTH_MAX = 4_000;

export const taskVertex = v.object({ fragment: integer(0, 100_000), index: integer(0, 100_000) });

/** Where a task finds what one producer gives: at the executor that `peer` runs for the job. */
export const inputPlace = v.object({ exchange: integer(), producer: taskVertex, attempt: integer(), peer: peerId });
export type InputPlace = v.InferOutput<typeof inputPlace>;

/** What a job is made of; `bytes` null: to be had under the hash. */
export const content = v.object({ hash: blobHash, bytes: v.nullable(bytes(INLINE_BYTES_MAX)) });
export type Content = v.InferOutput<typeof content>;

/** A task as it is to be run: attempt of the job and of the task. */
export const taskOrder = v.object({
  task: taskVertex,
  attempt: integer(1),
  slot: integer(0, 4_096),
  inputs: list(inputPlace, TASKS_MAX),
});
export type TaskOrder = v.InferOutput<typeof taskOrder>;

/** Which run of which task. */
export const taskRun = v.object({ task: taskVertex, attempt: integer(1) });
export type TaskRun = v.InferOutput<typeof taskRun>;

/** What all tasks of a job's attempt share. */
export const jobOrder = v.object({
  jobId,
  name: text(128),
  jobAttempt: integer(1),
  /** Physical plan, as the compiler wrote it. */
  plan: content,
  /** The job's module; null when it has no code of its own. */
  bundle: v.nullable(blobHash),
  /** Parameters that the builder gets, as JSON. */
  params: text(65_536),
  /** Of each slot; 0: the agent's own. */
  taskMemoryBytes: integer(),
  /** What the client's rows of one task may take until they are fetched. */
  resultBytesMax: integer(),
  codec: v.picklist(["none", "lz4", "zstd"]),
  /** Files that the tasks of this order write: an agent remembers to remove what they leave, also after a crash. */
  sinkPaths: v.optional(list(text(4_096), 1_024)),
});
export type JobOrder = v.InferOutput<typeof jobOrder>;

/** Counters of one run, since it began. */
export const taskMetrics = v.object({
  rowsIn: integer(),
  rowsOut: integer(),
  bytesOut: integer(),
  spilledBytes: integer(),
  /** Time in which it waited for its readers. */
  backpressureMs: durationMs,
  elapsedMs: durationMs,
});
export type TaskMetrics = v.InferOutput<typeof taskMetrics>;

/** Where an error of user code arose. */
export const userPlace = v.object({ file: text(1_024), line: integer(), column: integer(), text: text(2_000) });
export type UserPlace = v.InferOutput<typeof userPlace>;

/**
 * running: it has begun. finished: all its rows are given, a sink is prepared. committed: the sink's file stands. failed: it
 * is over. ended: it is over because that was asked for, or it was never begun.
 */
export const taskReport = v.object({
  jobId,
  jobAttempt: integer(1),
  task: taskVertex,
  attempt: integer(1),
  status: v.picklist(["running", "finished", "committed", "failed", "ended"]),
  reason: v.optional(text(REASON_LENGTH_MAX)),
  /** It would fail again: the job's own error. */
  isFinal: v.optional(v.boolean()),
  place: v.optional(v.nullable(userPlace)),
  /** It failed because what this run gave is not there any more. */
  lost: v.optional(v.nullable(taskRun)),
  outputBytes: v.optional(integer()),
  metrics: v.optional(taskMetrics),
});
export type TaskReport = v.InferOutput<typeof taskReport>;
