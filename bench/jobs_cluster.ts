/** Clusters of the executable with jobs on them, for the figures of `bench:jobs`. */
import { execFile } from "node:child_process";
import type { Cluster } from "../client.ts";
import { connect } from "../client.ts";
import { type JobTask, jobShow } from "../src/protocol/mod.ts";
import { EXECUTABLE, type NodeProcess, type Processes } from "./cluster_processes.ts";

/** Spares are up and idle after this. */
const SPARES_MS = 4_000;

/** Waits until each node has an executor that stands by. */
export function rest(): Promise<void> {
  return Bun.sleep(SPARES_MS);
}

/** As a program uses it, through these nodes in this order. */
export function clusterOf(processes: Processes, nodes: readonly NodeProcess[]): Promise<Cluster> {
  return connect({ credentials: processes.credentialsPath, addresses: nodes.map(({ address }) => address) });
}

export interface CommandResult {
  readonly ms: number;
  readonly stdout: string;
}

export interface CommandOptions {
  readonly environment: NodeJS.ProcessEnv;
  /** Default: that of this process. */
  readonly directory?: string;
}

/** Runs the executable to its end. @throws when it fails */
export function sage(
  arguments_: readonly string[],
  { environment, directory = process.cwd() }: CommandOptions,
): Promise<CommandResult> {
  const startMs = performance.now();
  return new Promise((resolve, reject) => {
    const options = { env: environment, cwd: directory, maxBuffer: 1 << 28 };
    execFile(EXECUTABLE, [...arguments_], options, (error, stdout, stderr) => {
      if (error === null) resolve({ ms: performance.now() - startMs, stdout });
      else reject(new Error(`sage ${arguments_.join(" ")}: ${stderr.slice(-2_000)}`, { cause: error }));
    });
  });
}

/** Tasks of a job with the names of their nodes, as the JobManager has them now. */
export async function tasksOf(processes: Processes, nodes: readonly NodeProcess[], jobId: string): Promise<JobTask[]> {
  const client = await processes.client(nodes.map(({ address }) => address));
  try {
    return [...(await client.call(jobShow, { jobId, hasTasks: true })).tasks];
  } finally {
    await processes.close(client);
  }
}
