import type { Terminal } from "../../platform/mod.ts";
import type { JobProgress } from "../../protocol/mod.ts";
import { chooseOutput, jsonText } from "../cluster/mod.ts";
import { EXIT } from "../error.ts";
import { paintFor } from "../paint.ts";
import type { ParsedCommand } from "../parse.ts";
import { parseTimeout } from "../values.ts";
import { checkChoice, chosenJobs } from "./choose.ts";
import { withJobs } from "./session.ts";
import { stateMark, statePaint } from "./states.ts";

export function waitForJobs(on: Terminal, parsed: ParsedCommand): Promise<number> {
  const output = chooseOutput(parsed);
  const timeout = parsed.values.get("timeout");
  const timeoutMs = timeout === undefined ? null : parseTimeout(timeout, parsed.command.name);
  checkChoice(parsed);
  return withJobs(
    on,
    parsed,
    async (context) => {
      const over = new AbortController();
      const late = timeoutMs === null ? () => undefined : on.schedule(timeoutMs, () => over.abort());
      const signal = AbortSignal.any([context.signal, over.signal]);
      const chosen = await chosenJobs(context, parsed);
      try {
        const ended = await Promise.all(chosen.map((job) => job.settled({ signal })));
        await on.out.write(
          output === "json" ? jsonText(ended.map(jsonOf)) : ended.map((job) => lineOf(on, job)).join(""),
        );
        return ended.every(({ state }) => state === "finished") ? EXIT.ok : EXIT.jobFailed;
      } catch (error) {
        if (!over.signal.aborted) throw error;
        await on.err.write(`not ended after ${timeout}\n`);
        return EXIT.jobFailed;
      } finally {
        late();
      }
    },
    { ownsTimeout: true },
  );
}

function jsonOf({ jobId, number, name, state, attempt, reason, lastError }: JobProgress): object {
  return { jobId, number, name, state, attempt, reason, lastError };
}

function lineOf(on: Terminal, { number, name, state, reason }: JobProgress): string {
  const shown = statePaint(state, paintFor(on.out))(`${stateMark(state)} ${state}`);
  return `job ${number} ${name} ${shown}${state === "finished" || reason === "" ? "" : `: ${reason}`}\n`;
}
