/** Between an agent and the executor processes of its node, over `/sage/executor/1`. Both sides serve. */
import * as v from "valibot";
import { defineMethod } from "../rpc/method.ts";
import { address, bytes, clusterId, integer, list, peerId, text, wallMs } from "../schema.ts";
import { jobId, ROWS_BYTES_MAX } from "./job.ts";
import { jobOrder, REASON_LENGTH_MAX, TASKS_MAX, taskMetrics, taskOrder, taskReport, taskRun } from "./task.ts";

export const EXECUTOR_PROTOCOL = "/sage/executor/1";

/** One line of JSON on the executor's standard input; then it stays open, and its end ends the executor. */
export const executorSetup = v.object({
  /** Seed of its key, hexadecimal. */
  privateKey: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)),
  agent: peerId,
  agentAddresses: list(address, 64),
  /** Where it listens for other executors: hosts as those of the node, any port. */
  listen: list(address, 64),
  /** Shown to the agent, base64; what it shows to other executors comes with the job. */
  credential: text(8_192),
  /** Slots that it may run tasks in at once, workers of each, and memory of its arena. */
  slots: integer(1, 4_096),
  workersPerSlot: integer(0, 1_024),
  /** A call of a job's function may take so long; null: for ever. */
  userCallMsMax: v.nullable(integer()),
  memoryBytes: integer(),
  /** A directory of its own for what does not fit into memory; made and removed by the agent. */
  directory: text(4_096),
});
export type ExecutorSetup = v.InferOutput<typeof executorSetup>;

const clusterKeys = list(v.object({ keyId: text(64), publicKey: bytes(32) }), 8);

/** Called by the executor once it listens. */
export const executorReady = defineMethod({
  name: "executor.ready",
  request: v.object({ pid: integer(), addresses: list(address, 64) }),
  reply: v.object({ cluster: clusterId, keys: clusterKeys }),
  minRole: "guest",
});

/** Tasks to begin. `memoryBytes`: what the job may take in the arena from now on, in all slots together. */
const run = { memoryBytes: integer(1), tasks: list(taskOrder, TASKS_MAX) };

/** A job's attempt is given to the executor, with its first tasks. Again with a newer attempt: older ones are dropped. */
export const executorAssign = defineMethod({
  name: "executor.assign",
  request: v.object({
    job: jobOrder,
    plan: bytes(4 << 20),
    /** File with the job's module; the agent keeps it while the job is here. */
    bundlePath: v.nullable(text(4_096)),
    /** What it shows to the job's other executors. */
    credential: bytes(4_096),
    keys: clusterKeys,
    directory: text(4_096),
    ...run,
  }),
  reply: v.object({}),
  minRole: "node",
});

/** Begins tasks; reports follow. */
export const executorRun = defineMethod({
  name: "executor.run",
  request: v.object({ jobId, ...run }),
  reply: v.object({}),
  minRole: "node",
});

export const executorCancel = defineMethod({
  name: "executor.cancel",
  request: v.object({ jobId, runs: list(taskRun, TASKS_MAX) }),
  reply: v.object({}),
  minRole: "node",
});

export const executorCommit = defineMethod({
  name: "executor.commit",
  request: v.object({ jobId, run: taskRun }),
  reply: v.object({}),
  minRole: "node",
});

/**
 * Puts the file in its place that a run of another executor, which is gone, has prepared for this path. `isThere`: it
 * stands; false: nothing is seen of it here.
 */
export const executorAdopt = defineMethod({
  name: "executor.adopt",
  request: v.object({ jobId, jobAttempt: integer(1), run: taskRun, sinkPath: text(4_096) }),
  reply: v.object({ isThere: v.boolean() }),
  minRole: "node",
});

/** All of the job is dropped: tasks, partitions, prepared sinks. `isReusable`: it may be given another job. */
export const executorRelease = defineMethod({
  name: "executor.release",
  request: v.object({ jobId }),
  reply: v.object({ isReusable: v.boolean() }),
  minRole: "node",
});

/** See `agent.compile`. */
export const executorCompile = defineMethod({
  name: "executor.compile",
  request: v.object({
    plan: bytes(4 << 20),
    slots: integer(1, 4_096),
    parallelism: v.nullable(integer(1, 4_096)),
  }),
  reply: v.object({ outline: bytes(4 << 20), plan: bytes(4 << 20), text: text(65_536) }),
  minRole: "node",
});

/** Removes what tasks of the job, up to this attempt of it, left beside these paths under temporary names. */
export const executorClean = defineMethod({
  name: "executor.clean",
  request: v.object({
    jobId,
    upToAttempt: integer(),
    sinkPaths: list(text(4_096), 1_024),
  }),
  reply: v.object({}),
  minRole: "node",
});

/** Is it still there? Its own thread answers, so an answer says that it turns. */
export const executorPing = defineMethod({
  name: "executor.ping",
  request: v.object({}),
  reply: v.object({ arenaBytes: integer(), atMs: wallMs }),
  minRole: "node",
});

/** From executor to agent: what became of tasks. */
export const executorReport = defineMethod({
  name: "executor.report",
  request: v.object({ reports: list(taskReport, TASKS_MAX) }),
  reply: v.object({}),
  minRole: "guest",
});

export const executorMetrics = defineMethod({
  name: "executor.metrics",
  request: v.object({ jobId, metrics: list(v.object({ run: taskRun, metrics: taskMetrics }), TASKS_MAX) }),
  reply: v.object({}),
  minRole: "guest",
});

/** Rows for the client, in order; answered when they are kept, so that a task is no faster than that. */
export const executorRows = defineMethod({
  name: "executor.rows",
  request: v.object({
    jobId,
    run: taskRun,
    /** Number of the first row within the run. */
    fromRow: integer(),
    rowCount: integer(),
    /** An Arrow IPC stream of its own: schema, then batches. */
    bytes: bytes(ROWS_BYTES_MAX),
  }),
  reply: v.object({}),
  minRole: "guest",
});

/** Where the executor of the job's attempt at another agent listens. */
export const executorFind = defineMethod({
  name: "executor.find",
  request: v.object({ jobId, jobAttempt: integer(1), agent: peerId }),
  reply: v.object({ peer: peerId, addresses: list(address, 64) }),
  minRole: "guest",
});

/** It cannot go on and ends. */
export const executorFailed = defineMethod({
  name: "executor.failed",
  request: v.object({ reason: text(REASON_LENGTH_MAX) }),
  reply: v.object({}),
  minRole: "guest",
});
