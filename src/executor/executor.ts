import type * as v from "valibot";
import {
  type Admission,
  type Channel,
  type ClusterId,
  invariant,
  OPEN_TIMEOUT_MS,
  type PeerId,
} from "../kernel/mod.ts";
import {
  EXECUTOR_PROTOCOL,
  type ExecutorCredential,
  executorAdopt,
  executorAssign,
  executorCancel,
  executorClean,
  executorCommit,
  executorCompile,
  executorFailed,
  executorFind,
  executorMetrics,
  executorPing,
  executorReady,
  executorRelease,
  executorReport,
  executorRows,
  executorRun,
  judgeExecutorCredential,
  METRICS_MS,
  type MethodTable,
  mayExchange,
  methodTable,
  on,
  ownVersions,
  RpcSession,
  type TaskReport,
} from "../protocol/mod.ts";
import { SHUFFLE_PROTOCOL } from "../shuffle/mod.ts";
import { Assignment } from "./assignment.ts";
import { compile } from "./compile.ts";
import { ExecutorError } from "./error.ts";
import type { ExecutorPorts, ExecutorSettings } from "./ports.ts";
import { putInPlace, removeLeftovers } from "./task_disk.ts";

/** How often garbage is looked for while tasks run. */
const COLLECT_MS = 100;
const TICKS_PER_METRICS = Math.max(1, Math.round(METRICS_MS / COLLECT_MS));
/** How long the report that a run has begun waits for that of its end. */
const BEGUN_HELD_MS = 20;
/** Reports of one message. */
const REPORTS_MAX = 1_000;
/** Keeps calls whose answers the agent may take its time for. */
const CALL_DEADLINE_MS = 60_000;

type AssignRequest = v.InferOutput<typeof executorAssign.request>;
type RunRequest = v.InferOutput<typeof executorRun.request>;
type ClusterKeys = readonly { readonly keyId: string; readonly publicKey: Uint8Array }[];

/** An executor process's work: serves its agent, and exchanges rows with the job's other executors. */
export class Executor {
  readonly #ports: ExecutorPorts;
  readonly #settings: ExecutorSettings;
  #session: RpcSession | null = null;
  #cluster: ClusterId | null = null;
  #keys: ClusterKeys = [];
  /** What the other executors may see of this one. */
  #credential: Uint8Array | null = null;
  readonly #peers = new Map<PeerId, ExecutorCredential>();
  /** By agent: the job's executor there. */
  readonly #found = new Map<PeerId, Promise<PeerId>>();
  #assignment: Assignment | null = null;
  /** Orders that change which job it has come one after the other. */
  #last: Promise<unknown> = Promise.resolve();
  #reports: TaskReport[] = [];
  #isSendingSoon = false;
  /** Reports of the begin of runs wait. */
  #cancelHeld: (() => void) | null = null;
  #isTicking = false;
  #ticks = 0;
  #hasEnded = false;
  /** Workers were ended while they computed, so that memory is missing for good. */
  #isTainted = false;

  constructor(ports: ExecutorPorts, settings: ExecutorSettings) {
    this.#ports = ports;
    this.#settings = settings;
  }

  /** Listens, connects to the agent and says that it is ready. @throws {TransportError | ProtocolError} */
  async start(): Promise<void> {
    const { transport, clock, log, pid } = this.#ports;
    const { agent, agentAddresses } = this.#settings;
    await transport.start({
      credential: () => this.#credential ?? this.#settings.credential,
      admit: (peer, credential) => this.#admit(peer, credential),
      connected: () => undefined,
      disconnected: (peer) => void this.#peers.delete(peer),
      posted: () => undefined,
      opened: (channel) => this.#opened(channel),
    });
    transport.know(agent, agentAddresses);
    const channel = await transport.open(agent, EXECUTOR_PROTOCOL, { timeoutMs: OPEN_TIMEOUT_MS });
    const session = new RpcSession(channel, {
      clock,
      log,
      versions: ownVersions("sage executor"),
      role: () => "node",
      closed: (error) => this.#end(`The connection to the agent ended: ${error.message}`),
    });
    this.#session = session;
    session.serve(this.#methods());
    const ready = await session.call(executorReady, { pid, addresses: transport.addresses });
    this.#cluster = ready.cluster;
    this.#keys = ready.keys;
  }

  /** Ends all that it does. Idempotent. */
  async stop(reason: string): Promise<void> {
    this.#hasEnded = true;
    await this.#drop();
    this.#session?.close(reason);
    await this.#ports.transport.stop();
  }

  #methods(): MethodTable {
    const { engine, clock } = this.#ports;
    return methodTable([
      on(executorAssign, async (request) => {
        await this.#inTurn(async () => {
          await this.#assign(request);
          if (request.tasks.length > 0) this.#run({ ...request, jobId: request.job.jobId });
        });
        return {};
      }),
      on(executorRun, (request) => {
        this.#run(request);
        return {};
      }),
      on(executorCancel, async ({ jobId, runs }) => {
        // They may have come with the job, which comes in turn.
        await this.#inTurn(async () => {
          const assignment = this.#assigned(jobId);
          for (const run of runs) assignment.cancel(run);
        });
        return {};
      }),
      on(executorCommit, async ({ jobId, run }) => {
        await this.#assigned(jobId).commit(run);
        return {};
      }),
      on(executorRelease, async ({ jobId }) => {
        await this.#inTurn(() => this.#release(jobId));
        return { isReusable: !this.#isTainted };
      }),
      on(executorCompile, async (request) => await compile(engine, request)),
      on(executorClean, ({ sinkPaths, ...of }) => {
        for (const path of sinkPaths) removeLeftovers(engine.tools.disk, of, path);
        return {};
      }),
      on(executorAdopt, ({ sinkPath, ...of }) => ({ isThere: putInPlace(engine.tools.disk, of, sinkPath) })),
      on(executorPing, () => ({ arenaBytes: engine.arena.bytesInUse(), atMs: Math.floor(clock.wallMs()) })),
    ]);
  }

  #inTurn<T>(body: () => Promise<T>): Promise<T> {
    const done = this.#last.then(body);
    this.#last = done.then(undefined, () => undefined);
    return done;
  }

  async #assign(request: AssignRequest): Promise<void> {
    const { job, plan, bundlePath, credential, keys, directory } = request;
    const current = this.#assignment?.job;
    if (current?.jobId === job.jobId && current.jobAttempt >= job.jobAttempt) return;
    await this.#drop();
    this.#credential = credential;
    this.#keys = keys;
    const { agent, slots } = this.#settings;
    this.#assignment = new Assignment(
      this.#ports,
      {
        connect: (at) => this.#connect(at),
        allows: (peer, jobId) => {
          const known = this.#peers.get(peer);
          return known !== undefined && mayExchange(known, jobId);
        },
        report: (report) => this.#report(report),
        spoiled: (reason) => {
          this.#call()
            .call(executorFailed, { reason })
            .catch(() => undefined);
        },
        sendRows: (run, rows) =>
          this.#call().call(executorRows, { jobId: job.jobId, run, ...rows }, { deadlineMs: CALL_DEADLINE_MS }),
      },
      { job, planBytes: plan, bundlePath, directory, agent, slots },
    );
  }

  #run({ jobId, memoryBytes, tasks }: RunRequest): void {
    const assignment = this.#assigned(jobId);
    assignment.limitMemory(memoryBytes);
    for (const order of tasks) assignment.start(order);
    this.#tickSoon();
  }

  async #release(jobId: string): Promise<void> {
    if (this.#assignment?.job.jobId !== jobId) return;
    await this.#drop();
    this.#credential = null;
  }

  /** Ends the job's attempt that it has; others must be met anew, as what this one shows changes. */
  async #drop(): Promise<void> {
    const assignment = this.#assignment;
    this.#assignment = null;
    this.#found.clear();
    if (assignment === null) return;
    await assignment.close();
    this.#isTainted ||= assignment.isTainted;
    this.#ports.engine.limitMemory(Number.MAX_SAFE_INTEGER);
    for (const peer of Array.from(this.#peers.keys())) this.#ports.transport.disconnect(peer, "the job has ended");
    this.#peers.clear();
  }

  #assigned(jobId: string): Assignment {
    const assignment = this.#assignment;
    if (assignment?.job.jobId === jobId) return assignment;
    throw new ExecutorError("notAssigned", `Cannot do anything for job ${jobId}: this executor does not have it.`);
  }

  #admit(peer: PeerId, credential: Uint8Array): Admission {
    if (peer === this.#settings.agent) return { kind: "member" };
    const { keys, clock } = this.#ports;
    if (this.#cluster === null) return { kind: "refused", reason: "this executor does not know its cluster yet" };
    const facts = { cluster: this.#cluster, keys: this.#keys, nowMs: clock.wallMs() };
    const verdict = judgeExecutorCredential(keys, { peer, credential }, facts);
    if (!verdict.ok) return { kind: "refused", reason: verdict.reason };
    this.#peers.set(peer, verdict.credential);
    return { kind: "member" };
  }

  #opened(channel: Channel): void {
    const server = this.#assignment?.server;
    if (channel.protocol !== SHUFFLE_PROTOCOL) return channel.abort(`an executor does not speak ${channel.protocol}`);
    if (server === undefined) return channel.abort("this executor has no job");
    server.opened(channel);
  }

  /** A channel to the executor of the job's attempt at another agent. */
  async #connect(agent: PeerId): Promise<Channel> {
    const { transport } = this.#ports;
    const found = this.#found.get(agent) ?? this.#find(agent);
    this.#found.set(agent, found);
    try {
      return await transport.open(await found, SHUFFLE_PROTOCOL);
    } catch (error) {
      // It may have been started anew elsewhere.
      if (this.#found.get(agent) === found) this.#found.delete(agent);
      throw error;
    }
  }

  async #find(agent: PeerId): Promise<PeerId> {
    const job = this.#assignment?.job;
    if (job === undefined) throw new ExecutorError("notAssigned", "The job has ended.");
    const { jobId, jobAttempt } = job;
    const { peer, addresses } = await this.#call().call(
      executorFind,
      { jobId, jobAttempt, agent },
      { deadlineMs: CALL_DEADLINE_MS },
    );
    this.#ports.transport.know(peer, addresses);
    return peer;
  }

  #call(): RpcSession {
    invariant(this.#session !== null, "an executor that works has a session");
    return this.#session;
  }

  /** That a run has begun is told a little later: of a short one its end is enough. */
  #report(report: TaskReport): void {
    const { clock } = this.#ports;
    if (report.status === "running") {
      this.#reports.push(report);
      this.#cancelHeld ??= clock.wake(BEGUN_HELD_MS, () => this.#sendReports());
      return;
    }
    if (this.#cancelHeld !== null) this.#reports = this.#reports.filter((held) => !isSameRun(held, report));
    this.#reports.push(report);
    if (this.#isSendingSoon) return;
    this.#isSendingSoon = true;
    clock.soon(() => this.#sendReports());
  }

  #sendReports(): void {
    this.#isSendingSoon = false;
    this.#cancelHeld?.();
    this.#cancelHeld = null;
    const reports = this.#reports;
    this.#reports = [];
    for (let at = 0; at < reports.length; at += REPORTS_MAX) {
      this.#call()
        .call(executorReport, { reports: reports.slice(at, at + REPORTS_MAX) }, { deadlineMs: CALL_DEADLINE_MS })
        .catch((error: unknown) => this.#end(`The agent took no report: ${String(error)}`));
    }
  }

  /** While tasks run. */
  #tickSoon(): void {
    if (this.#isTicking) return;
    this.#isTicking = true;
    this.#ports.clock.wake(COLLECT_MS, () => this.#tick());
  }

  #tick(): void {
    this.#isTicking = false;
    this.#ports.engine.collectGarbage();
    const assignment = this.#assignment;
    if (assignment === null || !assignment.isBusy || this.#hasEnded) return;
    if (this.#ticks++ % TICKS_PER_METRICS === 0) this.#sendMetrics(assignment);
    this.#tickSoon();
  }

  #sendMetrics(assignment: Assignment): void {
    const metrics = assignment.metrics();
    if (metrics.length === 0) return;
    // The next ones say the same, and more.
    this.#call()
      .call(executorMetrics, { jobId: assignment.job.jobId, metrics }, { deadlineMs: CALL_DEADLINE_MS })
      .catch(() => undefined);
  }

  #end(reason: string): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#ports.ended(reason);
  }
}

function isSameRun(a: TaskReport, b: TaskReport): boolean {
  const isSameTask = a.task.fragment === b.task.fragment && a.task.index === b.task.index;
  return isSameTask && a.attempt === b.attempt && a.jobId === b.jobId && a.jobAttempt === b.jobAttempt;
}
