import { UsageError } from "../error.ts";
import type { ParsedCommand } from "../parse.ts";

/** How an answer is printed. */
export function chooseOutput({ command, values }: ParsedCommand): "table" | "json" {
  const text = values.get("format") ?? "table";
  if (text === "json") return "json";
  if (text === "table" || text === "text") return "table";
  throw new UsageError(`--format ${text} is not a format. Choose table or json.`, { command: command.name });
}

/** Pretty for people, and for programs all the same. */
export function jsonText(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
