/** Real nodes that run jobs, a client in this process, and a look at what jobs leave behind. */
import { existsSync, mkdirSync } from "node:fs";
import { isAbsolute, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { Cluster, type Job, type SubmitOptions } from "../../../src/client/mod.ts";
import { userFunctionsOf } from "../../../src/plan/mod.ts";
import { systemClock } from "../../../src/platform/clock.ts";
import { createKeys } from "../../../src/platform/keys.ts";
import { bundleJob } from "../../../src/platform/mod.ts";
import { systemRandom } from "../../../src/platform/random.ts";
import { nodeDigest } from "../../../src/protocol/mod.ts";
import { type GivenParams, isDataflow } from "../../../src/stream/mod.ts";
import { type ClusterSettings, type NodeProcess, ProcessCluster, pause } from "../../cluster_processes/harness.ts";
import { digestOf, type FoundProcess, filesIn, processesOf, rowText } from "./leftovers.ts";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const CLEAN_MS = 20_000;

export interface JobsClusterSettings extends ClusterSettings {
  readonly nodes: number;
  readonly slots?: number;
  /** Of each node for its jobs, such as "256MiB". */
  readonly memory?: string;
  /** Per node: what it is started with, and where it listens. */
  readonly hosts?: readonly { readonly prefix: readonly string[]; readonly address: string }[];
  /** Of each node, before it is started: its data directory; and what takes that back. */
  readonly prepare?: (dataDir: string) => void;
  readonly undo?: () => void;
}

/** What a job gave: a digest of each root's rows, in order. */
export interface Result {
  readonly rows: readonly string[];
}

export class JobsCluster {
  readonly processes: ProcessCluster;
  readonly #clients: Cluster[] = [];
  #outputs = 0;

  private constructor(processes: ProcessCluster) {
    this.processes = processes;
  }

  static async found(settings: JobsClusterSettings): Promise<JobsCluster> {
    const { nodes, slots = 4, memory = "1GiB", hosts, prepare: prepareNode, undo, env = {}, ...others } = settings;
    const processes = new ProcessCluster({
      ...others,
      env: { SAGE_SLOTS: String(slots), SAGE_MEMORY: memory, ...env },
    });
    const made = Array.from({ length: nodes }, (_, index) => {
      const host = hosts?.[index];
      const where = host === undefined ? {} : { listen: `${host.address}:7400`, prefix: host.prefix };
      return processes.node({ name: `n${index + 1}`, ...where });
    });
    try {
      const [first, ...rest] = made as [NodeProcess, ...NodeProcess[]];
      for (const node of made) prepareNode?.(node.dataDir);
      await first.start().ready(60_000);
      for (const node of rest) node.start(...first.invitation);
      await Promise.all(rest.map((node) => node.ready(60_000)));
      await processes.voters(nodes > 2 ? Math.min(5, nodes - 1 + (nodes % 2)) : nodes, 60_000);
      return new JobsCluster(processes);
    } catch (error) {
      await Promise.all(processes.nodes.map((node) => node.kill()));
      undo?.();
      await processes.end();
      throw error;
    }
  }

  get nodes(): readonly NodeProcess[] {
    return this.processes.nodes;
  }

  get directory(): string {
    return this.processes.directory;
  }

  /** Another empty directory for what jobs write. */
  newOutput(): string {
    const directory = join(this.directory, `output-${++this.#outputs}`);
    mkdirSync(directory);
    return directory;
  }

  /** Paths that jobs write, such as out/routes.parquet, are in `output`; those they read are the project's. */
  async client(output: string): Promise<Cluster> {
    const cluster = new Cluster(await this.processes.client(), {
      clock: systemClock,
      random: systemRandom,
      keys: createKeys(),
      prepare,
      absolutePath: (path) => {
        if (isAbsolute(path)) return path;
        return path.startsWith("out/") ? join(output, path.slice(4)) : join(ROOT, path);
      },
    });
    this.#clients.push(cluster);
    return cluster;
  }

  /** Executors that a node has started. */
  executorsOf(node: NodeProcess): FoundProcess[] {
    const all = processesOf(this.directory);
    // A node that is started in a namespace is a child of what started it.
    const isOf = (pid: number, depth = 0): boolean => {
      if (pid === node.pid) return true;
      const found = all.find((each) => each.pid === pid);
      return found !== undefined && depth < 4 && isOf(found.parent, depth + 1);
    };
    return all.filter((each) => each.isExecutor && isOf(each.parent));
  }

  /** Waits until nothing but spare executors is left; gives what is there still. */
  async leftovers(output: string): Promise<string[]> {
    const endMs = Date.now() + CLEAN_MS;
    for (;;) {
      const found = [...this.#strayProcesses(), ...this.#strayFiles(), ...strayOutputs(output)];
      if (found.length === 0 || Date.now() > endMs) return found;
      await pause(200);
    }
  }

  /** What nodes' states differ in once all have applied the same; nothing when they are equal. */
  async differences(timeoutMs: number): Promise<string[]> {
    const endMs = Date.now() + timeoutMs;
    const clients = await Promise.all(this.nodes.map((node) => this.processes.client([node])));
    try {
      for (;;) {
        const answers = await Promise.all(clients.map((client) => client.call(nodeDigest, {}, { timeoutMs: 20_000 })));
        const [first] = answers;
        if (answers.every(({ appliedIndex }) => appliedIndex === first?.appliedIndex)) {
          const digests = answers.map(({ digest }) => digest);
          return new Set(digests).size === 1 ? [] : [`the states of nodes differ: ${digests.join(" ")}`];
        }
        if (Date.now() > endMs) return ["nodes do not become level"];
        await pause(50);
      }
    } finally {
      await Promise.all(clients.map((client) => client.close()));
    }
  }

  #strayProcesses(): string[] {
    const running = this.nodes.filter(({ isRunning }) => isRunning);
    const owned = new Set(running.flatMap((node) => this.executorsOf(node)).map(({ pid }) => pid));
    return processesOf(this.directory)
      .filter(({ pid, isExecutor }) => isExecutor && !owned.has(pid))
      .map(({ pid, parent }) => `executor ${pid}, whose node is gone (parent ${parent})`);
  }

  #strayFiles(): string[] {
    const temporary = filesIn(this.processes.temporaryDirectory).map((name) => `temporary file ${name}`);
    const work = this.nodes.flatMap((node) =>
      ["work", "work.old", "work.sinks"].flatMap((part) =>
        filesIn(join(node.dataDir, part)).map((name) => `${node.name} ${part}/${name}`),
      ),
    );
    return [...temporary, ...work];
  }

  /** `unmount`: once no process is there. */
  async end(unmount: () => void = () => undefined): Promise<string[]> {
    await Promise.all(this.#clients.map((client) => client.close().catch(() => undefined)));
    for (const node of this.nodes) if (node.isStopped) node.signal("SIGCONT");
    const { directory } = this;
    await Promise.all(this.nodes.map((node) => node.kill()));
    const endMs = Date.now() + 5_000;
    let left = processesOf(directory);
    while (left.length > 0 && Date.now() < endMs) {
      await pause(100);
      left = processesOf(directory);
    }
    for (const { pid } of left) process.kill(pid, "SIGKILL");
    unmount();
    await this.processes.end();
    return [
      ...left.map(({ pid, isExecutor }) => `${isExecutor ? "executor" : "process"} ${pid} outlived its node`),
      ...(existsSync(directory) ? [`${directory} is there still`] : []),
    ];
  }
}

function strayOutputs(output: string): string[] {
  return filesIn(output)
    .filter((name) => name.endsWith(".tmp"))
    .map((name) => `temporary file ${name}`);
}

export function jobFile(name: string): string {
  const own = fileURLToPath(new URL(`../jobs/${name}.ts`, import.meta.url));
  return existsSync(own) ? own : join(ROOT, `examples/${name}.ts`);
}

export function submit(cluster: Cluster, name: string, options: SubmitOptions = {}): Promise<Job> {
  return cluster.submit(jobFile(name), options);
}

/** Digests of the rows of the job's `roots`, read while it runs. */
export async function resultOf(job: Job, roots: readonly number[], signal?: AbortSignal): Promise<Result> {
  const options = signal === undefined ? {} : { signal };
  const rows = await Promise.all(roots.map((root) => rowsDigest(job, { root, ...options })));
  await job.wait(options);
  return { rows };
}

async function rowsDigest(job: Job, of: { readonly root: number; readonly signal?: AbortSignal }): Promise<string> {
  const lines: string[] = [];
  for await (const row of job.result(of)) lines.push(rowText(row));
  return `${lines.length} rows ${digestOf(lines.join("\n"))}`;
}

async function prepare(path: string, params: GivenParams) {
  const bundle = await bundleJob(resolve(path));
  try {
    const flow = await bundle.load();
    if (!isDataflow(flow)) throw new Error(`${path} is no job`);
    const { plan, values } = flow.with(params);
    const module = userFunctionsOf(plan).size > 0 ? bundle.module() : null;
    return { plan, bundle: module, params: JSON.stringify(values) };
  } finally {
    bundle.dispose();
  }
}
