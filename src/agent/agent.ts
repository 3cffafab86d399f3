/** The agent of a node: carries out the JobManager's orders, and tells it what became of them. */
import { type Channel, type PeerId, SageError } from "../kernel/mod.ts";
import {
  executorAdopt,
  executorClean,
  executorCompile,
  type JobOrder,
  METRICS_MS,
  REASON_LENGTH_MAX,
  RemoteError,
  type Served,
  type TaskRun,
} from "../protocol/mod.ts";
import { AgentJob, type JobParts, type Run } from "./agent_job.ts";
import type { AgentApi } from "./api.ts";
import { Bundles } from "./bundles.ts";
import { Compilers } from "./compilers.ts";
import { AgentError } from "./error.ts";
import type { ExecutorProcess } from "./executor.ts";
import { Executors } from "./executors.ts";
import { JobLogs } from "./job_logs.ts";
import {
  AGENT_DEFAULTS,
  type AgentHooks,
  type AgentOptions,
  type AgentPorts,
  type AgentSettings,
  type CommitOrder,
  type Compiled,
  type CompileOrder,
  type DeployOrder,
  type ExecutorPlace,
  type Inventory,
  type JobOrders,
  type LogLine,
  type LogsRequest,
  type ReleaseOrder,
  type RowsItem,
  type RowsRequest,
  type RunsOrder,
  slotMemoryBytes,
} from "./ports.ts";
import { Reports } from "./reports.ts";
import { Results } from "./results.ts";
import { agentServices, executorServices } from "./services.ts";
import { Signal } from "./signal.ts";
import { SinkJournal } from "./sink_journal.ts";
import { Slots } from "./slots.ts";

/** Released jobs that are remembered, so that late orders for them do nothing. */
const RELEASED_MAX = 10_000;
const COMPILE_TIMEOUT_MS = 600_000;
const CLEAN_TIMEOUT_MS = 30_000;
/** Executors that may end while they look for files. */
const CLEAN_TRIES_MAX = 3;

export class Agent implements AgentApi {
  readonly #ports: AgentPorts;
  readonly #options: AgentOptions;
  readonly #hooks: AgentHooks;
  readonly #parts: JobParts;
  readonly #compilers: Compilers;
  readonly #journal: SinkJournal;
  readonly #placed = new Signal();
  readonly #jobs = new Map<string, AgentJob>();
  /** Highest attempt of each job that was released; the newest at the end. */
  readonly #released = new Map<string, number>();
  /** Files of executors that are gone which are being looked for. */
  readonly #adopting = new Set<string>();
  /** Newest that gave an order. */
  #term = 0;

  constructor(ports: AgentPorts, options: AgentOptions, hooks: AgentHooks) {
    const { clock, log, disk } = ports;
    const { directory } = options;
    this.#ports = ports;
    this.#options = options;
    this.#hooks = hooks;
    const settings: AgentSettings = { ...AGENT_DEFAULTS, ...options.settings };
    this.#parts = {
      ports,
      options,
      settings,
      hooks,
      executors: this.#createExecutors(settings),
      slots: new Slots<Run>(options.slots),
      reports: new Reports({
        clock,
        log,
        load: () => this.#load,
        restMs: () => this.#parts.executors.restMs,
        send: (body) => hooks.report(body),
        metricsMs: METRICS_MS,
      }),
      results: new Results(disk, `${directory}/results`),
      logs: new JobLogs({ clock, disk }, `${directory}/logs`),
      bundles: new Bundles(disk, `${directory}/bundles`, (hash, signal) => hooks.blob(hash, signal)),
      placed: () => this.#placed.emit(),
    };
    this.#compilers = new Compilers(this.#parts.executors);
    this.#journal = new SinkJournal({ disk, log }, `${directory}.sinks`);
  }

  #createExecutors(settings: AgentSettings): Executors {
    return new Executors({
      ports: this.#ports,
      options: this.#options,
      settings,
      hooks: this.#hooks,
      services: (executor) => executorServices(this.#executorHooks(executor)),
      lost: (executor, end) => {
        const job = executor.jobId === null ? undefined : this.#jobs.get(executor.jobId);
        if (executor.jobId !== null && job === undefined) this.#parts.logs.ended(executor.jobId);
        this.#ports.log.write(job === undefined ? "debug" : "info", "executor ended", {
          pid: executor.pid,
          reason: end.reason,
        });
        job?.lost(executor, end);
      },
      output: (executor, stream, bytes) => {
        const { jobId } = executor;
        if (jobId !== null && !this.#isForgotten(jobId)) this.#parts.logs.open(jobId).write(stream, bytes);
      },
    });
  }

  start(): void {
    const { disk } = this.#ports;
    const { directory } = this.#options;
    this.#journal.load();
    this.#removeOld(directory);
    disk.makeDirectory(directory);
    this.#parts.executors.start();
  }

  async stop(): Promise<void> {
    const { reports, executors, results, logs, bundles } = this.#parts;
    reports.stop();
    bundles.close();
    await executors.stop();
    results.close();
    logs.close();
    this.#jobs.clear();
    const { disk } = this.#ports;
    disk.remove(this.#putAside(this.#options.directory));
  }

  /** What an earlier process has left may be much. */
  #removeOld(directory: string): void {
    const { disk } = this.#ports;
    const old = this.#putAside(directory);
    // What is under its name still must be gone before the new one is made.
    if (disk.removeSoon === undefined || old === directory) disk.remove(old);
    else disk.removeSoon(old);
  }

  /** Gives the directory another name, under which nothing finds it that is removing parts of it; gives what to remove. */
  #putAside(directory: string): string {
    const { disk, clock } = this.#ports;
    if (disk.removeSoon === undefined || disk.stat(directory) === null) return directory;
    const aside = `${directory}.old`;
    try {
      disk.makeDirectory(aside);
      disk.rename(directory, `${aside}/${clock.wallMs()}`);
      return aside;
    } catch {
      return directory;
    }
  }

  services(): readonly Served[] {
    return agentServices(this);
  }

  isOwnExecutor(peer: PeerId): boolean {
    return this.#parts.executors.get(peer) !== null;
  }

  attached(channel: Channel): void {
    this.#parts.executors.attached(channel);
  }

  leaderChanged(): void {
    this.#parts.reports.hurry();
  }

  get slotsUsed(): number {
    return this.#parts.slots.used;
  }

  /** @throws {AgentError} stale-term */
  deploy({ term, job: order, tasks }: DeployOrder): void {
    this.#fence(term);
    const { jobId, jobAttempt } = order;
    const isOver = jobAttempt <= (this.#released.get(jobId) ?? 0);
    const known = this.#jobs.get(jobId);
    if (isOver || (known !== undefined && jobAttempt < known.attempt)) {
      this.#ports.log.write("debug", "late order for a job", { jobId, jobAttempt });
      return;
    }
    this.#journal.note({ jobId, jobAttempt, sinkPaths: order.sinkPaths ?? [] });
    (known ?? this.#addJob(order)).deploy(order, tasks);
  }

  /** @throws {AgentError} stale-term, unknown-job */
  cancel({ term, jobId, runs }: RunsOrder): void {
    this.#fence(term);
    this.#job(jobId).cancel(runs);
  }

  /** @throws {AgentError} stale-term */
  commit({ term, jobId, jobAttempt, run, sinkPath }: CommitOrder): void {
    this.#fence(term);
    if (this.#jobs.get(jobId)?.commit(run, jobAttempt) === true) return;
    const isOver = jobAttempt <= (this.#released.get(jobId) ?? 0);
    if (!isOver && sinkPath !== null) void this.#adopt({ jobId, jobAttempt, run, sinkPath });
  }

  /** Looks for a file that an executor, which is gone, has prepared; what is not seen here another agent may see. */
  async #adopt(of: { readonly jobId: string; readonly jobAttempt: number; run: TaskRun; sinkPath: string }) {
    const { jobId, jobAttempt, run, sinkPath } = of;
    const name = `${jobId}.${jobAttempt}.${run.task.fragment}.${run.task.index}`;
    if (this.#adopting.has(name)) return;
    this.#adopting.add(name);
    const report = (status: "committed" | "failed", reason: string): void =>
      this.#parts.reports.add({ jobId, jobAttempt, ...run, status, reason: reason.slice(0, REASON_LENGTH_MAX) });
    try {
      const { isThere } = await this.#borrow((executor) =>
        executor.call(executorAdopt, of, { deadlineMs: CLEAN_TIMEOUT_MS }),
      );
      if (isThere) report("committed", "the executor that prepared it is gone");
      this.#ports.log.write("info", "file of an executor that is gone", { jobId, sinkPath, isThere });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#ports.log.write("warn", "file of an executor that is gone", { jobId, sinkPath, reason });
      if (error instanceof RemoteError && error.code === "disk") report("failed", reason);
    } finally {
      this.#adopting.delete(name);
    }
  }

  /** @throws {AgentError} stale-term, unknown-job: then nothing of the job runs here */
  endExecutor({ term, jobId, reason }: JobOrders & { readonly reason: string }): void {
    this.#fence(term);
    this.#job(jobId).endExecutor(reason);
  }

  /** @throws {AgentError} stale-term */
  release({ term, jobId, upToAttempt, keepResults, sinkPaths: told }: ReleaseOrder): void {
    this.#fence(term);
    const sinkPaths = [...new Set([...told, ...this.#journal.pathsOf(jobId)])];
    const { reports, results, logs } = this.#parts;
    this.#noteReleased(jobId, upToAttempt);
    reports.forget(jobId, upToAttempt);
    const reason = "the job has ended";
    if (keepResults) results.dropUnfinished(jobId, { upToAttempt, reason });
    results.dropJob(jobId, { upToAttempt: keepResults ? upToAttempt - 1 : upToAttempt, reason });
    const job = this.#jobs.get(jobId);
    if (job !== undefined && job.attempt <= upToAttempt) {
      this.#jobs.delete(jobId);
      void job.release(sinkPaths).then(({ isClean }) => {
        if (isClean) this.#journal.forget(jobId, upToAttempt);
        else void this.#clean({ jobId, upToAttempt, sinkPaths });
        if (this.#isForgotten(jobId)) logs.remove(jobId);
      });
    } else if (job === undefined) {
      if (this.#isForgotten(jobId)) logs.remove(jobId);
      else logs.ended(jobId);
      void this.#clean({ jobId, upToAttempt, sinkPaths });
    }
  }

  /** The job was deleted. */
  #isForgotten(jobId: string): boolean {
    return this.#released.get(jobId) === Number.MAX_SAFE_INTEGER;
  }

  /** @throws {AgentError} stale-term */
  inventory({ term }: { readonly term: number }): Inventory {
    this.#fence(term);
    const { slots, slotMemoryBytes } = this.#shares;
    return {
      slotCount: slots,
      slotMemoryBytes,
      load: this.#load,
      reports: [...this.#jobs.values()].flatMap((job) => job.inventory()),
      jobs: [
        ...[...this.#jobs.values()].map(({ jobId, attempt }) => ({ jobId, jobAttempt: attempt })),
        ...this.#journal.jobs
          .filter(({ jobId }) => !this.#jobs.has(jobId))
          .map(({ jobId, jobAttempt }) => ({ jobId, jobAttempt })),
      ],
      results: this.#parts.results.kept(),
    };
  }

  /** Errors as of the compiler. @throws {AgentError} stale-term, no-executor */
  async compile({ term, plan, slots, parallelism }: CompileOrder, signal: AbortSignal): Promise<Compiled> {
    this.#fence(term);
    return await this.#compilers.use(
      (executor) =>
        executor.call(executorCompile, { plan, slots, parallelism }, { signal, deadlineMs: COMPILE_TIMEOUT_MS }),
      signal,
    );
  }

  /** @throws {AgentError} unknown-job: a newer attempt of the job is here, or none will be */
  async executorOf(
    { jobId, jobAttempt }: { readonly jobId: string; readonly jobAttempt: number },
    signal: AbortSignal,
  ): Promise<ExecutorPlace> {
    while (!signal.aborted) {
      const job = this.#jobs.get(jobId);
      const isOver = jobAttempt <= (this.#released.get(jobId) ?? 0) || (job !== undefined && job.attempt > jobAttempt);
      if (isOver) throw new AgentError("unknown-job", `Attempt ${jobAttempt} of job ${jobId} is over here.`);
      const place = job !== undefined && job.attempt === jobAttempt ? job.place : null;
      if (place !== null) return place;
      await this.#placed.next(signal);
    }
    throw new AgentError("unknown-job", `Job ${jobId} has no executor here yet.`, { retryable: true });
  }

  /** @throws {AgentError} unknown-run, rows-lost, disk */
  rows({ jobId, jobAttempt, run, fromRow }: RowsRequest, signal: AbortSignal): AsyncGenerator<RowsItem, void> {
    return this.#parts.results.read({ jobId, jobAttempt, run }, fromRow, signal);
  }

  async *logs({ jobId, follow }: LogsRequest, signal: AbortSignal): AsyncGenerator<LogLine, void> {
    const log = this.#parts.logs.get(jobId);
    if (log !== null) yield* log.read({ follow, signal });
  }

  get #shares() {
    return { slots: this.#options.slots, slotMemoryBytes: slotMemoryBytes(this.#options) };
  }

  get #load(): number {
    return this.#ports.load?.() ?? this.slotsUsed / Math.max(1, this.#options.slots);
  }

  #fence(term: number): void {
    if (term < this.#term) {
      const text = `An order of term ${term} is refused: the JobManager of term ${this.#term} has taken over.`;
      throw new AgentError("stale-term", text);
    }
    this.#term = term;
  }

  #addJob(order: JobOrder): AgentJob {
    const job = new AgentJob(this.#parts, order);
    this.#jobs.set(order.jobId, job);
    return job;
  }

  #job(jobId: string): AgentJob {
    const job = this.#jobs.get(jobId);
    if (job === undefined) throw new AgentError("unknown-job", `Nothing of job ${jobId} runs here.`);
    return job;
  }

  #noteReleased(jobId: string, upToAttempt: number): void {
    const before = this.#released.get(jobId) ?? 0;
    this.#released.delete(jobId);
    this.#released.set(jobId, Math.max(before, upToAttempt));
    const [oldest] = this.#released.keys();
    if (this.#released.size > RELEASED_MAX && oldest !== undefined) this.#released.delete(oldest);
    this.#placed.emit();
  }

  /** Looks for what tasks of executors that are gone have left. */
  async #clean(left: Pick<ReleaseOrder, "jobId" | "upToAttempt" | "sinkPaths">): Promise<void> {
    if (left.sinkPaths.length === 0) return;
    for (let tries = 1; ; tries++) {
      try {
        await this.#borrow((executor) => executor.call(executorClean, left, { deadlineMs: CLEAN_TIMEOUT_MS }));
        return this.#journal.forget(left.jobId, left.upToAttempt);
      } catch (error) {
        if (tries < CLEAN_TRIES_MAX && error instanceof SageError && error.code === "no-executor") continue;
        const reason = error instanceof Error ? error.message : String(error);
        const { jobId } = left;
        return this.#ports.log.write("warn", "files of a job's tasks not looked for", { jobId, reason });
      }
    }
  }

  /** An executor without a job, for one call. */
  async #borrow<Result>(use: (executor: ExecutorProcess) => Promise<Result>, signal?: AbortSignal): Promise<Result> {
    const { executors } = this.#parts;
    const executor = await executors.take(signal);
    try {
      return await use(executor);
    } catch (error) {
      if (!executor.isGone || !(error instanceof SageError)) throw error;
      throw new AgentError("no-executor", "The executor has ended meanwhile.", { retryable: true, cause: error });
    } finally {
      executors.giveBack(executor);
    }
  }

  #executorHooks(executor: ExecutorProcess) {
    const jobOf = (jobId: string): AgentJob | null =>
      executor.jobId === jobId ? (this.#jobs.get(jobId) ?? null) : null;
    return {
      ready: (addresses: ExecutorPlace["addresses"]) => {
        executor.becameReady(addresses);
        const { cluster, keys } = this.#hooks.facts();
        return { cluster, keys: [...keys] };
      },
      jobOf: (jobId: string) => jobOf(jobId),
      executor,
      metrics: (jobId: string, metrics: Parameters<Reports["addMetrics"]>[0]["metrics"], run: TaskRun) => {
        const job = jobOf(jobId);
        if (job !== null) this.#parts.reports.addMetrics({ jobId, jobAttempt: job.attempt, run, metrics });
      },
      find: async (of: { jobId: string; jobAttempt: number; agent: PeerId }, signal: AbortSignal) => {
        const { self } = this.#ports.transport;
        return of.agent === self ? await this.executorOf(of, signal) : await this.#hooks.findExecutor(of, signal);
      },
    };
  }
}
