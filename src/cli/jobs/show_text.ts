/** What `sage jobs show` and `sage jobs watch` show. */
import stringWidth from "string-width";
import { decidingError, type JobRecord } from "../../client/mod.ts";
import { excerpt } from "../../platform/mod.ts";
import type { JobProgress, JobStage, JobTask } from "../../protocol/mod.ts";
import { ageText, type Cell, type Column, type TableStyle, table } from "../cluster/mod.ts";
import { grouped } from "../format/table.ts";
import { bytesText, durationText } from "../quantity.ts";
import { roomyName, stateMark, statePaint } from "./states.ts";

type History = JobRecord["history"];

const STAGES: readonly Column[] = [
  { head: "stage", isRight: true },
  { head: "what" },
  { head: "reads", giveWay: 5 },
  { head: "tasks" },
  { head: "rows in", isRight: true, giveWay: 3 },
  { head: "rows out", isRight: true },
  { head: "bytes", isRight: true, giveWay: 2 },
  { head: "time", isRight: true, giveWay: 1 },
  { head: "blocked", isRight: true, giveWay: 4 },
];

const TASKS: readonly Column[] = [
  { head: "task" },
  { head: "status" },
  { head: "node" },
  { head: "slot", isRight: true, giveWay: 5 },
  { head: "run", isRight: true, giveWay: 2 },
  { head: "rows in", isRight: true, giveWay: 4 },
  { head: "rows out", isRight: true },
  { head: "bytes", isRight: true, giveWay: 3 },
  { head: "time", isRight: true },
  { head: "blocked", isRight: true, giveWay: 6 },
  { head: "before", giveWay: 1 },
];

/** Of jobs with many tasks, those that have finished at the first attempt are left out. */
const TASKS_SHOWN_MAX = 32;
const HISTORY_SHOWN_MAX = 20;
/** Of a task that is nowhere. */
const NOT_THERE: ReadonlySet<string> = new Set(["waiting", "failed", "lost", "not run"]);

export interface ShowOptions {
  readonly history: History;
  readonly nowMs: number;
  readonly hasAllTasks: boolean;
  readonly style: TableStyle;
}

export function showText(job: JobProgress, of: ShowOptions): string {
  const parts = [headText(job, of), stagesText(job, of), tasksText(job, of), errorText(job, of), historyText(of)];
  return parts.filter((part) => part !== "").join("\n");
}

function headText(job: JobProgress, { nowMs, style: { paint, width } }: ShowOptions): string {
  const { number, name, jobId, state, attempt, createdBy, createdAtMs, movedAtMs, reason, waiting } = job;
  const mark = `${stateMark(state)} ${state}`;
  const run = attempt > 1 ? `, attempt ${attempt}` : "";
  const begin = `job ${number} `;
  const known = roomyName(name, width, stringWidth(`${begin} ${mark}${run}`));
  const ages = [`submitted by ${createdBy} ${agoText(nowMs - createdAtMs)}`, `${state} ${forText(nowMs - movedAtMs)}`];
  const facts = `${jobId}, ${ages.join(", ")}`;
  const isNarrow = width > 0 && stringWidth(facts) > width;
  const lines = [
    `${paint.bold(begin + known)} ${statePaint(state, paint)(mark)}${run}`,
    ...(isNarrow ? [...ages, jobId] : [facts]).map(paint.dim),
    ...(waiting === null ? [] : [paint.yellow(`waits: ${waiting}`)]),
    ...(reason === "" || decidingError(job) !== null ? [] : [reason]),
  ];
  return `${lines.join("\n")}\n`;
}

function agoText(milliseconds: number): string {
  const age = ageText(milliseconds);
  return age === "now" ? "just now" : `${age} ago`;
}

function forText(milliseconds: number): string {
  const age = ageText(milliseconds);
  return age === "now" ? "since just now" : `for ${age}`;
}

function stagesText({ stages }: JobProgress, { style }: ShowOptions): string {
  if (stages.length === 0) return "";
  return table(
    STAGES,
    stages.map((stage) => stageCells(stage, style)),
    style,
  );
}

function stageCells(stage: JobStage, { paint }: TableStyle): Cell[] {
  const { fragment, label, inputs, parallelism, running, waiting, finished } = stage;
  const tasks = [
    `${finished} of ${parallelism}`,
    ...(running > 0 ? [`${running} run`] : []),
    ...(waiting > 0 && running > 0 ? [`${waiting} wait`] : []),
  ];
  const isDone = finished === parallelism;
  return [
    { text: String(fragment) },
    { text: label },
    { text: inputs.join(", ") },
    { text: tasks.join(", "), paint: isDone ? paint.green : running > 0 ? paint.cyan : paint.dim },
    ...counterCells(stage),
  ];
}

type Counters = Pick<JobStage, "rowsIn" | "rowsOut" | "bytesOut" | "elapsedMs" | "backpressureMs">;

/** Rows in and out, bytes, time, and the share of it in which readers were waited for. */
function counterCells({ rowsIn, rowsOut, bytesOut, elapsedMs, backpressureMs }: Counters): Cell[] {
  const share = elapsedMs > 0 ? Math.min(100, Math.round((100 * backpressureMs) / elapsedMs)) : 0;
  return [
    { text: grouped(rowsIn) },
    { text: grouped(rowsOut) },
    { text: bytesText(bytesOut) },
    { text: elapsedMs > 0 ? durationText(elapsedMs) : "–" },
    { text: share > 0 ? `${share} %` : "–" },
  ];
}

function tasksText({ tasks, tasksLeftOut }: JobProgress, { hasAllTasks, style }: ShowOptions): string {
  if (tasks.length === 0) return "";
  const isPlain = (task: JobTask) =>
    runsOf(task) <= 1 && task.reasons.length === 0 && (task.status === "finished" || NOT_THERE.has(task.status));
  const isFew = tasks.length <= TASKS_SHOWN_MAX;
  const wanted = hasAllTasks || isFew ? tasks : tasks.filter((task) => !isPlain(task));
  const shown = hasAllTasks ? wanted : wanted.slice(0, TASKS_SHOWN_MAX);
  const hidden = tasks.length - shown.length + tasksLeftOut;
  const rows = shown.map((task) => taskCells(task, style));
  const more =
    hidden === 0 ? "" : style.paint.dim(`… ${hidden} more tasks${hasAllTasks ? "" : "; all with --tasks"}\n`);
  return `${rows.length === 0 ? "" : table(TASKS, rows, style)}${more}`;
}

/** How often it was begun. Numbers of attempts grow with the JobManager's term, and say nothing to people. */
function runsOf({ failures, losses, status }: JobTask): number {
  return failures + losses + (NOT_THERE.has(status) ? 0 : 1);
}

function taskCells(task: JobTask, { paint }: TableStyle): Cell[] {
  const { fragment, index, status, node, slot, reasons } = task;
  const paints: Readonly<Record<string, (text: string) => string>> = {
    running: paint.cyan,
    finished: paint.green,
    committed: paint.green,
    failed: paint.red,
  };
  const [rowsIn, rowsOut, bytes, time, blocked] = counterCells(task);
  const cells = [
    { text: `${fragment}.${index}` },
    { text: status, paint: paints[status] ?? paint.dim },
    { text: node ?? "–" },
    { text: node === null ? "–" : String(slot) },
    { text: runsOf(task) === 0 ? "–" : String(runsOf(task)) },
  ];
  const last = reasons.at(-1)?.split("\n")[0] ?? "";
  return [...cells, ...[rowsIn, rowsOut, bytes, time, blocked].map((cell) => cell ?? { text: "" }), { text: last }];
}

function errorText({ lastError }: JobProgress, { style: { paint } }: ShowOptions): string {
  if (lastError === null) return "";
  const { reason, place } = lastError;
  const lines = [`${paint.bold(paint.red("last error:"))} ${reason}`];
  if (place !== null) {
    lines.push(`  ${paint.cyan(`${place.file}:${place.line}:${place.column}`)}`);
    const shown = excerpt({ ...place, lineText: place.text === "" ? null : place.text });
    if (shown !== "") lines.push(...shown.split("\n").map((line) => `  ${line}`));
  }
  return `${lines.join("\n")}\n`;
}

function historyText({ history, style: { paint } }: ShowOptions): string {
  if (history.length === 0) return "";
  const shown = history.slice(-HISTORY_SHOWN_MAX);
  const width = Math.max(...shown.map(({ state }) => state.length));
  const lines = shown.map(({ state, attempt, atMs, reason }) => {
    const time = new Date(atMs).toISOString().replace("T", " ").slice(0, 23);
    const first = reason.split("\n")[0] ?? "";
    return `${paint.dim(time)}  ${statePaint(state, paint)(state.padEnd(width))}  ${paint.dim(`attempt ${attempt}`)}  ${first}`.trimEnd();
  });
  const hidden = history.length - shown.length;
  return `${[...(hidden > 0 ? [paint.dim(`… ${hidden} earlier moves`)] : []), ...lines].join("\n")}\n`;
}
