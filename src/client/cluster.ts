import type { Cell } from "../arrow/mod.ts";
import { encodeLogicalPlan, type LogicalPlan, userFunctionsOf } from "../plan/mod.ts";
import { type Dataflow, type GivenParams, isDataflow } from "../stream/mod.ts";
import { withAbsolutePaths } from "./absolute_paths.ts";
import type { CallSettings, ClusterClient } from "./client.ts";
import { ClientError } from "./error.ts";
import type { JobLogLine, JobProgress, JobSummary } from "./job_facts.ts";
import type { JobHandle } from "./job_handle.ts";
import { type JobQuery, Jobs, type JobsPorts } from "./jobs.ts";
import { resultRows } from "./result.ts";

/** A job's dataflow with its parameters set, and its code where it has any. */
export interface PreparedJob {
  readonly plan: LogicalPlan;
  readonly bundle: Uint8Array | null;
  /** Values of its parameters, as JSON. */
  readonly params: string;
}

export interface ClusterPorts extends JobsPorts {
  /** Bundles and loads a job's file, and runs its builder. */
  prepare(path: string, params: GivenParams): Promise<PreparedJob>;
  absolutePath(path: string): string;
}

export interface SubmitOptions {
  /** Default: the dataflow's name. */
  readonly name?: string;
  readonly params?: GivenParams;
  /** Tasks of each stage; default by sizes and free slots. */
  readonly parallelism?: number;
  /** Higher goes first, from -1000 to 1000. */
  readonly priority?: number;
  /** The job fails when it has not finished after this time. */
  readonly timeoutMs?: number;
  /** Runs of a task after one that failed; default 3. */
  readonly taskRetriesMax?: number;
  /** Attempts of the whole job after the first; default 1. */
  readonly restartsMax?: number;
  /** Bytes of rows that one task may keep for the client; default 1 GiB. */
  readonly resultBytesMax?: number;
  /** Only slots with so much memory are used; default any. */
  readonly taskMemoryBytes?: number;
  /** Compression of what tasks send each other; default none. */
  readonly codec?: "none" | "lz4" | "zstd";
  /** Which free slot a task gets; default coLocated: where most of its input is. */
  readonly strategy?: "coLocated" | "locality" | "loadBalanced" | "roundRobin" | "hash" | "range";
  /** Ends the call, not the job: it may have been submitted by then. */
  readonly signal?: AbortSignal;
}

/** Jobs of a cluster, newest first or one by one. */
export interface ClusterJobs {
  list(query?: JobQuery & CallSettings): Promise<JobSummary[]>;
  /** By number, id, a beginning of its id, or name. @throws {ClientError} no-such-job, ambiguous-job */
  find(text: string | number, settings?: CallSettings): Promise<Job>;
}

/** A cluster that a program uses. Whichever node goes, calls are tried at the others. */
export class Cluster implements AsyncDisposable {
  readonly jobs: ClusterJobs;
  readonly #client: ClusterClient;
  readonly #ports: ClusterPorts;
  readonly #jobs: Jobs;

  /** @internal */
  constructor(client: ClusterClient, ports: ClusterPorts) {
    this.#client = client;
    this.#ports = ports;
    this.#jobs = new Jobs(client, ports);
    this.jobs = {
      list: (query) => this.#jobs.list(query, settingsOf(query)),
      find: async (text, settings) => new Job(await this.#jobs.find(String(text), settings), null),
    };
  }

  /**
   * Submits the dataflow of a job's file, or one that this program has made: without functions of its own, since the code
   * of a running program cannot be sent.
   *
   * @throws {ClientError} not-submittable, not-reachable; {PlanError} for wrong parameters; {RemoteError} forbidden, …
   */
  async submit(what: string | Dataflow, options: SubmitOptions = {}): Promise<Job> {
    const { name, params = {}, signal, ...rest } = options;
    const prepared = typeof what === "string" ? await this.#ports.prepare(what, params) : preparedFlow(what, params);
    const plan = withAbsolutePaths(prepared.plan, (path) => this.#ports.absolutePath(path));
    const submission = {
      name: name ?? plan.name,
      plan: encodeLogicalPlan(plan),
      bundle: prepared.bundle,
      options: { ...rest, params: prepared.params },
    };
    const handle = await this.#jobs.submit(submission, signal === undefined ? {} : { signal });
    return new Job(handle, plan);
  }

  /** Jobs go on. */
  close(): Promise<void> {
    return this.#client.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function settingsOf({ timeoutMs, signal }: CallSettings = {}): CallSettings {
  return { ...(timeoutMs === undefined ? {} : { timeoutMs }), ...(signal === undefined ? {} : { signal }) };
}

function preparedFlow(flow: Dataflow, params: GivenParams): PreparedJob {
  if (!isDataflow(flow)) {
    throw new ClientError(
      "not-submittable",
      "Cannot submit this: it is neither a dataflow nor the path of a job's file.",
    );
  }
  const told = flow.with(params);
  if (userFunctionsOf(told.plan).size > 0) {
    const advice = "Put it into a file of its own and submit the file's path.";
    throw new ClientError(
      "not-submittable",
      `Cannot submit "${flow.name}": it has functions, which are code. ${advice}`,
    );
  }
  return { plan: told.plan, bundle: null, params: JSON.stringify(told.values) };
}

/** A job of a cluster. */
export class Job {
  /** 32 hexadecimal digits. */
  readonly id: string;
  readonly number: number;
  readonly name: string;
  readonly #handle: JobHandle;
  readonly #plan: LogicalPlan | null;

  /** @internal */
  constructor(handle: JobHandle, plan: LogicalPlan | null) {
    this.#handle = handle;
    this.#plan = plan;
    this.id = handle.id;
    this.number = handle.number;
    this.name = handle.name;
  }

  /**
   * The rows as objects, in order, each once; ends when the job has finished. `root`: which of what the builder returned,
   * default the first that is no sink. A job with sinks alone has no rows.
   *
   * @throws {JobFailedError} when the job does not finish
   */
  async *result(
    options: { readonly root?: number; readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<Record<string, Cell>> {
    const { root = (await this.roots(options))[0], ...rest } = options;
    if (root === undefined) await this.#handle.wait(rest);
    else yield* resultRows(this.#handle.rows(root, rest));
  }

  /** Which of what the builder returned give rows, in order; of a job that was found, once it is compiled. */
  async roots(options: { readonly signal?: AbortSignal } = {}): Promise<readonly number[]> {
    if (this.#plan === null) return this.#handle.roots(options);
    return this.#plan.roots.flatMap(({ kind }, root) => (kind === "sink" ? [] : [root]));
  }

  status(settings: CallSettings = {}): Promise<JobProgress> {
    return this.#handle.show({ ...settings, hasTasks: true });
  }

  /** At each change and about twice a second, until the job has ended. */
  watch(options: { readonly signal?: AbortSignal } = {}): AsyncGenerator<JobProgress> {
    return this.#handle.watch(options);
  }

  /** Until it has finished. @throws {JobFailedError} */
  wait(options: { readonly signal?: AbortSignal } = {}): Promise<JobProgress> {
    return this.#handle.wait(options);
  }

  /** What the job's code has printed. With `follow` until the job has ended. */
  logs(options: { readonly follow?: boolean; readonly signal?: AbortSignal } = {}): AsyncGenerator<JobLogLine> {
    return this.#handle.logs(options);
  }

  async cancel(settings: CallSettings = {}): Promise<void> {
    await this.#handle.cancel(settings);
  }

  /** Ends it so that it can be continued. */
  async stop(settings: CallSettings = {}): Promise<void> {
    await this.#handle.stop(settings);
  }

  async continue(settings: CallSettings = {}): Promise<void> {
    await this.#handle.continue(settings);
  }

  /** Runs it anew, from its sources. */
  async restart(settings: CallSettings = {}): Promise<void> {
    await this.#handle.restart(settings);
  }

  /** Forgets the ended job, its rows and logs. */
  async delete(settings: CallSettings = {}): Promise<void> {
    await this.#handle.delete(settings);
  }
}
