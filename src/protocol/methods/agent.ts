/** Between the JobManager and agents, node to node. Every order carries the JobManager's term: older ones are refused. */
import * as v from "valibot";
import { defineMethod } from "../rpc/method.ts";
import { address, bytes, durationMs, integer, list, peerId, text } from "../schema.ts";
import { jobId, ROWS_BYTES_MAX } from "./job.ts";
import {
  inputPlace,
  jobOrder,
  REASON_LENGTH_MAX,
  TASKS_MAX,
  taskMetrics,
  taskOrder,
  taskReport,
  taskRun,
} from "./task.ts";

const ordered = { term: integer(), jobId };

/** Tasks to be begun at once. Accepted means that reports will follow; each task ends with one. */
export const agentDeploy = defineMethod({
  name: "agent.deploy",
  request: v.object({ term: integer(), job: jobOrder, tasks: list(taskOrder, TASKS_MAX) }),
  reply: v.object({}),
  minRole: "node",
});

/** Wants a report of each: ended, or whatever came first. Of a finished run it means that its rows are not needed. */
export const agentCancel = defineMethod({
  name: "agent.cancel",
  request: v.object({ ...ordered, runs: list(taskRun, TASKS_MAX) }),
  reply: v.object({}),
  minRole: "node",
});

/**
 * Wants "committed". Idempotent. An agent whose executor has not prepared the file itself looks for it beside `sinkPath`:
 * the one that did may be gone. Where it does not see it, no report follows.
 */
export const agentCommit = defineMethod({
  name: "agent.commit",
  request: v.object({
    ...ordered,
    jobAttempt: integer(1),
    run: taskRun,
    sinkPath: v.nullable(text(4_096)),
  }),
  reply: v.object({}),
  minRole: "node",
});

/** Ends the job's executor by force; what it ran is reported as lost. */
export const agentEndExecutor = defineMethod({
  name: "agent.endExecutor",
  request: v.object({ ...ordered, reason: text(REASON_LENGTH_MAX) }),
  reply: v.object({}),
  minRole: "node",
});

/**
 * Partitions, prepared files and executors of the job up to this attempt are of no use any more; up to the largest number:
 * the job is forgotten, its log too. `keepResults`: the rows for the client stay. `sinkPaths`: what lies beside them under
 * temporary names of the job is removed.
 */
export const agentRelease = defineMethod({
  name: "agent.release",
  request: v.object({
    ...ordered,
    upToAttempt: integer(),
    keepResults: v.boolean(),
    sinkPaths: list(text(4_096), 1_024),
  }),
  reply: v.object({}),
  minRole: "node",
});

/** All that the agent runs and holds; also makes this JobManager the one whose orders count. */
export const agentInventory = defineMethod({
  name: "agent.inventory",
  request: v.object({ term: integer() }),
  reply: v.object({
    slotCount: integer(),
    slotMemoryBytes: integer(),
    load: v.pipe(v.number(), v.minValue(0)),
    reports: list(v.object({ ...taskReport.entries, slot: integer(), inputs: list(inputPlace, TASKS_MAX) }), TASKS_MAX),
    /** Jobs that it has anything of, also where no run is left. */
    jobs: list(v.object({ jobId, jobAttempt: integer(1) }), TASKS_MAX),
    /** Rows for clients that are kept of ended jobs. */
    results: list(v.object({ jobId, jobAttempt: integer(1), runs: list(taskRun, TASKS_MAX) }), 10_000),
  }),
  minRole: "node",
});

/** A new plan: looks at the sources, optimises, cuts into tasks. Any agent can do it, in an executor. */
export const agentCompile = defineMethod({
  name: "agent.compile",
  request: v.object({
    ...ordered,
    /** Logical plan. */
    plan: bytes(4 << 20),
    slots: integer(1, 4_096),
    parallelism: v.nullable(integer(1, 4_096)),
  }),
  reply: v.object({
    /** For the JobManager: the plan without what only tasks need. */
    outline: bytes(4 << 20),
    /** For the tasks. */
    plan: bytes(4 << 20),
    /** Physical plan as text, for `jobs show`. */
    text: text(65_536),
  }),
  minRole: "node",
});

/** The executor that the agent runs for the job's attempt; waits for it as long as the caller does. */
export const agentExecutor = defineMethod({
  name: "agent.executor",
  request: v.object({ jobId, jobAttempt: integer(1) }),
  reply: v.object({ peer: peerId, addresses: list(address, 16) }),
  minRole: "node",
});

/**
 * Rows for the client of one run of a task, in order, from `fromRow` on: messages as the executor gave them (the first
 * may begin before `fromRow`). Waits for more until the task has finished; then it ends.
 *
 * @throws when the run is not known here, or has failed or was ended
 */
export const agentRows = defineMethod({
  name: "agent.rows",
  request: v.object({ jobId, jobAttempt: integer(1), run: taskRun, fromRow: integer() }),
  item: v.object({
    /** Number of the first row within the run. */
    fromRow: integer(),
    rowCount: integer(),
    /** An Arrow IPC stream of its own: schema, then batches. */
    bytes: bytes(ROWS_BYTES_MAX),
  }),
  minRole: "node",
});

/** What the job's code printed at this agent. */
export const agentLogs = defineMethod({
  name: "agent.logs",
  request: v.object({ jobId, follow: v.boolean() }),
  item: v.object({
    atMs: v.number(),
    /** That printed it, as "fragment.index", and which run of it; null: not known. */
    task: v.nullable(text(64)),
    attempt: v.optional(integer()),
    stream: v.picklist(["out", "err"]),
    text: text(65_536),
  }),
  minRole: "node",
});

/** From agent to JobManager: repeated until answered. `executorLost` stands for all runs up to that attempt. */
export const jobsReport = defineMethod({
  name: "jobs.report",
  request: v.object({
    load: v.pipe(v.number(), v.minValue(0)),
    /** The agent cannot start executors, and takes no tasks for so long; 0 or left out: it does. */
    restMs: v.optional(durationMs),
    reports: list(taskReport, TASKS_MAX),
    lost: list(
      v.object({
        jobId,
        jobAttempt: integer(1),
        upToAttempt: integer(),
        reason: text(REASON_LENGTH_MAX),
        /** Who has ended it nobody knows; it may have been what it ran. */
        isUnexplained: v.optional(v.boolean()),
      }),
      1_000,
    ),
    metrics: list(v.object({ jobId, jobAttempt: integer(1), run: taskRun, metrics: taskMetrics }), TASKS_MAX),
  }),
  reply: v.object({}),
  minRole: "node",
});

/** How long agents hold back counters before they tell them. */
export const METRICS_MS = 500;
