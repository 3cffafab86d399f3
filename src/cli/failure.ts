import type { JobFailedError, UserPlace } from "../client/mod.ts";
import { InvariantError, SageError } from "../kernel/mod.ts";
import { excerpt, JobError, type SourceLocation, type SourceMap, type Terminal } from "../platform/mod.ts";
import { EXIT, UsageError } from "./error.ts";
import { type Paint, paintFor } from "./paint.ts";

/** Longest chain of causes that is searched for a place in the user's code. */
const CAUSES_MAX = 10;

/** Says on stderr what went wrong, once, with the user's line where there is one. Gives the exit code. */
export async function reportFailure(terminal: Terminal, thrown: unknown, sourceMap: SourceMap | null): Promise<number> {
  const error = firstThrown(thrown);
  const paint = paintFor(terminal.err);
  await terminal.err.write(failureText(error, sourceMap, paint)).catch(() => undefined);
  return exitCodeOf(error);
}

/** Of an error and those that closing things then threw, the one that came first: the others follow from it. */
export function firstThrown(error: unknown): unknown {
  let current = error;
  for (let depth = 0; depth < CAUSES_MAX && current instanceof Error && "suppressed" in current; depth++) {
    current = current.suppressed;
  }
  return current;
}

/** Errors of the command line, of the job file and of its plan are the user's to correct before anything runs. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError || error instanceof JobError) return EXIT.wrongUse;
  if (!(error instanceof SageError)) return EXIT.jobFailed;
  if (error.name === "PlanError" || (error.name === "ClientError" && error.code === "not-submittable")) {
    return EXIT.wrongUse;
  }
  return isJobFailure(error) && error.planCode !== null ? EXIT.wrongUse : EXIT.jobFailed;
}

export function failureText(error: unknown, sourceMap: SourceMap | null, paint: Paint): string {
  const lines = [`${paint.bold(paint.red("error:"))} ${messageOf(error)}`];
  const location = locationOf(error, sourceMap);
  if (location !== null) {
    lines.push(`  ${paint.cyan(`${location.file}:${location.line}:${location.column}`)}`);
    const shown = excerpt(location);
    if (shown !== "") lines.push(...shown.split("\n").map((line) => `  ${line}`));
  }
  if (error instanceof UsageError) {
    lines.push(paint.dim(error.command === null ? "Try: sage help" : `Try: sage help ${error.command}`));
  }
  if (isBug(error) && location === null) {
    lines.push(paint.dim("This is a fault in SAGE, not in the job:"), paint.dim((error as Error).stack ?? ""));
  }
  return `${lines.join("\n")}\n`;
}

function messageOf(error: unknown): string {
  if (error instanceof SageError) return error.message;
  if (error instanceof Error) return `${error.name}: ${error.message}`;
  return String(error);
}

function isBug(error: unknown): boolean {
  const isSystem = error instanceof Error && typeof (error as { code?: unknown }).code === "string";
  return error instanceof InvariantError || (error instanceof Error && !(error instanceof SageError) && !isSystem);
}

/** By its name: `sage run` does not load what talks to clusters. */
function isJobFailure(error: Error): error is JobFailedError {
  return error.name === "JobFailedError" && "place" in error;
}

function placeOf({ file, line, column, text }: UserPlace): SourceLocation {
  return { file, line, column, lineText: text === "" ? null : text };
}

function locationOf(error: unknown, sourceMap: SourceMap | null): SourceLocation | null {
  let current: unknown = error;
  for (let depth = 0; depth < CAUSES_MAX && current instanceof Error; depth++) {
    if (current instanceof JobError && current.location !== null) return current.location;
    if (isJobFailure(current) && current.place !== null) return placeOf(current.place);
    current = current.cause;
  }
  return error instanceof Error ? (sourceMap?.locateError(error) ?? null) : null;
}
