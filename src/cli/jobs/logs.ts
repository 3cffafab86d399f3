import type { JobLogLine } from "../../client/mod.ts";
import { ClosedOutputError, type Terminal } from "../../platform/mod.ts";
import { chooseOutput, jsonLine } from "../cluster/mod.ts";
import { EXIT, UsageError } from "../error.ts";
import { type Paint, paintFor } from "../paint.ts";
import type { ParsedCommand } from "../parse.ts";
import { chosenJob } from "./choose.ts";
import { withJobs } from "./session.ts";

export function showLogs(on: Terminal, parsed: ParsedCommand): Promise<number> {
  const output = chooseOutput(parsed);
  const follow = parsed.flags.has("follow");
  const only = parsed.values.get("task") ?? null;
  if (only !== null && !/^\d+\.\d+$/.test(only)) {
    const text = `--task ${only}: a task is named as 2.0, the way sage jobs show names it.`;
    throw new UsageError(text, { command: "jobs logs" });
  }
  return withJobs(on, parsed, async (context) => {
    const job = await chosenJob(context, parsed);
    const paint = paintFor(on.out);
    try {
      for await (const line of job.logs({ follow, signal: context.signal })) {
        if (only === null || line.task === only)
          await on.out.write(output === "json" ? jsonLine(line) : lineText(line, paint));
      }
    } catch (error) {
      if (!(error instanceof ClosedOutputError)) throw error;
    }
    return EXIT.ok;
  });
}

function lineText({ atMs, node, task, stream, text }: JobLogLine, paint: Paint): string {
  const time = new Date(atMs).toISOString().slice(11, 23);
  const from = task === null ? node : `${node} ${task}`;
  const shown = text.replace(/\n$/, "");
  return `${paint.dim(`${time} ${from}`)} ${stream === "err" ? paint.yellow(shown) : shown}\n`;
}
