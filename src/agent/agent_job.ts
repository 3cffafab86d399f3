/** One job at this agent: the runs of its tasks that were ordered, and the executor that they are in. */
import {
  executorAssign,
  executorCancel,
  executorClean,
  executorCommit,
  executorRelease,
  executorRun,
  type JobOrder,
  REASON_LENGTH_MAX,
  type TaskOrder,
  type TaskReport,
  type TaskRun,
} from "../protocol/mod.ts";
import type { Bundles } from "./bundles.ts";
import { AgentError } from "./error.ts";
import type { ExecutorProcess } from "./executor.ts";
import type { Executors } from "./executors.ts";
import type { End } from "./exit_reason.ts";
import type { JobLogs } from "./job_logs.ts";
import {
  type AgentHooks,
  type AgentOptions,
  type AgentPorts,
  type AgentSettings,
  type ExecutorPlace,
  type Inventory,
  type RowsItem,
  slotMemoryBytes,
} from "./ports.ts";
import type { Reports } from "./reports.ts";
import type { Results } from "./results.ts";
import { Slots } from "./slots.ts";

/** What all jobs of the agent share. */
export interface JobParts {
  readonly ports: AgentPorts;
  readonly options: AgentOptions;
  readonly settings: AgentSettings;
  readonly hooks: AgentHooks;
  readonly executors: Executors;
  readonly slots: Slots<Run>;
  readonly reports: Reports;
  readonly results: Results;
  readonly logs: JobLogs;
  readonly bundles: Bundles;
  /** A job has an executor now. */
  placed(): void;
}

/** One run of a task. */
export interface Run {
  readonly order: TaskOrder;
  /** "waiting" for an executor, "given" to it, and "over" once it is in no slot any more. */
  phase: "waiting" | "given" | "over";
  report: TaskReport | null;
  /** Its executor is gone; its rows are here. */
  isLeft: boolean;
}

interface Content {
  readonly order: JobOrder;
  readonly plan: Uint8Array;
  readonly bundlePath: string | null;
}

/** Executors that are tried one after the other when each ends before it takes the job. */
const ASSIGN_TRIES_MAX = 3;
const ASSIGN_TIMEOUT_MS = 30_000;
/** Files of a sink may have to be copied. */
const COMMIT_TIMEOUT_MS = 600_000;
const RELEASE_TIMEOUT_MS = 5_000;

export class AgentJob {
  readonly jobId: string;
  readonly #parts: JobParts;
  #order: JobOrder;
  /** The newest run of each task. */
  readonly #runs = new Map<string, Run>();
  #waiting: Run[] = [];
  #executor: ExecutorProcess | null = null;
  /** Attempt of the job that the executor has; 0: none yet. */
  #assigned = 0;
  #isDriving = false;
  #isReleased = false;
  #slotsMax = 1;

  constructor(parts: JobParts, order: JobOrder) {
    this.jobId = order.jobId;
    this.#parts = parts;
    this.#order = order;
    parts.logs.open(order.jobId);
  }

  get attempt(): number {
    return this.#order.jobAttempt;
  }

  /** Where others find the executor; null while there is none. */
  get place(): ExecutorPlace | null {
    if (this.#executor === null || this.#assigned !== this.attempt) return null;
    const { peer, addresses } = this.#executor;
    return { peer, addresses };
  }

  get runs(): readonly Run[] {
    return [...this.#runs.values()];
  }

  /** What a JobManager that has just taken over has to know. */
  inventory(): Inventory["reports"] {
    return this.runs.map(({ order, report }) => {
      const { task, attempt, slot, inputs } = order;
      const { jobId } = this;
      return { jobId, jobAttempt: this.attempt, task, attempt, status: "running", ...report, slot, inputs };
    });
  }

  /** Orders of an older attempt are for the caller to refuse. */
  deploy(order: JobOrder, tasks: readonly TaskOrder[]): void {
    if (order.jobAttempt > this.attempt) this.#restart(order);
    for (const task of tasks) this.#accept(task);
    this.#drive();
  }

  cancel(runs: readonly TaskRun[]): void {
    const passedOn: TaskRun[] = [];
    for (const asked of runs) {
      const run = this.#runs.get(taskKey(asked));
      if (run === undefined || run.order.attempt !== asked.attempt) {
        this.#parts.reports.add(this.#reportOf(asked, "ended", "no such run is here"));
      } else if (run.phase === "waiting") {
        this.#waiting = this.#waiting.filter((other) => other !== run);
        this.#over(run, this.#reportOf(asked, "ended", "it was cancelled before it began"));
      } else {
        const hadEnded = run.phase === "over" && run.report?.status !== "finished";
        // Told as finished once more it would be called off once more.
        if (run.report?.status === "finished") this.#over(run, this.#reportOf(asked, "ended", "it is not needed"));
        else if (run.phase === "over" && run.report !== null) this.#parts.reports.add(run.report);
        this.#parts.results.drop(this.#rowsKey(asked), "they are not needed");
        if (!hadEnded && !run.isLeft) passedOn.push(asked);
      }
    }
    if (passedOn.length > 0) this.#tellCancel(passedOn);
  }

  /** False: no executor of this job has prepared it, or it is gone by now. */
  commit(asked: TaskRun, jobAttempt: number): boolean {
    const run = this.#runs.get(taskKey(asked));
    if (run === undefined || run.order.attempt !== asked.attempt || jobAttempt !== this.attempt) return false;
    if (run.report?.status === "committed") this.#parts.reports.add(run.report);
    else if (this.#executor === null || this.#executor.isGone || run.isLeft) return false;
    else {
      this.#tell((executor) =>
        executor.call(executorCommit, { jobId: this.jobId, run: asked }, { deadlineMs: COMMIT_TIMEOUT_MS }),
      );
    }
    return true;
  }

  /** Its end is reported; at once when there is none. */
  endExecutor(reason: string): void {
    if (this.#executor !== null) return this.#executor.end(reason);
    const upToAttempt = Math.max(0, ...this.runs.map(({ order }) => order.attempt));
    for (const run of this.runs) if (!this.#hasWholeRows(run)) this.#forget(run);
    this.#waiting = [];
    this.#parts.reports.addLost({ jobId: this.jobId, jobAttempt: this.attempt, upToAttempt, reason });
  }

  /** What the executor tells of a run; of runs that were replaced nothing is passed on. */
  reported(executor: ExecutorProcess, report: TaskReport): void {
    const run = this.#runs.get(taskKey(report));
    const isKnown = run !== undefined && run.order.attempt === report.attempt && report.jobAttempt === this.attempt;
    if (!isKnown || executor !== this.#executor) return;
    const { status } = report;
    if (status === "running") {
      if (run.phase !== "given") return;
      run.report = report;
      return this.#parts.reports.add(report);
    }
    if (status === "finished") this.#parts.results.finish(this.#rowsKey(report));
    else if (status !== "committed") {
      this.#parts.results.drop(this.#rowsKey(report), report.reason ?? "their task has ended");
    }
    this.#over(run, report);
  }

  /** @throws {AgentError} unknown-run, result-limit, disk */
  keepRows(executor: ExecutorProcess, run: TaskRun, item: RowsItem): void {
    if (executor !== this.#executor) throw new AgentError("unknown-run", "The job is in another executor by now.");
    this.#parts.results.append(this.#rowsKey(run), item, this.#order.resultBytesMax);
  }

  /** The executor is gone; whole rows of finished runs are not. */
  lost(executor: ExecutorProcess, { reason, isJobsFault, isUnexplained = false }: End): void {
    if (executor !== this.#executor) return;
    this.#executor = null;
    this.#assigned = 0;
    const upToAttempt = executor.givenUpTo;
    for (const run of this.runs) {
      const { order, phase, report } = run;
      if (phase === "waiting" || report?.status === "committed") continue;
      run.isLeft = true;
      if (this.#hasWholeRows(run)) continue;
      this.#parts.results.drop(this.#rowsKey(order), reason);
      if (phase === "given" && isJobsFault) this.#over(run, this.#reportOf(order, "failed", reason));
      else if (phase === "given" || report?.status === "finished") this.#forget(run);
    }
    if (upToAttempt > 0) {
      const { jobId, attempt } = this;
      this.#parts.reports.addLost({ jobId, jobAttempt: attempt, upToAttempt, reason, isUnexplained });
    }
    this.#drive();
  }

  /**
   * Nothing of the job is needed here any more but its log and, perhaps, its rows. `isClean`: its executor has removed what
   * its tasks left beside these paths.
   */
  async release(sinkPaths: readonly string[]): Promise<{ readonly isClean: boolean }> {
    this.#isReleased = true;
    this.#waiting = [];
    for (const run of this.runs) this.#forget(run);
    const executor = this.#executor;
    this.#executor = null;
    const isClean = executor !== null && (await this.#handBack(executor, sinkPaths));
    this.#parts.bundles.release(this);
    this.#parts.logs.ended(this.jobId);
    return { isClean };
  }

  async #handBack(executor: ExecutorProcess, sinkPaths: readonly string[]): Promise<boolean> {
    const { jobId } = this;
    const options = { deadlineMs: RELEASE_TIMEOUT_MS };
    if (this.#order.bundle === null) this.#parts.executors.returning(executor);
    try {
      const { isReusable } = await executor.call(executorRelease, { jobId }, options);
      const left = { jobId, upToAttempt: this.attempt, sinkPaths };
      if (sinkPaths.length > 0) await executor.call(executorClean, left, options);
      if (isReusable && this.#order.bundle === null) this.#parts.executors.giveBack(executor);
      else executor.end("its job is over");
      return true;
    } catch (error) {
      executor.end(`it did not let go of its job: ${messageOf(error)}`);
      return false;
    }
  }

  #restart(order: JobOrder): void {
    for (const run of this.runs) this.#forget(run);
    this.#waiting = [];
    this.#order = order;
    if (this.#executor !== null) this.#executor.givenUpTo = 0;
  }

  #accept(order: TaskOrder): void {
    const { reports, slots, results } = this.#parts;
    const known = this.#runs.get(taskKey(order));
    if (known !== undefined && known.order.attempt > order.attempt) return;
    if (known !== undefined && known.order.attempt === order.attempt) {
      if (known.report !== null) reports.add(known.report);
      return;
    }
    if (known !== undefined) this.#replace(known);
    const run: Run = { order, phase: "waiting", report: null, isLeft: false };
    this.#runs.set(taskKey(order), run);
    const problem = this.#problemOf(order.slot);
    if (problem !== null) {
      run.phase = "over";
      run.report = this.#reportOf(order, "ended", problem);
      return reports.add(run.report);
    }
    slots.occupy(order.slot, run);
    results.open(this.#rowsKey(order));
    this.#waiting.push(run);
    this.#slotsMax = Math.max(this.#slotsMax, this.runs.filter(({ phase }) => phase !== "over").length);
  }

  /** Why a slot cannot be had; null: it can. */
  #problemOf(slot: number): string | null {
    const { slots, ports } = this.#parts;
    if (!slots.has(slot)) return `slot ${slot} does not exist at ${ports.transport.self}: it has ${slots.count}`;
    const other = slots.in(slot);
    if (other === null) return null;
    const { fragment, index } = other.order.task;
    return `slot ${slot} at ${ports.transport.self} is taken by task ${fragment}.${index}`;
  }

  /** A newer run of the same task has come. */
  #replace(run: Run): void {
    const { order, phase } = run;
    this.#waiting = this.#waiting.filter((other) => other !== run);
    this.#forget(run);
    this.#parts.results.drop(this.#rowsKey(order), "a newer run of their task has replaced them");
    if (phase === "given") {
      this.#tellCancel([{ task: order.task, attempt: order.attempt }]);
    }
  }

  #over(run: Run, report: TaskReport): void {
    run.phase = "over";
    run.report = report;
    this.#parts.slots.leave(run.order.slot, run);
    this.#parts.reports.add(report);
  }

  #forget(run: Run): void {
    this.#parts.slots.leave(run.order.slot, run);
    const key = taskKey(run.order);
    if (this.#runs.get(key) === run) this.#runs.delete(key);
  }

  /** Hands runs that wait to the executor, one message after the other. */
  #drive(): void {
    if (this.#isDriving || this.#isReleased || this.#waiting.length === 0) return;
    this.#isDriving = true;
    void this.#handOver().finally(() => {
      this.#isDriving = false;
      this.#drive();
    });
  }

  async #handOver(): Promise<void> {
    const { jobAttempt } = this.#order;
    let executor: ExecutorProcess;
    try {
      executor = await this.#ready();
    } catch (error) {
      // A restart meanwhile has orders of its own.
      if (jobAttempt !== this.attempt) return;
      for (const run of this.#waiting.splice(0)) this.#over(run, this.#reportOf(run.order, "ended", messageOf(error)));
      return;
    }
    if (executor !== this.#executor || this.#assigned !== this.attempt || this.#waiting.length === 0) return;
    const runs = this.#give(executor);
    try {
      const tasks = runs.map(({ order }) => order);
      await executor.call(executorRun, { jobId: this.jobId, memoryBytes: this.#memoryBytes, tasks });
    } catch (error) {
      if (executor.isGone) return; // they are lost with it
      for (const run of runs) {
        if (run.phase === "given") this.#over(run, this.#reportOf(run.order, "failed", messageOf(error)));
      }
    }
  }

  /** From now on the runs that wait are in the executor. */
  #give(executor: ExecutorProcess): readonly Run[] {
    const runs = this.#waiting.splice(0);
    this.#limitMemory(executor);
    for (const run of runs) {
      run.phase = "given";
      executor.givenUpTo = Math.max(executor.givenUpTo, run.order.attempt);
    }
    return runs;
  }

  /** It has not taken them. */
  #takeBack(runs: readonly Run[]): void {
    const left = runs.filter((run) => run.phase === "given" && this.#runs.get(taskKey(run.order)) === run);
    for (const run of left) run.phase = "waiting";
    this.#waiting.unshift(...left);
  }

  /** The job's executor, with the job's newest attempt; the runs that waited before it came are in it. */
  async #ready(): Promise<ExecutorProcess> {
    for (let tries = 1; ; tries++) {
      // Its end makes room for another.
      for (let last: ExecutorProcess | null = null; this.#executor?.isGone === true && this.#executor !== last; ) {
        last = this.#executor;
        await last.ended;
      }
      const known = this.#executor;
      // While the agent stops nobody takes it away.
      if (known?.isGone === true) throw new AgentError("stopping", "The node is stopping.");
      if (known !== null && this.#assigned === this.attempt) return known;
      const content = this.#content();
      content.catch(() => undefined); // while nobody waits for it yet
      const executor = known ?? (await this.#parts.executors.take());
      try {
        await this.#assign(executor, content);
      } catch (error) {
        if (this.#isReleased || !executor.isGone || tries >= ASSIGN_TRIES_MAX) throw error;
      }
    }
  }

  async #content(): Promise<Content> {
    const order = this.#order;
    const signal = new AbortController().signal;
    const [plan, bundlePath] = await Promise.all([
      order.plan.bytes ?? this.#parts.hooks.blob(order.plan.hash, signal),
      order.bundle === null ? null : this.#parts.bundles.path(order.bundle, this),
    ]);
    return { order, plan, bundlePath };
  }

  async #assign(executor: ExecutorProcess, coming: Promise<Content>): Promise<void> {
    const { hooks, executors } = this.#parts;
    const content = await coming.catch((error: unknown) => {
      if (executor !== this.#executor) executors.giveBack(executor);
      throw error;
    });
    if (this.#isReleased) {
      if (executor !== this.#executor) executors.giveBack(executor);
      throw new AgentError("unknown-job", "The job has ended meanwhile.");
    }
    if (executor.isGone) throw new AgentError("no-executor", "The executor has ended meanwhile.", { retryable: true });
    this.#executor = executor;
    executor.jobId = this.jobId;
    const { order, plan, bundlePath } = content;
    const isNewest = order.jobAttempt === this.attempt;
    const runs = isNewest ? this.#give(executor) : [];
    const taskMemoryBytes = order.taskMemoryBytes === 0 ? this.#slotMemoryBytes : order.taskMemoryBytes;
    const body = {
      job: { ...order, taskMemoryBytes, plan: { hash: order.plan.hash, bytes: null } },
      plan,
      bundlePath,
      credential: executor.credential(order.bundle === null ? null : this.jobId),
      keys: [...hooks.facts().keys],
      directory: executor.directory,
      memoryBytes: this.#memoryBytes,
      tasks: runs.map(({ order: task }) => task),
    };
    try {
      await executor.call(executorAssign, body, { deadlineMs: ASSIGN_TIMEOUT_MS });
    } catch (error) {
      if (!executor.isGone) this.#takeBack(runs);
      throw error;
    }
    if (executor !== this.#executor) return;
    this.#assigned = order.jobAttempt;
    this.#parts.placed();
  }

  #limitMemory(executor: ExecutorProcess): void {
    executor.limitMemory(this.#slotsMax);
  }

  /** What the executor refuses to exceed by itself, with a reason; the limit of the whole process lies above it. */
  get #memoryBytes(): number {
    return Math.max(1, this.#slotsMax * this.#slotMemoryBytes);
  }

  get #slotMemoryBytes(): number {
    return slotMemoryBytes(this.#parts.options);
  }

  /** An order for what is in the executor; when that is gone, so is what the order is about. */
  #tell(order: (executor: ExecutorProcess) => Promise<unknown>): void {
    const executor = this.#executor;
    if (executor === null) return;
    order(executor).catch((error: unknown) => {
      if (!executor.isGone) executor.end(`it did not take an order: ${messageOf(error)}`);
    });
  }

  #tellCancel(runs: readonly TaskRun[]): void {
    this.#tell((executor) => executor.call(executorCancel, { jobId: this.jobId, runs }));
  }

  #reportOf(run: TaskRun, status: TaskReport["status"], reason: string): TaskReport {
    const { task, attempt } = run;
    return {
      jobId: this.jobId,
      jobAttempt: this.attempt,
      task,
      attempt,
      status,
      reason: reason.slice(0, REASON_LENGTH_MAX),
    };
  }

  #hasWholeRows({ order, report }: Run): boolean {
    return report?.status === "finished" && this.#parts.results.isWhole(this.#rowsKey(order));
  }

  #rowsKey({ task, attempt }: TaskRun) {
    return { jobId: this.jobId, jobAttempt: this.attempt, run: { task, attempt } };
  }
}

function taskKey({ task }: Pick<TaskRun, "task">): string {
  return `${task.fragment}.${task.index}`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
