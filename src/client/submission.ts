import { isJobName, JOB_NAME_RULE, type Keys } from "../kernel/mod.ts";
import {
  BLOB_CHUNK_BYTES_MAX,
  BUNDLE_BYTES_MAX,
  blobPut,
  JOB_INLINE_BYTES_MAX,
  type JobOptions,
  PARAMS_LENGTH_MAX,
  PLAN_BYTES_MAX,
} from "../protocol/mod.ts";
import type { ClusterClient } from "./client.ts";
import { ClientError } from "./error.ts";

/** How a job is to be run where the submitter says nothing. */
export const JOB_DEFAULTS: JobOptions = {
  parallelism: null,
  priority: 0,
  timeoutMs: null,
  restartsMax: 1,
  taskRetriesMax: 3,
  strategy: "coLocated",
  taskMemoryBytes: 0,
  resultBytesMax: 1 << 30,
  codec: "none",
  params: "{}",
};

/** A job as it is sent. */
export interface Submission {
  readonly name: string;
  /** The encoded logical plan. */
  readonly plan: Uint8Array;
  /** Module with the functions of the job; null when it has none. */
  readonly bundle: Uint8Array | null;
  readonly options: Partial<JobOptions>;
}

/** @throws {ClientError} not-submittable */
export function checkSubmission({ name, plan, bundle, options }: Submission): void {
  const { params = "{}", parallelism = null, priority = 0 } = options;
  if (!isJobName(name)) {
    throw new ClientError(
      "not-submittable",
      `Cannot submit job ${JSON.stringify(name.slice(0, 40))}: ${JOB_NAME_RULE}`,
    );
  }
  if (plan.length > PLAN_BYTES_MAX) throw refused(`its plan has ${sizeText(plan.length)}, at most 4 MiB are possible`);
  if (bundle !== null && bundle.length > BUNDLE_BYTES_MAX) {
    throw refused(`with all that it imports it has ${sizeText(bundle.length)}, at most 32 MiB are possible`);
  }
  if (params.length > PARAMS_LENGTH_MAX) {
    throw refused(`its parameters have ${params.length} characters, at most ${PARAMS_LENGTH_MAX} are possible`);
  }
  if (parallelism !== null && !(Number.isInteger(parallelism) && parallelism >= 1 && parallelism <= 4_096)) {
    throw refused(`parallelism ${parallelism} must be a whole number from 1 to 4096`);
  }
  if (!(Number.isInteger(priority) && Math.abs(priority) <= 1_000)) {
    throw refused(`priority ${priority} must be a whole number from -1000 to 1000`);
  }
}

function refused(rule: string): ClientError {
  return new ClientError("not-submittable", `Cannot submit the job: ${rule}.`);
}

function sizeText(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}

export interface Part {
  readonly hash: string;
  readonly bytes: Uint8Array | null;
}

/** Short content goes with the submission; longer is put into the cluster first. */
export async function partOf(
  client: ClusterClient,
  content: Uint8Array,
  of: { readonly keys: Keys; readonly timeoutMs: number; readonly signal?: AbortSignal | undefined },
): Promise<Part> {
  const hash = of.keys.sha256(content);
  if (content.length <= JOB_INLINE_BYTES_MAX) return { hash, bytes: content };
  const settings = { timeoutMs: of.timeoutMs, ...(of.signal === undefined ? {} : { signal: of.signal }) };
  for (let offset = 0; ; ) {
    const bytes = content.slice(offset, offset + BLOB_CHUNK_BYTES_MAX);
    const chunk = { hash, blobBytes: content.length, offset, bytes };
    const { nextOffset, isComplete } = await client.call(blobPut, chunk, settings);
    if (isComplete) return { hash, bytes: null };
    offset = Math.min(nextOffset, content.length - 1);
  }
}
