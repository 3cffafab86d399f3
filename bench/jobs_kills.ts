/** What a job loses when the process of an agent, or that of the JobManager, is killed in the middle of it. */
import type { Cluster, Job } from "../client.ts";
import type { JobTask } from "../src/client/mod.ts";
import { clusterTransferLeader } from "../src/protocol/mod.ts";
import { type Figure, rounded } from "./cluster_figure.ts";
import { leaderOf, type NodeProcess, type Processes, until, withProcesses } from "./cluster_processes.ts";
import { clusterOf, rest, tasksOf } from "./jobs_cluster.ts";
import { jobFile } from "./jobs_work.ts";

const AGAIN_MS_MAX = 3_000;
const TASKS = 6;
const SPLIT_ROWS = 1 << 18;
const SPLITS_PER_TASK = 8;
const KEYS = 100;
/** Each of six nodes' slots may be needed by what is run again. */
const SLOTS = ["--slots", "6"];

interface SlowJob {
  readonly job: Job;
  readonly startMs: number;
  /** Its rows, once it has ended. */
  readonly rows: Promise<readonly Record<string, unknown>[]>;
}

/** Its tasks wait, and take as long whatever else the machine does. */
async function begin(cluster: Cluster, seconds: number): Promise<SlowJob> {
  const splits = TASKS * SPLITS_PER_TASK;
  const waitMs = Math.round((seconds * 1_000) / SPLITS_PER_TASK);
  const startMs = performance.now();
  const options = { params: { splits, waitMs }, parallelism: TASKS, strategy: "roundRobin" } as const;
  const job = await cluster.submit(jobFile("slow"), options);
  const rows = Array.fromAsync(job.result());
  // Whoever waits for them hears of it.
  rows.catch(() => undefined);
  return { job, startMs, rows };
}

async function check({ rows }: SlowJob): Promise<void> {
  const all = await rows;
  const sum = (name: string) => all.reduce((total, row) => total + BigInt(row[name] as bigint), 0n);
  const count = BigInt(TASKS * SPLITS_PER_TASK * SPLIT_ROWS);
  const isRight = all.length === KEYS && sum("rows") === count && sum("total") === (count * (count - 1n)) / 2n;
  if (!isRight) throw new Error(`Wrong rows: ${all.length} of ${KEYS} keys, ${sum("rows")} of ${count} rows.`);
}

/** `kill -9` of a node that runs tasks and does not lead, half-way. */
export function killedAgent(seconds: number): Promise<Figure[]> {
  return withProcesses(async (processes) => {
    const nodes = await processes.cluster(3, SLOTS);
    await rest();
    const leader = await leaderOf(processes, nodes);
    await using cluster = await clusterOf(processes, [leader]);
    const slow = await begin(cluster, seconds);
    await Bun.sleep((seconds * 1_000) / 2);
    const before = await tasksOf(processes, [leader], slow.job.id);
    const victim = nodes.find((node) => node !== leader && before.some((task) => isRunningAt(task, node)));
    if (victim === undefined) throw new Error(`No node but the leader runs tasks: ${shown(before)}.`);
    const lost = before.filter((task) => isRunningAt(task, victim));
    const killMs = performance.now();
    void victim.kill("SIGKILL");
    await until(
      async () => (await slow.job.status()).tasks.filter((task) => isAgain(task, lost)).length === lost.length,
    );
    const againMs = performance.now() - killMs;
    await check(slow);
    const after = (await slow.job.status()).tasks;
    const others = after.filter((task) => task.attempt > 1 && !lost.some((each) => isSame(each, task)));
    return [
      {
        what: `kill -9 of an agent in a job of ${seconds} s: ${lost.length} of ${before.length} tasks run again after`,
        wanted: `≤ ${AGAIN_MS_MAX} ms`,
        reached: `${rounded(againMs)} ms`,
        holds: againMs <= AGAIN_MS_MAX,
      },
      {
        what: "the same: tasks that ran again though they were not lost",
        wanted: "0",
        reached: String(others.length),
        holds: others.length === 0,
      },
    ];
  });
}

function isRunningAt({ peer, status }: JobTask, node: NodeProcess): boolean {
  return peer === node.peer && status === "running";
}

function isSame(one: JobTask, other: JobTask): boolean {
  return one.fragment === other.fragment && one.index === other.index;
}

function isAgain(task: JobTask, lost: readonly JobTask[]): boolean {
  return task.status === "running" && lost.some((each) => isSame(each, task) && task.attempt > each.attempt);
}

function shown(tasks: readonly JobTask[]): string {
  return tasks.map(({ fragment, index, node, status }) => `${fragment}.${index} ${status} at ${node}`).join(", ");
}

const LATER_MS_MAX = 3_000;

/** `kill -9` of the node that leads, which offers no slots: first the job undisturbed, then with the kill half-way. */
export function killedJobManager(seconds: number): Promise<Figure[]> {
  return withProcesses(async (processes) => {
    const manager = await processes.start("n1", ["--slots", "0"]);
    const agents: NodeProcess[] = [];
    for (const name of ["n2", "n3"]) agents.push(await processes.start(name, [...manager.joinArguments, ...SLOTS]));
    await processes.settle([manager, ...agents]);
    await rest();
    await leadAgain(processes, [manager, ...agents]);
    await using cluster = await clusterOf(processes, agents);
    const undisturbed = await begin(cluster, seconds);
    await check(undisturbed);
    const undisturbedMs = performance.now() - undisturbed.startMs;
    const slow = await begin(cluster, seconds);
    await Bun.sleep((seconds * 1_000) / 2);
    const before = (await slow.job.status()).tasks;
    void manager.kill("SIGKILL");
    await check(slow);
    const laterMs = performance.now() - slow.startMs - undisturbedMs;
    const after = (await slow.job.status()).tasks;
    const disturbed = after.filter((task) => task.attempt > 1 || task.losses > 0 || task.failures > 0);
    const begun = before.filter(({ status }) => status === "running").length;
    return [
      {
        what: `kill -9 of the JobManager in a job of ${seconds} s: it ends later by`,
        wanted: `≤ ${LATER_MS_MAX} ms`,
        reached: `${rounded(laterMs)} ms`,
        holds: laterMs <= LATER_MS_MAX,
      },
      {
        what: `the same: tasks that were disturbed, of ${begun} that ran`,
        wanted: "0",
        reached: String(disturbed.length),
        holds: disturbed.length === 0 && begun > 0,
      },
    ];
  });
}

/** On a busy machine another one may have come to lead meanwhile. */
async function leadAgain(processes: Processes, nodes: readonly NodeProcess[]): Promise<void> {
  const [manager] = nodes;
  if (manager === undefined || (await leaderOf(processes, nodes)) === manager) return;
  const client = await processes.client(nodes.map(({ address }) => address));
  await client.call(clusterTransferLeader, { to: manager.peer });
  await processes.close(client);
  await until(async () => (await leaderOf(processes, nodes)) === manager);
}
