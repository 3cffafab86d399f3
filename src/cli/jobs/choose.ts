import type { JobHandle } from "../../client/mod.ts";
import { isEnded, JOB_STATES } from "../../jobs/mod.ts";
import { nearestName } from "../../plan/mod.ts";
import { UsageError } from "../error.ts";
import type { ParsedCommand } from "../parse.ts";
import type { JobsContext } from "./session.ts";

const GROUPS: Readonly<Record<string, readonly string[]>> = {
  active: JOB_STATES.filter((state) => !isEnded(state)),
  ended: JOB_STATES.filter(isEnded),
};

/** States that `--status` names; null without. @throws {UsageError} */
export function readStates({ command, lists }: ParsedCommand): string[] | null {
  const texts = lists.get("status");
  if (texts === undefined) return null;
  const states = texts.flatMap((text) => {
    const known: readonly string[] = GROUPS[text] ?? JOB_STATES.filter((state) => state === text);
    if (known.length > 0) return known;
    const names = [...Object.keys(GROUPS), ...JOB_STATES];
    const near = nearestName(text, names);
    const hint = near === null ? `States: ${names.join(", ")}.` : `Did you mean ${near}?`;
    throw new UsageError(`--status ${text} is not a state of jobs. ${hint}`, { command: command.name });
  });
  return [...new Set(states)];
}

/** The one job that the command names. */
export function chosenJob({ jobs, timeoutMs }: JobsContext, { positionals, flags }: ParsedCommand): Promise<JobHandle> {
  return jobs.find(positionals[0] ?? "", { timeoutMs, consistency: flags.has("stale") ? "stale" : "leader" });
}

/** The jobs that the command names, or those in the states that it names; each once. */
export async function chosenJobs(context: JobsContext, parsed: ParsedCommand): Promise<JobHandle[]> {
  const { jobs, timeoutMs } = context;
  const states = readStates(parsed);
  if (states !== null) {
    const all = await jobs.list({ states }, { timeoutMs });
    return all.map((job) => jobs.of(job)).reverse();
  }
  const found = new Map<string, JobHandle>();
  for (const text of parsed.positionals) {
    const job = await jobs.find(text, { timeoutMs });
    found.set(job.id, job);
  }
  return [...found.values()];
}

/** @throws {UsageError} unless jobs are named, or states, and not both */
export function checkChoice(parsed: ParsedCommand): void {
  const { command, positionals } = parsed;
  const states = readStates(parsed);
  if (states === null && positionals.length === 0) {
    throw new UsageError(`sage ${command.name} needs jobs, or --status STATUS.`, { command: command.name });
  }
  if (states !== null && positionals.length > 0) {
    throw new UsageError("Name jobs or --status, not both.", { command: command.name });
  }
}
