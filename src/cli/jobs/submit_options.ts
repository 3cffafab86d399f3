import type { Terminal } from "../../platform/mod.ts";
import type { JobOptions } from "../../protocol/mod.ts";
import { UsageError } from "../error.ts";
import { type ParamText, readParams } from "../param_option.ts";
import type { ParsedCommand } from "../parse.ts";
import { chooseFormat, type Format, parseSize, parseTimeout } from "../values.ts";

/** What `sage submit` was asked for. */
export interface SubmitOptions {
  readonly file: string;
  /** Null: the dataflow's own. */
  readonly name: string | null;
  readonly params: readonly ParamText[];
  readonly job: Partial<JobOptions>;
  readonly timeoutMs: number | null;
  readonly isDetached: boolean;
  readonly format: Format;
  readonly outputPath: string | null;
  readonly isQuiet: boolean;
}

const COMMAND = "submit";
const STRATEGIES = ["coLocated", "locality", "loadBalanced", "roundRobin", "hash", "range"] as const;
const CODECS = ["none", "lz4", "zstd"] as const;

/** @throws {UsageError} before the job is looked at */
export function readSubmitOptions(on: Terminal, { positionals, values, lists, flags }: ParsedCommand): SubmitOptions {
  const timeout = values.get("timeout");
  const timeoutMs = timeout === undefined ? null : parseTimeout(timeout, COMMAND);
  const outputPath = values.get("output") ?? null;
  const isDetached = flags.has("detach");
  if (isDetached && outputPath !== null) {
    throw new UsageError("--detach does not wait for rows, so there are none for --output.", { command: COMMAND });
  }
  const format = isDetached
    ? detachedFormat(values.get("format"))
    : chooseFormat(values.get("format"), values.get("output"), COMMAND);
  if (format === "arrow" && outputPath === null && on.out.isTerminal) {
    throw new UsageError("Arrow is binary and would garble the terminal. Add --output FILE, or pipe it.", {
      command: COMMAND,
    });
  }
  return {
    file: positionals[0] ?? "",
    name: values.get("name") ?? null,
    params: readParams(COMMAND, lists.get("param")),
    job: { ...jobOptions(values), ...(timeoutMs === null ? {} : { timeoutMs }) },
    timeoutMs,
    isDetached,
    format,
    outputPath,
    isQuiet: flags.has("quiet"),
  };
}

function detachedFormat(text = "table"): Format {
  if (text === "json") return "json";
  if (text === "table" || text === "text") return "table";
  throw new UsageError(`--format ${text} is not a format with --detach. Choose text or json.`, { command: COMMAND });
}

type Values = ParsedCommand["values"];

function jobOptions(values: Values): Partial<JobOptions> {
  const limit = values.get("result-limit");
  const memory = values.get("task-memory");
  const of = { command: COMMAND };
  return {
    ...number(values, "parallelism", { of: "parallelism", min: 1, max: 4_096 }),
    ...number(values, "priority", { of: "priority", min: -1_000, max: 1_000 }),
    ...number(values, "retries", { of: "taskRetriesMax", min: 0, max: 1_000 }),
    ...number(values, "restarts", { of: "restartsMax", min: 0, max: 1_000 }),
    ...choice(values, "strategy", STRATEGIES),
    ...choice(values, "codec", CODECS),
    ...(limit === undefined ? {} : { resultBytesMax: parseSize(limit, { option: "result-limit", ...of }) }),
    ...(memory === undefined ? {} : { taskMemoryBytes: parseSize(memory, { option: "task-memory", ...of }) }),
  };
}

function number(
  values: Values,
  option: "parallelism" | "priority" | "retries" | "restarts",
  { of, min, max }: { readonly of: keyof JobOptions; readonly min: number; readonly max: number },
): Partial<JobOptions> {
  const text = values.get(option);
  if (text === undefined) return {};
  const value = /^-?\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return { [of]: value };
  throw new UsageError(`--${option} ${text} must be a whole number from ${min} to ${max}.`, { command: COMMAND });
}

function choice<const C extends string>(values: Values, option: "strategy" | "codec", choices: readonly C[]): object {
  const text = values.get(option);
  if (text === undefined) return {};
  if (choices.some((each) => each === text)) return { [option]: text };
  throw new UsageError(`--${option} ${text} must be one of ${choices.join(", ")}.`, { command: COMMAND });
}
