/** Jobs of a cluster: submitting, finding, listing. */
import { jobNameOf, type Keys, type Random } from "../kernel/mod.ts";
import { jobFind, jobList, jobSubmit } from "../protocol/mod.ts";
import type { CallSettings, ClusterClient } from "./client.ts";
import { ClientError } from "./error.ts";
import { JobHandle, type JobPorts, type JobSummary } from "./job_handle.ts";
import { checkSubmission, JOB_DEFAULTS, partOf, type Submission } from "./submission.ts";

export interface JobsPorts extends JobPorts {
  readonly keys: Keys;
  readonly random: Random;
}

export interface JobQuery {
  /** Only jobs in these states. */
  readonly states?: readonly string[];
  /** At most so many, newest first; default 1,000. */
  readonly limit?: number;
  /** Only jobs of lower numbers. */
  readonly beforeNumber?: number;
  /** Default leader: as new as can be. Stale: as the node that answers knows it, which needs no leader. */
  readonly consistency?: Consistency;
}

export type Consistency = "leader" | "stale";

const LIMIT = 1_000;
const PAGE = 200;
const SUBMIT_TIMEOUT_MS = 30_000;
const TEXT_LENGTH_MAX = 128;

export class Jobs {
  readonly #client: ClusterClient;
  readonly #ports: JobsPorts;

  constructor(client: ClusterClient, ports: JobsPorts) {
    this.#client = client;
    this.#ports = ports;
  }

  /**
   * Sends a job. Once this has answered, the job survives the loss of any minority of nodes. Trying again, also at other
   * nodes, does not make a second one.
   *
   * @throws {ClientError} not-submittable, not-reachable; {RemoteError} what the cluster refuses
   */
  async submit(submission: Submission, settings: CallSettings = {}): Promise<JobHandle> {
    const { plan, bundle, options } = submission;
    const name = jobNameOf(submission.name);
    checkSubmission({ ...submission, name });
    const { timeoutMs = SUBMIT_TIMEOUT_MS, signal } = settings;
    const of = { keys: this.#ports.keys, timeoutMs, signal };
    const parts = {
      plan: await partOf(this.#client, plan, of),
      bundle: bundle === null ? null : await partOf(this.#client, bundle, of),
    };
    const jobId = hexadecimal(this.#ports.random.bytes(16));
    const sent = { jobId, name, ...parts, options: { ...JOB_DEFAULTS, ...options } };
    const { number } = await this.#client.call(jobSubmit, sent, { ...settings, timeoutMs });
    return this.#handle({ jobId, number, name });
  }

  /** Newest first. */
  async list(query: JobQuery = {}, settings: CallSettings = {}): Promise<JobSummary[]> {
    const { limit = LIMIT, states } = query;
    const jobs: JobSummary[] = [];
    let before = query.beforeNumber;
    while (jobs.length < limit) {
      const count = Math.min(PAGE, limit - jobs.length);
      const page = {
        limit: count,
        consistency: query.consistency ?? "leader",
        ...(before === undefined ? {} : { beforeNumber: before }),
        ...(states === undefined ? {} : { states: [...states] }),
      };
      const { jobs: more } = await this.#client.call(jobList, page, settings);
      jobs.push(...more);
      before = more.at(-1)?.number;
      if (more.length < count || before === undefined) break;
    }
    return jobs;
  }

  /**
   * The job of this number, this id or a beginning of it, or this name; of several with one name the newest.
   * @throws {ClientError} no-such-job, ambiguous-job
   */
  async find(
    given: string,
    { consistency = "leader", ...settings }: CallSettings & { readonly consistency?: Consistency } = {},
  ): Promise<JobHandle> {
    const text = jobNameOf(given);
    // Longer than any name can be.
    const isAny = text !== "" && text.length <= TEXT_LENGTH_MAX;
    if (!isAny) throw noSuchJob(text);
    const { jobs } = await this.#client.call(jobFind, { text, consistency }, settings);
    return this.#handle(chosen(text, jobs));
  }

  /** A job of which the id is known, without asking. */
  of(job: { readonly jobId: string; readonly number: number; readonly name: string }): JobHandle {
    return this.#handle(job);
  }

  #handle(job: { readonly jobId: string; readonly number: number; readonly name: string }): JobHandle {
    return new JobHandle(this.#client, this.#ports, job);
  }
}

/** A number means a number, a whole id the job, a name the newest of that name; a beginning of an id must be unique. */
function chosen(text: string, jobs: readonly JobSummary[]): JobSummary {
  const exact = jobs.find((job) => String(job.number) === text) ?? jobs.find((job) => job.jobId === text);
  const found = exact ?? jobs.find((job) => job.name === text);
  if (found !== undefined) return found;
  const [only, second] = jobs;
  if (only === undefined) {
    throw noSuchJob(text);
  }
  if (second === undefined) return only;
  const shown = jobs.slice(0, 5).map((job) => `${job.number} ${job.name} (${job.jobId})`);
  throw new ClientError("ambiguous-job", `${text} is the beginning of several jobs' ids:\n  ${shown.join("\n  ")}`);
}

function noSuchJob(text: string): ClientError {
  const shown = text === "" ? '""' : text.length > TEXT_LENGTH_MAX ? `${text.slice(0, 40)}…` : text;
  return new ClientError("no-such-job", `There is no job ${shown}: no number, id or name is that. See: sage jobs list`);
}

function hexadecimal(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
