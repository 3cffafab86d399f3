import { CLUSTER_COMMANDS, type ClusterCommandName, type ClusterOptionName } from "./commands_cluster.ts";
import { JOB_COMMANDS, type JobCommandName, type JobOptionName, PARAM } from "./commands_jobs.ts";

/** The commands as data: the parser, the help and "did you mean" all read this table. */

export type OptionName =
  | "workers"
  | "memory"
  | "timeout"
  | "format"
  | "output"
  | "quiet"
  | "wasm"
  | "force"
  | "param"
  | ClusterOptionName
  | JobOptionName;

export interface OptionSpec {
  readonly name: OptionName;
  /** Name of the value in the help; null for a flag. */
  readonly value: string | null;
  /** May be given several times, or once with commas. */
  readonly isList?: true;
  /** Of a list: values are taken as they are, commas and all. */
  readonly keepsCommas?: true;
  readonly description: string;
}

export interface CommandSpec {
  /** One word, or two of which the first is shared by a group of commands: "cluster status". */
  readonly name: CommandName;
  readonly summary: string;
  readonly positionals: readonly {
    readonly name: string;
    readonly isRequired: boolean;
    /** The last one, of which there may be several. */
    readonly isList?: true;
    readonly description: string;
  }[];
  readonly options: readonly OptionSpec[];
  readonly notes: readonly string[];
  readonly examples: readonly { readonly line: string; readonly meaning: string }[];
}

export type CommandName = "run" | "explain" | "init" | "help" | ClusterCommandName | JobCommandName;

const RUN: CommandSpec = {
  name: "run",
  summary: "Run a job on this machine and print its rows",
  positionals: [{ name: "job", isRequired: true, description: "File that exports a dataflow as default" }],
  options: [
    { name: "workers", value: "N", description: "Threads that compute (default: one per core)" },
    {
      name: "memory",
      value: "SIZE",
      description: "Most memory for data, such as 512MB or 2GiB (default: 60 % of RAM, at most 4GiB)",
    },
    { name: "timeout", value: "TIME", description: "Stop the job after this time, such as 500ms, 30s, 10m" },
    { name: "format", value: "FORMAT", description: "table (default), json, csv or arrow" },
    { name: "output", value: "FILE", description: "Write the rows to FILE instead; its ending gives the format" },
    PARAM,
    { name: "quiet", value: null, description: "No progress and no summary" },
  ],
  notes: [
    "A dataflow without a sink prints its rows to stdout. All else goes to stderr.",
    "json is one object a line: integers and decimals exact, NaN and infinities as strings.",
    "Exit codes: 0 done, 1 the job failed, 2 the command or the job file is wrong.",
  ],
  examples: [
    { line: "sage run job.ts", meaning: "show the first and last rows as a table" },
    { line: "sage run job.ts --format json | head -3", meaning: "rows for other programs" },
    { line: "sage run job.ts --output rows.csv", meaning: "rows into a file" },
    { line: "sage run job.ts --workers 2 --memory 1GiB --timeout 30s", meaning: "within limits" },
  ],
};

const EXPLAIN: CommandSpec = {
  name: "explain",
  summary: "Show how a job would run, without running it",
  positionals: [{ name: "job", isRequired: true, description: "File that exports a dataflow as default" }],
  options: [PARAM, { name: "wasm", value: null, description: "Also show the generated WebAssembly as text" }],
  notes: ["Prints the plan as written, optimised and physical, and its pipelines."],
  examples: [
    { line: "sage explain job.ts", meaning: "the plans" },
    { line: "sage explain job.ts --wasm | less", meaning: "the generated code too" },
  ],
};

const INIT: CommandSpec = {
  name: "init",
  summary: "Write a first job and the types for an editor",
  positionals: [{ name: "dir", isRequired: false, description: "Where; made when it does not exist (default: here)" }],
  options: [{ name: "force", value: null, description: "Replace files that exist" }],
  notes: [
    "An editor then completes and checks jobs and programs that use a cluster, with nothing but this executable installed.",
  ],
  examples: [{ line: "sage init my-jobs && cd my-jobs && sage run job.ts", meaning: "from nothing to rows" }],
};

const HELP: CommandSpec = {
  name: "help",
  summary: "Show help, for everything or for one command",
  positionals: [
    { name: "command", isRequired: false, description: "Command to explain" },
    { name: "subcommand", isRequired: false, description: "Its second word" },
  ],
  options: [],
  notes: [],
  examples: [{ line: "sage help run", meaning: "all options of run" }],
};

export const COMMANDS: readonly CommandSpec[] = [RUN, EXPLAIN, INIT, ...JOB_COMMANDS, ...CLUSTER_COMMANDS, HELP];

export function findCommand(name: string): CommandSpec | null {
  return COMMANDS.find((command) => command.name === name) ?? null;
}

/** The commands that share a first word. */
export function commandsOfGroup(group: string): readonly CommandSpec[] {
  return COMMANDS.filter((command) => command.name.startsWith(`${group} `));
}
