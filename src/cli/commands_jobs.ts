/** The commands about jobs of a cluster, as data. */
import type { CommandSpec, OptionSpec } from "./commands.ts";
import { FORCE, FORMAT, TEXT, TIMEOUT, TO } from "./common_options.ts";

export type JobCommandName =
  | "submit"
  | "jobs list"
  | "jobs show"
  | "jobs stop"
  | "jobs continue"
  | "jobs cancel"
  | "jobs restart"
  | "jobs delete"
  | "jobs logs"
  | "jobs wait"
  | "jobs watch";

export type JobOptionName =
  | "param"
  | "parallelism"
  | "detach"
  | "priority"
  | "retries"
  | "restarts"
  | "strategy"
  | "codec"
  | "result-limit"
  | "task"
  | "task-memory"
  | "status"
  | "follow"
  | "stale"
  | "tasks";

export const PARAM: OptionSpec = {
  name: "param",
  value: "NAME=VALUE",
  isList: true,
  keepsCommas: true,
  description: "Value of a parameter of the job; may be given several times",
};
const STATUS: OptionSpec = {
  name: "status",
  value: "STATUS",
  isList: true,
  description: "Only jobs in these states: running, failed, …; active and ended mean several",
};
const STALE: OptionSpec = {
  name: "stale",
  value: null,
  description: "As the node that answers knows it: also where there is no leader",
};
const JOB_NOTE = "A job is named by its number, its id, a beginning of its id, or its name (the newest of that name).";

const SUBMIT: CommandSpec = {
  name: "submit",
  summary: "Run a job on a cluster and print its rows",
  positionals: [{ name: "job", isRequired: true, description: "File that exports a dataflow as default" }],
  options: [
    PARAM,
    { name: "name", value: "NAME", description: "Name in lists (default: the dataflow's)" },
    { name: "parallelism", value: "N", description: "Tasks of each stage (default: by sizes and free slots)" },
    { name: "priority", value: "N", description: "Higher goes first, from -1000 to 1000 (default: 0)" },
    {
      name: "timeout",
      value: "TIME",
      description: "End the job when it has not finished after this time, such as 10m",
    },
    { name: "retries", value: "N", description: "Runs of a task after one that failed (default: 3)" },
    { name: "restarts", value: "N", description: "Attempts of the whole job after the first (default: 1)" },
    { name: "detach", value: null, description: "Print number and id and do not wait" },
    { name: "format", value: "FORMAT", description: "table (default), json, csv or arrow" },
    { name: "output", value: "FILE", description: "Write the rows to FILE here; its ending gives the format" },
    { name: "result-limit", value: "SIZE", description: "Rows that a task may keep for the client (default: 1GiB)" },
    { name: "task-memory", value: "SIZE", description: "Only in slots with so much memory (default: in any)" },
    {
      name: "strategy",
      value: "NAME",
      description: "coLocated (default), locality, loadBalanced, roundRobin, hash or range",
    },
    { name: "codec", value: "NAME", description: "Compress what tasks send each other: none (default), lz4 or zstd" },
    { name: "quiet", value: null, description: "No progress and no summary" },
    TO,
  ],
  notes: [
    "The job goes on when this program ends: see sage jobs list. Ctrl-C asks whether it shall be cancelled; a second Ctrl-C",
    "leaves it running. Where nobody can be asked, Ctrl-C and SIGTERM cancel it: use --detach for jobs that shall outlive a script.",
    "Paths in the job count from the directory in which it is submitted; every node that reads or writes them must reach them.",
    "Exit codes: 0 done, 1 the job failed or was cancelled, 2 the command or the job file is wrong.",
  ],
  examples: [
    { line: "sage submit job.ts", meaning: "rows as sage run would print them" },
    { line: "sage submit job.ts --param year=2008 --output rows.csv", meaning: "with a parameter, into a file here" },
    { line: "sage submit job.ts --detach --format json", meaning: "number and id for programs" },
  ],
};

const JOB = { name: "job", isRequired: true, description: "Number, id, beginning of an id, or name" } as const;
const JOBS = {
  name: "job",
  isRequired: false,
  isList: true,
  description: "Numbers, ids, beginnings of ids, or names",
} as const;

function verb(
  name: JobCommandName,
  summary: string,
  of: {
    readonly notes: readonly string[];
    readonly example: readonly [line: string, meaning: string];
    readonly asks?: true;
  },
): CommandSpec {
  const [line, meaning] = of.example;
  return {
    name,
    summary,
    positionals: [JOBS],
    options: [STATUS, ...(of.asks ? [FORCE] : []), TEXT, TO, TIMEOUT],
    notes: [...of.notes, JOB_NOTE],
    examples: [{ line, meaning }],
  };
}

const JOBS_COMMANDS: readonly CommandSpec[] = [
  {
    name: "jobs list",
    summary: "Show the jobs of a cluster, newest first",
    positionals: [],
    options: [
      STATUS,
      { name: "limit", value: "N", description: "The newest N (default: 50)" },
      STALE,
      FORMAT,
      TO,
      TIMEOUT,
    ],
    notes: ["Ended jobs are forgotten after the 1,000 newest."],
    examples: [
      { line: "sage jobs list --status running,failed", meaning: "what runs, and what went wrong" },
      { line: "sage jobs list --format json", meaning: "for programs" },
    ],
  },
  {
    name: "jobs show",
    summary: "Show a job's graph, tasks, history and last error",
    positionals: [JOB],
    options: [
      { name: "tasks", value: null, description: "All tasks, not only the busy and the troubled" },
      STALE,
      FORMAT,
      TO,
      TIMEOUT,
    ],
    notes: ["With --stale there is only what is in the log: states and their reasons.", JOB_NOTE],
    examples: [{ line: "sage jobs show 12", meaning: "" }],
  },
  verb("jobs stop", "Stop jobs so that they can be continued", {
    notes: ["sage jobs continue goes on with a stopped job."],
    example: ["sage jobs stop 12 13", "two jobs"],
    asks: true,
  }),
  verb("jobs continue", "Go on with stopped jobs", { notes: [], example: ["sage jobs continue 12", ""] }),
  verb("jobs cancel", "End jobs for good", {
    notes: ["What their sinks have not committed is gone; files that were there stay as they are."],
    example: ["sage jobs cancel --status active --force", "everything that runs or waits"],
    asks: true,
  }),
  verb("jobs restart", "Run jobs again from their sources", {
    notes: ["Sinks that are written again replace their files when they commit."],
    example: ["sage jobs restart --status failed", "whatever has failed"],
    asks: true,
  }),
  verb("jobs delete", "Forget ended jobs, their rows and logs", {
    notes: [],
    example: ["sage jobs delete --status ended --force", "all that have ended"],
    asks: true,
  }),
  {
    name: "jobs logs",
    summary: "Show what a job's code has printed",
    positionals: [JOB],
    options: [
      { name: "follow", value: null, description: "Go on until the job has ended, or Ctrl-C" },
      { name: "task", value: "TASK", description: "Only what this task printed, such as 2.0" },
      FORMAT,
      TO,
      TIMEOUT,
    ],
    notes: ["Each node keeps the last lines of a job up to a limit.", JOB_NOTE],
    examples: [{ line: "sage jobs logs 12 --follow", meaning: "as they come" }],
  },
  {
    name: "jobs wait",
    summary: "Wait until jobs have ended",
    positionals: [JOBS],
    options: [STATUS, TEXT, TO, { ...TIMEOUT, description: "Wait no longer than this (default: for ever)" }],
    notes: ["Exit codes: 0 all have finished, 1 one has not, or the time is over.", JOB_NOTE],
    examples: [{ line: "sage jobs wait 12 --timeout 10m", meaning: "in scripts" }],
  },
  {
    name: "jobs watch",
    summary: "Show a job's progress until it has ended",
    positionals: [JOB],
    options: [{ name: "tasks", value: null, description: "All tasks too" }, FORMAT, TO, TIMEOUT],
    notes: ["On a terminal drawn over itself; elsewhere a line whenever the state changes.", JOB_NOTE],
    examples: [{ line: "sage jobs watch 12", meaning: "" }],
  },
];

export const JOB_COMMANDS: readonly CommandSpec[] = [SUBMIT, ...JOBS_COMMANDS];
