/**
 * Rows of a job for its client, read from the agents that keep them: task after task, from where the client is.
 *
 * Rows of a run may be given while it runs where another run would give the same again: then a later run is continued at the
 * same row. Otherwise they are given once the job has finished and nothing runs again.
 */
import type * as v from "valibot";
import { type JobOutline, type JobState } from "../../jobs/mod.ts";
import { type PeerId, SageError } from "../../kernel/mod.ts";
import { agentRows, type jobRows } from "../../protocol/mod.ts";
import { NodeError } from "../error.ts";
import type { JobDriver } from "./driver.ts";
import type { JobManager } from "./manager.ts";
import { pause } from "./pause.ts";

export type JobRowsItem = v.InferOutput<typeof jobRows.item>;

export interface RowsRequest {
  readonly root: number;
  readonly fromTask: number;
  readonly fromRow: number;
}

interface Run {
  readonly peer: PeerId;
  readonly attempt: number;
  readonly jobAttempt: number;
  readonly isFinished: boolean;
}

/** Looked at this often when nothing tells of a change. */
const LOOK_MS = 1_000;
/** A run that cannot be read is tried again so soon. */
const RETRY_MS = 100;
const RETRIES_MAX = 30;

/** @throws {NodeError} job-failed, job-cancelled, rows-lost, not-leader */
export async function* rowsOf(
  manager: JobManager,
  driver: JobDriver,
  request: RowsRequest,
  signal: AbortSignal,
): AsyncGenerator<JobRowsItem, void> {
  const outline = await untilPlanned(manager, driver, signal);
  if (outline === null) return;
  const fragment = outline.fragments.find(({ output }) => output.kind === "client" && output.root === request.root);
  if (fragment === undefined) {
    throw new NodeError("not-found", `Job ${driver.number} has no rows of root ${request.root} for its client.`);
  }
  const isEarly = isRepeatable(outline, fragment.id);
  for (let task = request.fromTask; task < fragment.parallelism; task++) {
    const fromRow = task === request.fromTask ? request.fromRow : 0;
    const of = { fragment: fragment.id, index: task, fromRow, isEarly };
    yield* rowsOfTask(manager, driver, of, signal);
  }
  await until(manager, driver, signal, () => (isOver(driver) ? true : null));
  failUnlessFinished(driver);
}

async function* rowsOfTask(
  manager: JobManager,
  driver: JobDriver,
  of: { readonly fragment: number; readonly index: number; readonly fromRow: number; readonly isEarly: boolean },
  signal: AbortSignal,
): AsyncGenerator<JobRowsItem, void> {
  let { fromRow } = of;
  let failures = 0;
  while (!signal.aborted) {
    const run = await until(manager, driver, signal, () => readable(manager, driver, of));
    if (run === null) return;
    const { peer, attempt, jobAttempt } = run;
    const task = { fragment: of.fragment, index: of.index };
    const request = { jobId: driver.jobId, jobAttempt, run: { task, attempt }, fromRow };
    const reading = new AbortController();
    const stop = (): void => reading.abort();
    signal.addEventListener("abort", stop);
    // A run that is replaced by another says nothing more.
    const unwatch = driver.watch(() => {
      if (!isStillRun(run, () => readable(manager, driver, of))) stop();
    });
    try {
      for await (const item of manager.calls.stream(peer, agentRows, request, { signal: reading.signal })) {
        if (item.fromRow > fromRow) throw new NodeError("rows-lost", `Rows before ${item.fromRow} are gone.`);
        const isNew = item.fromRow + item.rowCount > fromRow || item.rowCount === 0;
        if (!isNew) continue;
        yield { task: of.index, ...item };
        fromRow = item.fromRow + item.rowCount;
        failures = 0;
      }
      if (!reading.signal.aborted) return;
    } catch (error) {
      if (signal.aborted) return;
      if (isOver(driver) && ++failures > 3 && !isPassing(error)) throw rowsLost(driver, error);
      if (++failures > RETRIES_MAX) throw rowsLost(driver, error);
    } finally {
      unwatch();
      signal.removeEventListener("abort", stop);
    }
    await pause(manager.clock, RETRY_MS, signal);
  }
}

/** What `look` throws is for whoever reads: it looks again then. */
function isStillRun(run: Run, look: () => Run | null): boolean {
  try {
    const now = look();
    return now?.attempt === run.attempt && now.peer === run.peer;
  } catch {
    return false;
  }
}

/** The run whose rows may be given now; null: none yet. */
function readable(
  manager: JobManager,
  driver: JobDriver,
  { fragment, index, isEarly }: { readonly fragment: number; readonly index: number; readonly isEarly: boolean },
): Run | null {
  failIfEnded(driver);
  const { state, attempt: jobAttempt } = driver.machine;
  if (state !== "finished" && !isEarly) return null;
  const record = driver.taskAt(fragment, index);
  const canRead =
    record !== null && record.peer !== null && record.status !== "deployed" && record.status !== "cancelling";
  if (record !== null && canRead && record.peer !== null) {
    const isFinished = record.status === "finished" || record.status === "committed";
    return { peer: record.peer, attempt: record.attempt, jobAttempt, isFinished };
  }
  if (state !== "finished") return null;
  const kept = manager.keptRun(driver.jobId, `${fragment}.${index}`);
  if (kept !== null && kept.jobAttempt === jobAttempt) return { ...kept, isFinished: true };
  if (manager.isInventoryDone) throw rowsLost(driver, null);
  return null;
}

async function untilPlanned(manager: JobManager, driver: JobDriver, signal: AbortSignal): Promise<JobOutline | null> {
  return until(manager, driver, signal, async () => {
    failIfEnded(driver);
    return driver.loadOutline(signal);
  });
}

/** Waits until `look` gives something; null when aborted. */
async function until<T>(
  manager: JobManager,
  driver: JobDriver,
  signal: AbortSignal,
  look: () => T | null | Promise<T | null>,
): Promise<T | null> {
  while (!signal.aborted) {
    manager.check(driver);
    const changed = new AbortController();
    const wake = (): void => changed.abort();
    const unwatch = driver.watch(wake);
    signal.addEventListener("abort", wake);
    try {
      const found = await look();
      if (found !== null) return found;
      await pause(manager.clock, LOOK_MS, changed.signal);
    } finally {
      unwatch();
      signal.removeEventListener("abort", wake);
    }
  }
  return null;
}

/** The fragment, and all that it reads from, would give the same once more. */
function isRepeatable(outline: JobOutline, fragment: number): boolean {
  const seen = new Set<number>();
  const open = [fragment];
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    if (seen.has(id)) continue;
    seen.add(id);
    const of = outline.fragments[id];
    if (of === undefined || !of.isRepeatable) return false;
    for (const edge of of.inputs) {
      const from = outline.exchanges[edge]?.from;
      if (from !== undefined) open.push(from);
    }
  }
  return true;
}

const OVER: ReadonlySet<JobState> = new Set(["finished", "failed", "cancelled", "stopped"]);

function isOver(driver: JobDriver): boolean {
  return OVER.has(driver.machine.state);
}

function failIfEnded(driver: JobDriver): void {
  if (isOver(driver)) failUnlessFinished(driver);
}

function failUnlessFinished(driver: JobDriver): void {
  const { state } = driver.machine;
  if (state === "finished") return;
  const why = driver.reason;
  if (state === "failed") throw new NodeError("job-failed", `Job ${driver.number} failed: ${why}`);
  throw new NodeError("job-cancelled", `Job ${driver.number} was ${state}: ${why}`);
}

function rowsLost(driver: JobDriver, cause: unknown): NodeError {
  const advice = "Run it again, or have it write to a sink.";
  const why = cause instanceof Error ? ` (${cause.message})` : "";
  return new NodeError(
    "rows-lost",
    `Rows of job ${driver.number} are gone with the node that kept them${why}. ${advice}`,
  );
}

function isPassing(error: unknown): boolean {
  return error instanceof SageError && error.retryable;
}
