/** Jobs of one task, written as a file, at a real agent. */
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BlobHash } from "../../../src/kernel/mod.ts";
import { encodeLogicalPlan, type LogicalPlan } from "../../../src/plan/mod.ts";
import { bundleJob } from "../../../src/platform/bundle.ts";
import type { TaskReport } from "../../../src/protocol/mod.ts";
import type { RealAgent } from "./real_agent.ts";

/** What agents fetch under a hash. */
export const blobs = new Map<string, Uint8Array>();

export function blob(hash: BlobHash): Promise<Uint8Array> {
  const bytes = blobs.get(hash);
  return bytes === undefined ? Promise.reject(new Error(`no blob ${hash}`)) : Promise.resolve(bytes);
}

export interface TestJob {
  readonly plan: Uint8Array;
  readonly bundle: BlobHash | null;
}

/** `body` gives a stream: `Stream.generate(10).map(…)`. */
export async function jobOf(body: string): Promise<TestJob> {
  const directory = mkdtempSync(join(tmpdir(), "sage-agent-job-"));
  try {
    const file = join(directory, "job.ts");
    writeFileSync(file, `import { dataflow, Stream } from "sage";\nexport default dataflow("test", () => ${body});\n`);
    const bundled = await bundleJob(file);
    const { plan } = (await bundled.load()) as { readonly plan: LogicalPlan };
    const module = bundled.module();
    bundled.dispose();
    const bundle = createHash("sha256").update(module).digest("hex") as BlobHash;
    blobs.set(bundle, module);
    return { plan: encodeLogicalPlan(plan), bundle };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

let jobCount = 0;

export function newJobId(): string {
  jobCount++;
  return jobCount.toString(16).padStart(32, "0");
}

export const TASK = { fragment: 0, index: 0 };

/** Compiles the job and orders its only task; gives the order. */
export async function deploy(
  { agent }: RealAgent,
  { plan, bundle }: TestJob,
  options: {
    readonly jobId?: string;
    readonly jobAttempt?: number;
    readonly attempt?: number;
    readonly slot?: number;
    readonly sinkPaths?: string[];
  } = {},
) {
  const { jobId = newJobId(), jobAttempt = 1, attempt = 1, slot = 0, sinkPaths = [] } = options;
  const { signal } = new AbortController();
  const compiled = await agent.compile({ term: 1, jobId, plan, slots: 1, parallelism: 1 }, signal);
  const content = { hash: "0".repeat(64) as BlobHash, bytes: compiled.plan };
  const shared = { params: "{}", taskMemoryBytes: 0, resultBytesMax: 1 << 20, codec: "none" as const };
  const job = { jobId, name: "test", jobAttempt, plan: content, bundle, sinkPaths, ...shared };
  agent.deploy({ term: 1, job, tasks: [{ task: TASK, attempt, slot, inputs: [] }] });
  return { jobId, jobAttempt, run: { task: TASK, attempt } };
}

/** The first report of the job with one of these statuses. */
export async function reported(
  { reports }: RealAgent,
  jobId: string,
  statuses: readonly TaskReport["status"][],
): Promise<TaskReport> {
  return (await eventually(() =>
    reports.flatMap((body) => body.reports).find((one) => one.jobId === jobId && statuses.includes(one.status)),
  )) as TaskReport;
}

type Found<T> = T | undefined | null | false;

export async function eventually<T>(look: () => Found<T> | Promise<Found<T>>, limitMs = 30_000): Promise<T> {
  const endMs = performance.now() + limitMs;
  while (performance.now() < endMs) {
    const found = await look();
    if (found !== undefined && found !== null && found !== false) return found;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`not within ${limitMs} ms: ${look.toString()}`);
}
