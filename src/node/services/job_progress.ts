/** What only the JobManager and the agents know of jobs: how they go, their rows, what they printed. */
import { SageError } from "../../kernel/mod.ts";
import {
  agentLogs,
  type CallContext,
  type JobProgress,
  jobLogs,
  jobRows,
  jobShow,
  jobWatch,
  on,
  onStream,
  type RpcSession,
  type Served,
} from "../../protocol/mod.ts";
import { NodeError } from "../error.ts";
import { type JobDriver, JobManager, merged, pause, progressOf, rowsOf } from "../jobs/mod.ts";
import type { ServiceContext } from "./context.ts";

interface Shown {
  readonly jobId: string;
  readonly hasTasks: boolean;
}

/** Watchers are told this often, unless the job's state changes. */
const WATCH_MS = 500;

export function jobProgressServices(context: ServiceContext): Served[] {
  const { jobs } = context;
  return [
    on(jobShow, (request, call) =>
      jobs().atLeader(
        call,
        (manager) => show(context, manager, { ...request, hasPlan: request.hasTasks }, call.signal),
        (session) => session.call(jobShow, request),
      ),
    ),
    onStream(jobWatch, (request, call) =>
      jobs().streamAtLeader(call, (target) =>
        target instanceof JobManager
          ? watched(context, target, request, call.signal)
          : target.stream(jobWatch, request, { signal: call.signal }),
      ),
    ),
    onStream(jobRows, (request, call) => {
      const at = { fromTask: request.fromTask, fromRow: request.fromRow };
      return jobs().streamAtLeader(call, (target) => rowsFrom(target, { ...request, at }, call));
    }),
    onStream(jobLogs, (request, call) =>
      jobs().streamAtLeader(call, (target) =>
        target instanceof JobManager
          ? logs(context, target, request, call.signal)
          : target.stream(jobLogs, request, { signal: call.signal }),
      ),
    ),
  ];
}

function driverOf(manager: JobManager, jobId: string): JobDriver {
  const record = manager.record(jobId);
  if (record === null) throw new NodeError("not-found", `There is no job ${jobId}.`);
  const driver = manager.driver(jobId);
  if (driver === null) throw new NodeError("not-possible", `Job ${record.number} is of other software.`);
  return driver;
}

function nameOf({ replica }: ServiceContext, peer: string): string | null {
  return [...replica.state.members.values()].find(({ info }) => info.peer === peer)?.info.name ?? null;
}

async function show(
  context: ServiceContext,
  manager: JobManager,
  { jobId, hasTasks, hasPlan }: Shown & { readonly hasPlan: boolean },
  signal: AbortSignal,
): Promise<JobProgress> {
  const driver = driverOf(manager, jobId);
  const outline = await driver.loadOutline(signal);
  const plan = hasPlan ? await driver.compiler.text(signal) : null;
  manager.check(driver);
  const record = manager.record(jobId);
  if (record === null) throw new NodeError("not-found", `There is no job ${jobId}.`);
  return progressOf(driver, record, { hasTasks, outline, plan, nameOf: (peer) => nameOf(context, peer) });
}

async function* watched(
  context: ServiceContext,
  manager: JobManager,
  request: Shown,
  signal: AbortSignal,
): AsyncGenerator<JobProgress, void> {
  const driver = driverOf(manager, request.jobId);
  while (!signal.aborted) {
    const progress = await show(context, manager, { ...request, hasPlan: false }, signal);
    yield progress;
    if (driver.hasEnded && progress.state === driver.machine.state) return;
    await changeOf(context, { manager, driver, state: progress.state }, signal);
  }
}

/** Until the state in the log is another, or the driver has come to an end that the log knows already, or it is time again. */
async function changeOf(
  { ports }: ServiceContext,
  { manager, driver, state }: { readonly manager: JobManager; readonly driver: JobDriver; readonly state: string },
  signal: AbortSignal,
): Promise<void> {
  const isOther = (): boolean => {
    const { machine, hasEnded, isStopped, jobId } = driver;
    return isStopped || manager.record(jobId)?.state !== state || (hasEnded && machine.state === state);
  };
  if (isOther()) return;
  const changed = new AbortController();
  const stop = (): void => changed.abort();
  const unwatch = driver.watch(() => {
    if (isOther()) stop();
  });
  signal.addEventListener("abort", stop);
  await pause(ports.clock, WATCH_MS, changed.signal);
  signal.removeEventListener("abort", stop);
  unwatch();
}

type RowsCall = { readonly jobId: string; readonly root: number; readonly at: { fromTask: number; fromRow: number } };

/** Keeps `at` up to date, so that a broken stream goes on where it was. */
async function* rowsFrom(target: JobManager | RpcSession, { jobId, root, at }: RowsCall, { signal }: CallContext) {
  const request = { jobId, root, ...at };
  const items =
    target instanceof JobManager
      ? rowsOf(target, driverOf(target, jobId), request, signal)
      : target.stream(jobRows, request, { signal });
  for await (const item of items) {
    yield item;
    at.fromTask = item.task;
    at.fromRow = item.fromRow + item.rowCount;
  }
}

async function* logs(
  context: ServiceContext,
  manager: JobManager,
  { jobId, follow }: { readonly jobId: string; readonly follow: boolean },
  signal: AbortSignal,
) {
  driverOf(manager, jobId);
  const ended = new AbortController();
  const stop = (): void => ended.abort();
  signal.addEventListener("abort", stop);
  const lines = manager.agents.present.map(async function* (peer) {
    const node = nameOf(context, peer) ?? peer;
    const body = { jobId, follow };
    for await (const line of manager.calls.stream(peer, agentLogs, body, { signal: ended.signal })) {
      yield { ...line, node };
    }
  });
  try {
    yield* merged(lines, (error) => {
      const isUnknown = error instanceof SageError && error.code === "unknown-job";
      if (!isUnknown) context.ports.log.write("debug", "logs not read", { reason: String(error) });
    });
  } finally {
    stop();
    signal.removeEventListener("abort", stop);
  }
}
