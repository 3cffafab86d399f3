/** What the JobManager has to be told and has not answered yet. */
import type { Clock, Log } from "../kernel/mod.ts";
import type { TaskReport } from "../protocol/mod.ts";
import type { JobsReport } from "./ports.ts";

type Lost = JobsReport["lost"][number];
type Metrics = JobsReport["metrics"][number];

export interface ReportsOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly load: () => number;
  /** How long the agent takes no tasks. */
  readonly restMs: () => number;
  readonly send: (body: JobsReport) => Promise<unknown>;
  /** How long counters are held back. */
  readonly metricsMs: number;
}

const RETRY_FIRST_MS = 100;
const RETRY_MAX_MS = 2_000;
/** Of one message. */
const REPORTS_MAX = 5_000;
const LOST_MAX = 1_000;

function keyOf({ jobId, jobAttempt, task, attempt }: TaskReport): string {
  return `${jobId}.${jobAttempt}.${task.fragment}.${task.index}.${attempt}`;
}

export class Reports {
  readonly #options: ReportsOptions;
  /** The newest of each run. */
  readonly #reports = new Map<string, TaskReport>();
  #lost: Lost[] = [];
  #metrics = new Map<string, Metrics>();
  /** The message that is being answered; another may take its place. */
  #sending: object | null = null;
  #isScheduled = false;
  #retryMs = RETRY_FIRST_MS;
  #cancelWake: (() => void) | null = null;
  #metricsSentMs = Number.NEGATIVE_INFINITY;
  #isStopped = false;

  constructor(options: ReportsOptions) {
    this.#options = options;
  }

  /** Reports and losses that wait for an answer. */
  get pendingCount(): number {
    return this.#reports.size + this.#lost.length;
  }

  add(report: TaskReport): void {
    this.#reports.set(keyOf(report), report);
    this.#soon();
  }

  addLost(lost: Lost): void {
    this.#lost.push(lost);
    this.#soon();
  }

  /** Newer counters replace older ones; they may get lost. */
  addMetrics(metrics: Metrics): void {
    const { jobId, jobAttempt, run } = metrics;
    this.#metrics.set(keyOf({ jobId, jobAttempt, ...run, status: "running" }), metrics);
    if (this.#cancelWake === null && this.#sending === null && !this.#isScheduled) this.#wake(this.#metricsWaitMs);
  }

  /** Of the job nothing is asked any more. */
  forget(jobId: string, upToAttempt: number): void {
    const isOver = (of: { readonly jobId: string; readonly jobAttempt: number }) =>
      of.jobId === jobId && of.jobAttempt <= upToAttempt;
    for (const [key, report] of this.#reports) if (isOver(report)) this.#reports.delete(key);
    for (const [key, metrics] of this.#metrics) if (isOver(metrics)) this.#metrics.delete(key);
    this.#lost = this.#lost.filter((lost) => !isOver(lost));
  }

  /** Tells at once: there may be another JobManager. */
  hurry(): void {
    this.#retryMs = RETRY_FIRST_MS;
    // Whoever is asked now may never answer.
    this.#sending = null;
    this.#soon();
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancelWake?.();
  }

  get #metricsWaitMs(): number {
    return Math.max(0, this.#metricsSentMs + this.#options.metricsMs - this.#options.clock.nowMs());
  }

  #soon(): void {
    if (this.#isScheduled || this.#sending !== null || this.#isStopped) return;
    this.#isScheduled = true;
    this.#cancelWake?.();
    this.#cancelWake = null;
    this.#options.clock.soon(() => {
      this.#isScheduled = false;
      this.#send();
    });
  }

  #wake(afterMs: number): void {
    this.#cancelWake?.();
    this.#cancelWake = this.#options.clock.wake(afterMs, () => {
      this.#cancelWake = null;
      this.#send();
    });
  }

  #send(): void {
    if (this.#sending !== null || this.#isStopped) return;
    const { clock, load, restMs, send } = this.#options;
    const reports = [...this.#reports.values()].slice(0, REPORTS_MAX);
    const lost = this.#lost.slice(0, LOST_MAX);
    const areMetricsDue = this.#metrics.size > 0 && this.#metricsWaitMs === 0;
    if (reports.length === 0 && lost.length === 0 && !areMetricsDue) {
      if (this.#metrics.size > 0) this.#wake(this.#metricsWaitMs);
      return;
    }
    const metrics = areMetricsDue ? [...this.#metrics.values()].slice(0, REPORTS_MAX) : [];
    if (areMetricsDue) {
      this.#metrics = new Map();
      this.#metricsSentMs = clock.nowMs();
    }
    const sending = {};
    this.#sending = sending;
    send({ load: load(), restMs: restMs(), reports, lost, metrics }).then(
      () => this.#answered(sending, { reports, lost }),
      (error: unknown) => this.#failed(sending, error),
    );
  }

  #answered(
    sending: object,
    { reports, lost }: { readonly reports: readonly TaskReport[]; readonly lost: readonly Lost[] },
  ): void {
    for (const report of reports) {
      const key = keyOf(report);
      if (this.#reports.get(key) === report) this.#reports.delete(key);
    }
    const told = new Set(lost);
    this.#lost = this.#lost.filter((each) => !told.has(each));
    if (this.#sending !== sending) return;
    this.#sending = null;
    this.#retryMs = RETRY_FIRST_MS;
    if (this.#reports.size > 0 || this.#lost.length > 0) this.#soon();
    else if (this.#metrics.size > 0) this.#wake(this.#metricsWaitMs);
  }

  #failed(sending: object, error: unknown): void {
    if (this.#isStopped || this.#sending !== sending) return;
    this.#sending = null;
    const reason = error instanceof Error ? error.message : String(error);
    this.#options.log.write("debug", "report not answered", { reason, retryMs: this.#retryMs });
    if (this.#reports.size > 0 || this.#lost.length > 0 || this.#metrics.size > 0) this.#wake(this.#retryMs);
    this.#retryMs = Math.min(RETRY_MAX_MS, this.#retryMs * 2);
  }
}
