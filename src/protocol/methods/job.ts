/** Methods about jobs: what clients ask for. Any node takes them and passes on what only the JobManager knows. */
import * as v from "valibot";
import { defineMethod } from "../rpc/method.ts";
import { blobHash, bytes, durationMs, integer, list, peerId, text, wallMs } from "../schema.ts";
import { actor, consistency, freshness, PAGE_COUNT_MAX, reason, requestId } from "./common.ts";

export const jobId = v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/, "not a job id"));

/** A short text, not a closed set: a newer node may know states that this one does not. */
export const jobState = text(32);

/** What of a job may travel inside the submission; longer parts are put as blobs before. */
export const JOB_INLINE_BYTES_MAX = 128 << 10;
/** Longest module of a job. */
export const BUNDLE_BYTES_MAX = 32 << 20;
export const PLAN_BYTES_MAX = 4 << 20;
export const PARAMS_LENGTH_MAX = 32_768;
/** Of one message with rows. */
export const ROWS_BYTES_MAX = 4 << 20;

/** How a job is to be run. */
export const jobOptions = v.object({
  /** Null: by the sizes and the slots that there are. */
  parallelism: v.nullable(integer(1, 4_096)),
  /** Higher goes first. */
  priority: integer(-1_000, 1_000),
  timeoutMs: v.nullable(durationMs),
  /** Attempts of the whole job after the first. */
  restartsMax: integer(0, 1_000),
  taskRetriesMax: integer(0, 1_000),
  strategy: v.picklist(["coLocated", "locality", "loadBalanced", "roundRobin", "hash", "range"]),
  /** Of one slot; 0: whatever slots have. */
  taskMemoryBytes: integer(),
  resultBytesMax: integer(),
  codec: v.picklist(["none", "lz4", "zstd"]),
  /** JSON: name to value. */
  params: text(PARAMS_LENGTH_MAX),
});
export type JobOptions = v.InferOutput<typeof jobOptions>;

const part = v.object({ hash: blobHash, bytes: v.nullable(bytes(JOB_INLINE_BYTES_MAX)) });

/** Accepted once answered: in the log of a majority. `plan`: the logical plan; `sinkPaths`: what it writes. */
export const jobSubmit = defineMethod({
  name: "job.submit",
  request: v.object({
    jobId,
    name: text(128),
    plan: part,
    bundle: v.nullable(part),
    options: jobOptions,
    request: v.optional(requestId),
  }),
  reply: v.object({ jobId, number: integer(1) }),
  minRole: "submit",
});

/** stop, cancel, restart, continue as the job's state allows; delete forgets an ended job. */
export const jobVerb = defineMethod({
  name: "job.verb",
  request: v.object({
    jobId,
    verb: v.picklist(["stop", "cancel", "restart", "continue", "delete"]),
    request: v.optional(requestId),
    /** Who asks, where a node passes it on. */
    by: v.optional(actor),
  }),
  reply: v.object({ state: jobState }),
  minRole: "submit",
});

const jobSummary = {
  jobId,
  number: integer(1),
  name: text(128),
  state: jobState,
  attempt: integer(1),
  createdBy: text(128),
  createdAtMs: wallMs,
  /** When it came into its state. */
  movedAtMs: wallMs,
  /** Of the last move. */
  reason,
};

/** Newest first. */
export const jobList = defineMethod({
  name: "job.list",
  request: v.object({
    /** Only jobs of lower numbers: for paging. */
    beforeNumber: v.optional(integer()),
    limit: v.optional(integer(1, PAGE_COUNT_MAX)),
    /** Only jobs in these states. */
    states: v.optional(list(jobState, 32)),
    consistency,
  }),
  reply: v.object({ jobs: list(v.object(jobSummary), PAGE_COUNT_MAX), freshness }),
  minRole: "read",
});

/** Jobs of this number, this id or a prefix of it, or this name (the newest of a name comes first). */
export const jobFind = defineMethod({
  name: "job.find",
  request: v.object({ text: text(128), consistency }),
  reply: v.object({ jobs: list(v.object(jobSummary), 32) }),
  minRole: "read",
});

export const jobGet = defineMethod({
  name: "job.get",
  request: v.object({ jobId, consistency }),
  reply: v.object({
    job: v.nullable(
      v.object({
        ...jobSummary,
        blobs: list(blobHash, 64),
        history: list(v.object({ state: jobState, attempt: integer(1), atMs: wallMs, reason }), 256),
      }),
    ),
    freshness,
  }),
  minRole: "read",
});

const counters = { rowsIn: integer(), rowsOut: integer(), bytesOut: integer(), backpressureMs: durationMs };

export const jobTask = v.object({
  fragment: integer(),
  index: integer(),
  status: text(32),
  /** Name of the node; null while it waits. */
  node: v.nullable(text(128)),
  peer: v.nullable(peerId),
  slot: integer(),
  attempt: integer(),
  failures: integer(),
  losses: integer(),
  ...counters,
  spilledBytes: integer(),
  elapsedMs: durationMs,
  /** Why earlier runs ended. */
  reasons: list(reason, 16),
});
export type JobTask = v.InferOutput<typeof jobTask>;

/** Tasks of one fragment together. */
export const jobStage = v.object({
  fragment: integer(),
  /** What it does, in a few words. */
  label: text(256),
  parallelism: integer(),
  /** Fragments that it reads. */
  inputs: list(integer(), 4_096),
  waiting: integer(),
  running: integer(),
  finished: integer(),
  ...counters,
  elapsedMs: durationMs,
});
export type JobStage = v.InferOutput<typeof jobStage>;

/** What the JobManager knows of a job now. */
export const jobProgress = v.object({
  ...jobSummary,
  /** Why it waits, when it does: "3 of 4 slots are free", "behind job 12". */
  waiting: v.nullable(text(512)),
  stages: list(jobStage, 10_000),
  /** Physical plan as text; only where asked for. */
  plan: v.nullable(text(65_536)),
  tasks: list(jobTask, 4_096),
  /** Tasks that were left out of `tasks`. */
  tasksLeftOut: integer(),
  /** Results for the client: how many roots give rows. */
  resultRoots: integer(),
  /** Which ones, by their place in what the builder returned, in order; missing until it is compiled. */
  roots: v.optional(list(integer(), 1_024)),
  lastError: v.nullable(
    v.object({
      reason: text(8_000),
      /** Of an error that the compiler found: which. */
      code: v.optional(text(64)),
      place: v.nullable(v.object({ file: text(1_024), line: integer(), column: integer(), text: text(2_000) })),
    }),
  ),
});
export type JobProgress = v.InferOutput<typeof jobProgress>;

export const jobShow = defineMethod({
  name: "job.show",
  request: v.object({ jobId, hasTasks: v.boolean() }),
  reply: jobProgress,
  minRole: "read",
});

/** The same as a stream: at each change of state at once, otherwise about twice a second; ends with the job's end. */
export const jobWatch = defineMethod({
  name: "job.watch",
  request: v.object({ jobId, hasTasks: v.boolean() }),
  item: jobProgress,
  minRole: "read",
});

/**
 * Rows of one root, as soon as they are there; ends when the job has finished. Position: after `fromRow` rows of task
 * `fromTask`; a broken stream is asked for again there.
 *
 * @throws job-failed, job-cancelled, rows-lost
 */
export const jobRows = defineMethod({
  name: "job.rows",
  request: v.object({ jobId, root: integer(0, 1_000), fromTask: integer(), fromRow: integer() }),
  item: v.object({
    task: integer(),
    /** Number of the first of these rows within the task. */
    fromRow: integer(),
    rowCount: integer(),
    /** An Arrow IPC stream of its own: schema, then batches; a schema alone when the root gives no rows. */
    bytes: bytes(ROWS_BYTES_MAX),
  }),
  minRole: "read",
});

export const jobLogs = defineMethod({
  name: "job.logs",
  request: v.object({ jobId, follow: v.boolean() }),
  item: v.object({
    atMs: wallMs,
    node: text(128),
    /** That printed it, as "fragment.index", and which run of it; null: not known. */
    task: v.nullable(text(64)),
    attempt: v.optional(integer()),
    stream: v.picklist(["out", "err"]),
    text: text(65_536),
  }),
  minRole: "read",
});
