import type { Terminal } from "../../platform/mod.ts";
import { UsageError } from "../error.ts";
import type { ParsedCommand } from "../parse.ts";

/** How an answer is printed. */
export function chooseOutput({ command, values }: ParsedCommand): "table" | "json" {
  const text = values.get("format") ?? "table";
  if (text === "json") return "json";
  if (text === "table" || text === "text") return "table";
  throw new UsageError(`--format ${text} is not a format. Choose table or json.`, { command: command.name });
}

/** Prints an answer as a sentence, or as JSON where that was asked for. */
export function printer(on: Terminal, parsed: ParsedCommand): (text: string, fields: object) => Promise<void> {
  const output = chooseOutput(parsed);
  return (text, fields) => on.out.write(output === "json" ? jsonText(fields) : `${text}\n`);
}

/** Pretty for people, and for programs all the same. */
export function jsonText(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

/** One of many. */
export function jsonLine(value: unknown): string {
  return `${JSON.stringify(value)}\n`;
}
