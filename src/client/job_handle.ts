import type * as v from "valibot";
import type { Clock } from "../kernel/mod.ts";
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
import { ClientError } from "./error.ts";
import { type JobEndCode, JobFailedError } from "./job_error.ts";
import { resumed } from "./resume.ts";

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
  async record(settings: CallSettings = {}): Promise<JobRecord | null> {
    const { job } = await this.#client.call(jobGet, { jobId: this.id, consistency: "leader" }, settings);
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

  /** Lines that the job's code has written. With `follow` until the job has ended. */
  logs(options: { readonly follow?: boolean; readonly signal?: AbortSignal } = {}): AsyncGenerator<JobLogLine> {
    const { follow = false, signal } = options;
    const settings = signal === undefined ? {} : { signal };
    return this.#client.stream(jobLogs, { jobId: this.id, follow }, settings);
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
      if (options.signal?.aborted === true) throw new ClientError("closed", `Job ${this.number} is not waited for.`);
      const now = await this.show();
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
    const known = code === "job-deleted" ? null : await this.show({ timeoutMs: 2_000 }).catch(() => null);
    const { lastError = null } = known ?? {};
    const message = code === "job-failed" ? (lastError?.reason ?? error.message) : error.message;
    const of = { jobId: this.id, number: this.number, place: lastError?.place ?? null, cause: error };
    return new JobFailedError(code, message, of);
  }

  #ended({ state, reason, lastError }: JobProgress): JobFailedError {
    const of = { jobId: this.id, number: this.number };
    if (state === "cancelled") return new JobFailedError("job-cancelled", `Job ${this.number} was cancelled.`, of);
    if (state === "stopped") return new JobFailedError("job-stopped", `Job ${this.number} was stopped.`, of);
    return new JobFailedError("job-failed", lastError?.reason ?? reason, { ...of, place: lastError?.place ?? null });
  }
}

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
