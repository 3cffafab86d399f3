import stringWidth from "string-width";
import type { JobProgress, JobStage } from "../../protocol/mod.ts";
import { cutTo } from "../cluster/mod.ts";
import type { Paint } from "../paint.ts";
import { bytesText, durationText, rateText, rowCountText } from "../quantity.ts";
import { roomyName, stateMark } from "./states.ts";

/** A job's progress in a few lines: the job, then its stages, the busy ones first where there is no room for all. */
export function progressLines(
  progress: JobProgress,
  of: { readonly room: number; readonly width: number; readonly elapsedMs: number; readonly paint: Paint },
): string[] {
  const { number, name, state, attempt, waiting, stages } = progress;
  const tasks = stages.reduce((sum, { parallelism }) => sum + parallelism, 0);
  const finished = stages.reduce((sum, stage) => sum + stage.finished, 0);
  const begin = `${stateMark(state)} job ${number} `;
  const now = waiting === null || isEnding(state) ? state : `${state}: ${waiting}`;
  const done = tasks === 0 ? [] : [`${finished} of ${tasks} tasks`];
  const head = [
    begin + roomyName(name, of.width, stringWidth([begin, now, ...done].join("  "))),
    now,
    ...done,
    durationText(of.elapsedMs),
    ...(attempt > 1 ? [`attempt ${attempt}`] : []),
  ];
  const lines = [fitted(head, of.width)];
  const room = of.room - 1;
  if (stages.length === 0 || room <= 0) return lines;
  const shown = stages.length <= room ? stages : busiest(stages, room - 1);
  const labelWidth = Math.min(28, Math.max(...shown.map(({ label }) => stringWidth(label))));
  for (const stage of shown) lines.push(fitted(stageParts(stage, labelWidth), of.width));
  if (shown.length < stages.length) lines.push(`  … ${stages.length - shown.length} more stages`);
  return lines.map((line, i) => (i === 0 ? line : of.paint.dim(line)));
}

/** Nothing is waited for any more. */
function isEnding(state: string): boolean {
  return state === "cancelling" || state === "failing";
}

function busiest(stages: readonly JobStage[], count: number): JobStage[] {
  const running = stages.filter((stage) => stage.running > 0);
  const others = stages.filter((stage) => stage.running === 0 && stage.finished < stage.parallelism);
  const chosen = new Set([...running, ...others, ...stages].slice(0, Math.max(0, count)));
  return stages.filter((stage) => chosen.has(stage));
}

/** Of what is said of a stage's tasks, so that the columns behind stay where they are. */
const TASKS_WIDTH = 13;

/** Most important first: a narrow terminal shows fewer. */
function stageParts(stage: JobStage, labelWidth: number): string[] {
  const { label, parallelism, finished, running, rowsIn, rowsOut, bytesOut, elapsedMs } = stage;
  const rows = Math.max(rowsIn, rowsOut);
  const text = cutTo(label, labelWidth);
  const name = `  ${text}${" ".repeat(Math.max(0, labelWidth - stringWidth(text)))}`;
  const tasks = `${finished} of ${parallelism}${running > 0 ? `, ${running} run` : ""}`.padEnd(TASKS_WIDTH);
  if (rows === 0 && elapsedMs === 0) return [name, tasks];
  return [
    name,
    tasks,
    rowCountText(rows),
    ...(elapsedMs > 0 ? [rateText(rows, elapsedMs)] : []),
    ...(bytesOut > 0 ? [bytesText(bytesOut)] : []),
  ];
}

function fitted(parts: readonly string[], width: number): string {
  let line = "";
  for (const part of parts) {
    const longer = line === "" ? part : `${line}  ${part}`;
    if (line !== "" && stringWidth(longer) > width) break;
    line = longer;
  }
  return cutTo(line, width);
}
