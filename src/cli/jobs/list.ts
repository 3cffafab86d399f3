import type { JobSummary } from "../../client/mod.ts";
import type { Terminal } from "../../platform/mod.ts";
import { ageText, type Column, chooseOutput, jsonText, table } from "../cluster/mod.ts";
import { EXIT, UsageError } from "../error.ts";
import { paintFor } from "../paint.ts";
import type { ParsedCommand } from "../parse.ts";
import { readStates } from "./choose.ts";
import { withJobs } from "./session.ts";
import { stateMark, statePaint } from "./states.ts";

const LIMIT = 50;
const LIMIT_MAX = 10_000;

const COLUMNS: readonly Column[] = [
  { head: "job", isRight: true },
  { head: "name" },
  { head: "state" },
  { head: "since", isRight: true, giveWay: 3 },
  { head: "attempt", isRight: true, giveWay: 4 },
  { head: "submitted", isRight: true, giveWay: 2 },
  { head: "by", giveWay: 5 },
  { head: "id", giveWay: 6 },
  { head: "reason", giveWay: 1 },
];
const ID_SHOWN = 12;

export function listJobs(on: Terminal, parsed: ParsedCommand): Promise<number> {
  const output = chooseOutput(parsed);
  const states = readStates(parsed);
  const limit = readLimit(parsed.values.get("limit"));
  return withJobs(on, parsed, async ({ jobs, timeoutMs }) => {
    const consistency = parsed.flags.has("stale") ? "stale" : "leader";
    const query = { limit, consistency, ...(states === null ? {} : { states }) } as const;
    const found = await jobs.list(query, { timeoutMs });
    await on.out.write(output === "json" ? jsonText(found) : listText(on, found, states !== null));
    return EXIT.ok;
  });
}

function listText(on: Terminal, jobs: readonly JobSummary[], isFiltered: boolean): string {
  if (jobs.length === 0) return isFiltered ? "no jobs in these states\n" : "no jobs\n";
  const paint = paintFor(on.out);
  const nowMs = on.wallMs();
  const rows = jobs.map(({ number, name, state, movedAtMs, attempt, createdAtMs, createdBy, jobId, reason }) => [
    { text: String(number) },
    { text: name, paint: paint.bold },
    { text: `${stateMark(state)} ${state}`, paint: statePaint(state, paint) },
    { text: ageText(nowMs - movedAtMs) },
    { text: String(attempt) },
    { text: ageText(nowMs - createdAtMs) },
    { text: createdBy },
    { text: jobId.slice(0, ID_SHOWN), paint: paint.dim },
    { text: state === "finished" ? "" : (reason.split("\n")[0] ?? "") },
  ]);
  return table(COLUMNS, rows, { paint, width: on.out.columns });
}

function readLimit(text: string | undefined): number {
  if (text === undefined) return LIMIT;
  const limit = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (limit >= 1 && limit <= LIMIT_MAX) return limit;
  throw new UsageError(`--limit ${text} must be a whole number from 1 to ${LIMIT_MAX}.`, { command: "jobs list" });
}
