import type { Terminal } from "../../platform/mod.ts";
import { UsageError } from "../error.ts";
import type { ParsedCommand } from "../parse.ts";

/** Asks on a terminal; elsewhere --force must say it. */
export async function confirm(on: Terminal, { command, flags }: ParsedCommand, question: string): Promise<boolean> {
  if (flags.has("force")) return true;
  if (!on.isInteractive) {
    throw new UsageError(`sage ${command.name} asks before it does this. Add --force where nobody can answer.`, {
      command: command.name,
    });
  }
  await on.err.write(`${question} [y/N] `);
  const answer = await on.readLine();
  return /^y(es)?$/i.test(answer?.trim() ?? "");
}
