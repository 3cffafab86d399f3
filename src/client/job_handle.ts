import type * as v from "valibot";
import type { Clock, SageErrorOptions } from "../kernel/mod.ts";
import { isPlanErrorCode } from "../plan/mod.ts";
import {
  type ItemOutput,
  type JobProgress,
  jobGet,
  jobList,
  jobLogs,
  jobRows,
  jobShow,
  jobVerb,
  jobWatch,
} from "../protocol/mod.ts";
import type { CallSettings, ClusterClient } from "./client.ts";
import { type JobEndCode, JobFailedError } from "./job_error.ts";
import { resumed } from "./resume.ts";
import { SeenLines } from "./seen_lines.ts";

export type JobSummary = v.InferOutput<typeof jobList.reply>["jobs"][number];
export type JobRecord = NonNullable<v.InferOutput<typeof jobGet.reply>["job"]>;
export type JobLogLine = ItemOutput<typeof jobLogs.item>;
export type JobRows = ItemOutput<typeof jobRows.item> & {
  /** Of its rows so many were given before: another run of the task cuts its messages elsewhere. */
  readonly skipRows: number;
};
export type JobVerb = "stop" | "cancel" | "restart" | "continue" | "delete";

export interface JobPorts {
  readonly clock: Clock;
}

/** How long streams wait for a cluster that is finding its next leader, or cannot be reached. */
const PATIENCE_MS = 30_000;

/** Nothing runs any more. States that this program does not know are of a newer cluster, and not ends. */
const ENDED = new Set(["finished", "failed", "cancelled", "stopped"]);

export function isEndState(state: string): boolean {
  return ENDED.has(state);
}

/** A job of a cluster. It goes on whatever happens to this object. */
export class JobHandle {
  /** 32 hexadecimal digits. */
  readonly id: string;
  readonly number: number;
  readonly name: string;
  readonly #client: ClusterClient;
  readonly #ports: JobPorts;

  constructor(
    client: ClusterClient,
    ports: JobPorts,
    job: { readonly jobId: string; readonly number: number; readonly name: string },
  ) {
    this.#client = client;
    this.#ports = ports;
    this.id = job.jobId;
    this.number = job.number;
    this.name = job.name;
  }

  /** What the log has of it: also of jobs that ended long ago. Null when it is forgotten. */
  async record({
    consistency = "leader",
    ...settings
  }: CallSettings & { readonly consistency?: "leader" | "stale" } = {}): Promise<JobRecord | null> {
    const { job } = await this.#client.call(jobGet, { jobId: this.id, consistency }, settings);
    return job;
  }

  /** What the JobManager knows of it now. */
  show(options: { readonly hasTasks?: boolean } & CallSettings = {}): Promise<JobProgress> {
    const { hasTasks = false, ...settings } = options;
    return this.#client.call(jobShow, { jobId: this.id, hasTasks }, settings);
  }

  /** The same at each change and about twice a second, until the job has ended. */
  watch(options: { readonly hasTasks?: boolean; readonly signal?: AbortSignal } = {}): AsyncGenerator<JobProgress> {
    const { hasTasks = false, signal } = options;
    const settings = signal === undefined ? {} : { signal };
    const open = () => this.#client.stream(jobWatch, { jobId: this.id, hasTasks }, settings);
    return this.#guarded(resumed(open, { ...this.#ports, signal, patienceMs: PATIENCE_MS }));
  }

  /**
   * Messages with rows of one root, in order, each once; ends when the job has finished. A node that goes is waited for:
   * the stream goes on behind the last row.
   *
   * @throws {JobFailedError}
   */
  rows(root: number, options: { readonly signal?: AbortSignal } = {}): AsyncGenerator<JobRows> {
    const { signal } = options;
    const at = { task: 0, row: 0, hasSchema: false };
    const open = () => this.#rowsFrom(root, at, signal);
    return this.#guarded(resumed(open, { ...this.#ports, signal, patienceMs: PATIENCE_MS }));
  }

  /** Rows behind `at`, which moves on with them. */
  async *#rowsFrom(
    root: number,
    at: { task: number; row: number; hasSchema: boolean },
    signal: AbortSignal | undefined,
  ): AsyncGenerator<JobRows> {
    const from = { jobId: this.id, root, fromTask: at.task, fromRow: at.row };
    const stream = this.#client.stream(jobRows, from, signal === undefined ? {} : { signal });
    for await (const item of stream) {
      const skipRows = item.task === at.task ? Math.max(0, at.row - item.fromRow) : 0;
      const isBehind = item.task < at.task || (skipRows > 0 && skipRows >= item.rowCount);
      if (isBehind || (item.rowCount === 0 && at.hasSchema)) continue;
      at.hasSchema = true;
      at.task = item.task;
      at.row = item.fromRow + item.rowCount;
      yield { ...item, skipRows };
    }
  }

  /** Which of what the builder returned give rows, in order: waits until the job is compiled. */
  async roots(options: { readonly signal?: AbortSignal } = {}): Promise<readonly number[]> {
    for await (const { roots, state } of this.watch(options)) {
      if (roots !== undefined) return roots;
      if (isEndState(state)) break;
    }
    const last = await this.show(options);
    if (last.roots !== undefined) return last.roots;
    if (last.state !== "finished") throw this.#ended(last);
    return [0]; // a node of older software, which does not say
  }

  /** Lines that the job's code has written. With `follow` until the job has ended. */
  logs(options: { readonly follow?: boolean; readonly signal?: AbortSignal } = {}): AsyncGenerator<JobLogLine> {
    const { follow = false, signal } = options;
    const seen = new SeenLines();
    const open = () => this.#logsBehind(seen, follow, signal);
    return resumed(open, { ...this.#ports, signal, patienceMs: PATIENCE_MS });
  }

  /** All lines that are kept come again from another node. */
  async *#logsBehind(seen: SeenLines, follow: boolean, signal: AbortSignal | undefined): AsyncGenerator<JobLogLine> {
    seen.again();
    const settings = signal === undefined ? {} : { signal };
    for await (const line of this.#client.stream(jobLogs, { jobId: this.id, follow }, settings)) {
      if (seen.isNew(line)) yield line;
    }
  }

  /** Waits until it has ended. @throws {JobFailedError} when it did not finish */
  async wait(options: { readonly signal?: AbortSignal } = {}): Promise<JobProgress> {
    const last = await this.settled(options);
    if (last.state === "finished") return last;
    throw this.#ended(last);
  }

  /** Waits until it has ended, however. */
  async settled(options: { readonly signal?: AbortSignal } = {}): Promise<JobProgress> {
    for (;;) {
      let last: JobProgress | null = null;
      for await (const progress of this.watch(options)) last = progress;
      if (last !== null && isEndState(last.state)) return last;
      const now = await this.show(options);
      if (isEndState(now.state)) return now;
    }
  }

  /** Ends it so that it can be continued. Gives the state it came into. */
  stop(settings: CallSettings = {}): Promise<string> {
    return this.verb("stop", settings);
  }

  cancel(settings: CallSettings = {}): Promise<string> {
    return this.verb("cancel", settings);
  }

  /** Begins it anew, from its sources. */
  restart(settings: CallSettings = {}): Promise<string> {
    return this.verb("restart", settings);
  }

  /** Goes on with a stopped job. */
  continue(settings: CallSettings = {}): Promise<string> {
    return this.verb("continue", settings);
  }

  /** Forgets an ended job and its rows. */
  async delete(settings: CallSettings = {}): Promise<void> {
    await this.verb("delete", settings);
  }

  /** Gives the state that the job came into. */
  async verb(verb: JobVerb, settings: CallSettings = {}): Promise<string> {
    const { state } = await this.#client.call(jobVerb, { jobId: this.id, verb }, settings);
    return state;
  }

  async *#guarded<T>(items: AsyncGenerator<T>): AsyncGenerator<T> {
    try {
      yield* items;
    } catch (error) {
      throw await this.#asFailure(error);
    }
  }

  /** What the cluster said about the job's end, with the user's line where the JobManager knows it. */
  async #asFailure(error: unknown): Promise<unknown> {
    const code = endCode(error);
    if (code === null || !(error instanceof Error)) return error;
    const of = { jobId: this.id, number: this.number, cause: error };
    if (code !== "job-failed") return new JobFailedError(code, error.message, of);
    const known = await this.show({ timeoutMs: 2_000 }).catch(() => null);
    return known === null ? new JobFailedError(code, error.message, of) : failureOf(known, { cause: error });
  }

  #ended(last: JobProgress): JobFailedError {
    const { state } = last;
    const of = { jobId: this.id, number: this.number };
    if (state === "cancelled") return new JobFailedError("job-cancelled", `Job ${this.number} was cancelled.`, of);
    if (state === "stopped") return new JobFailedError("job-stopped", `Job ${this.number} was stopped.`, of);
    return failureOf(last);
  }
}

/** A job may come over an error, and then fail for another reason: the last error counts where the reason tells of it. */
export function decidingError({ reason, lastError }: Pick<JobProgress, "reason" | "lastError">) {
  const told = lastError?.reason.replace(TASK_PREFIX, "").slice(0, TOLD_CHARS);
  return told !== undefined && reason.includes(told) ? lastError : null;
}

function failureOf(job: JobProgress, options: SageErrorOptions = {}): JobFailedError {
  const error = decidingError(job);
  const code = error?.code ?? "";
  return new JobFailedError("job-failed", error?.reason ?? job.reason, {
    ...options,
    jobId: job.jobId,
    number: job.number,
    place: error?.place ?? null,
    planCode: isPlanErrorCode(code) ? code : null,
  });
}

const TASK_PREFIX = /^task \d+\.\d+: /;
/** Enough to know a text again; the log has only the beginning of long ones. */
const TOLD_CHARS = 200;

const END_CODES: ReadonlySet<string> = new Set<JobEndCode>([
  "job-failed",
  "job-cancelled",
  "job-stopped",
  "rows-lost",
  "job-deleted",
]);

function endCode(error: unknown): JobEndCode | null {
  const { code } = error as { readonly code?: unknown };
  return typeof code === "string" && END_CODES.has(code) ? (code as JobEndCode) : null;
}
