import type { Terminal } from "../../platform/mod.ts";
import type { JobProgress } from "../../protocol/mod.ts";
import { chooseOutput, cutTo, frameText, jsonLine } from "../cluster/mod.ts";
import { EXIT } from "../error.ts";
import { paintFor } from "../paint.ts";
import type { ParsedCommand } from "../parse.ts";
import { chosenJob } from "./choose.ts";
import { withJobs } from "./session.ts";
import { showText } from "./show_text.ts";
import { stateMark, statePaint } from "./states.ts";

/** Exit code 1 when the job ends in another way than finished. */
export function watchJob(on: Terminal, parsed: ParsedCommand): Promise<number> {
  const output = chooseOutput(parsed);
  const hasTasks = parsed.flags.has("tasks");
  return withJobs(on, parsed, async (context) => {
    const job = await chosenJob(context, parsed);
    const show = output === "json" ? jsonView(on) : on.out.isTerminal ? screenView(on, hasTasks) : lineView(on);
    let last = "";
    for await (const progress of job.watch({ hasTasks, signal: context.signal })) {
      await show(progress);
      last = progress.state;
    }
    return last === "finished" ? EXIT.ok : EXIT.jobFailed;
  });
}

type View = (progress: JobProgress) => Promise<void>;

function jsonView(on: Terminal): View {
  return (progress) => on.out.write(jsonLine(progress));
}

function screenView(on: Terminal, hasAllTasks: boolean): View {
  let isFirst = true;
  return async (progress) => {
    const style = { paint: paintFor(on.out), width: on.out.columns };
    const text = showText(progress, { history: [], nowMs: on.wallMs(), hasAllTasks, style });
    const fitting = on.out.columns === 0 ? text : cutLines(text, on.out.columns);
    await on.out.write(frameText(fitting, { rows: on.out.rows, isFirst }));
    isFirst = false;
  };
}

/** A line that is continued on the next one would push the head of the screen out of it. */
function cutLines(text: string, width: number): string {
  const lines = text.split("\n");
  return lines.map((line) => cutTo(line, width)).join("\n");
}

/** Elsewhere: a line whenever state or counts of tasks have changed. */
function lineView(on: Terminal): View {
  let lastText = "";
  return async ({ number, name, state, attempt, waiting, stages, reason }) => {
    const paint = paintFor(on.out);
    const tasks = stages.reduce((sum, { parallelism }) => sum + parallelism, 0);
    const finished = stages.reduce((sum, stage) => sum + stage.finished, 0);
    const facts = [
      statePaint(state, paint)(`${stateMark(state)} ${state}`),
      ...(attempt > 1 ? [`attempt ${attempt}`] : []),
      ...(tasks > 0 ? [`${finished} of ${tasks} tasks`] : []),
      ...(waiting === null ? [] : [`waits: ${waiting}`]),
      ...(reason === "" ? [] : [reason.split("\n")[0] ?? ""]),
    ];
    const text = `job ${number} ${name} ${facts.join(", ")}\n`;
    if (text === lastText) return;
    lastText = text;
    await on.out.write(text);
  };
}
