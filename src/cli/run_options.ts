import type { Terminal } from "../platform/mod.ts";
import { UsageError } from "./error.ts";
import { type ParamText, readParams } from "./param_option.ts";
import type { ParsedCommand } from "./parse.ts";
import { chooseFormat, type Format, parseMemory, parseTimeout, parseWorkers } from "./values.ts";

/** What `sage run` was asked for. Null stands for the engine's default. */
export interface RunOptions {
  readonly file: string;
  readonly workers: number | null;
  readonly memoryBytes: number | null;
  readonly timeoutMs: number | null;
  readonly format: Format;
  readonly outputPath: string | null;
  readonly isQuiet: boolean;
  readonly params: readonly ParamText[];
}

/** @throws {UsageError} before anything heavy is loaded */
export function readRunOptions(terminal: Terminal, { positionals, values, lists, flags }: ParsedCommand): RunOptions {
  const text = <T>(value: string | undefined, parse: (text: string) => T): T | null =>
    value === undefined ? null : parse(value);
  const outputPath = values.get("output") ?? null;
  const format = chooseFormat(values.get("format"), values.get("output"));
  if (format === "arrow" && outputPath === null && terminal.out.isTerminal) {
    throw new UsageError("Arrow is binary and would garble the terminal. Add --output FILE, or pipe it.", {
      command: "run",
    });
  }
  return {
    file: positionals[0] ?? "",
    workers: text(values.get("workers"), parseWorkers),
    memoryBytes: text(values.get("memory"), (size) => parseMemory(size)),
    timeoutMs: text(values.get("timeout"), (time) => parseTimeout(time)),
    format,
    outputPath,
    isQuiet: flags.has("quiet"),
    params: readParams("run", lists.get("param")),
  };
}
