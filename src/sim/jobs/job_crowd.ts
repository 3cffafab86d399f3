/**
 * A crowd with jobs: real nodes with real agents and executors, many jobs of many trivial tasks, and nodes that crash all the
 * while. Counts what became of the jobs, and what a task costs the leader's processor.
 */
import { field, int64, schema } from "../../arrow/mod.ts";
import { isEnded } from "../../cluster/mod.ts";
import { encodeLogicalPlan } from "../../plan/mod.ts";
import { col, dataflow, Stream } from "../../stream/mod.ts";
import { Arenas } from "../executors/arenas.ts";
import type { SimCluster } from "../nodes/sim_cluster.ts";
import type { Settle } from "../world/world.ts";
import { functionsOf } from "./catalog.ts";
import { arrowFile } from "./input.ts";
import { JobCluster } from "./job_cluster.ts";
import { openSimClient } from "./sim_client.ts";

export interface JobCrowdOptions {
  readonly seed: number;
  readonly settle: Settle;
  readonly nodes: number;
  /** Default 100. */
  readonly jobs?: number;
  /** Of each job; default 200. */
  readonly tasks?: number;
  /** Processor time of this process so far. */
  readonly cpuMs: () => number;
  readonly progress?: (text: string) => void;
  /** Called often, and never within an event: the place for what the runtime must do for itself. */
  readonly rest?: () => void;
}

export interface JobCrowdResult {
  readonly nodes: number;
  readonly jobs: number;
  readonly tasks: number;
  readonly finished: number;
  readonly failed: number;
  readonly open: number;
  readonly crashes: number;
  readonly deployedTasks: number;
  readonly virtualMs: number;
  /** All that the leader's process took while jobs ran, less what it takes without any. */
  readonly leaderCpuMs: number;
}

const WAVE = 50;
const GROW_MS_MAX = 120_000;
const LOOK_MS = 50;
const SLICE_MS = 50;
/** Until the runtime has made the best of it, and beyond. */
const LOOKS = 20_000;
const IDLE_MS = 5_000;
const JOBS_MS_MAX = 600_000;
/** Of all nodes, each minute. */
const CRASHES_A_MINUTE = 0.01;
const DOWN_MS = 20_000;
const SLOTS = 4;
const ARENA_BYTES = 2 ** 31;
const ROWS_A_TASK = 10;
/** Each can be read by a task of its own. */
const FILE_BATCHES = 50;

export async function runJobCrowd(options: JobCrowdOptions): Promise<JobCrowdResult> {
  const { seed, settle, nodes, jobs = 100, tasks = 200, cpuMs } = options;
  const { progress = () => undefined, rest = () => undefined } = options;
  const crowd = new JobCluster({
    seed,
    settle,
    functionsOf,
    slots: SLOTS,
    pace: { turnMs: 20, windowBytes: null },
    arenas: new Arenas(ARENA_BYTES, { isShared: true }),
    settings: { sparesMin: 0 },
  });
  const { cluster } = crowd;
  const { world } = cluster;
  await growTo(cluster, { nodes, progress, rest });
  writeInput(crowd, tasks);
  const leader = watchLeader(cluster, cpuMs);
  await runResting(cluster, IDLE_MS, rest);
  const idleShare = leader.takenMs() / IDLE_MS;
  const idleMs = leader.takenMs();
  const startMs = world.nowMs;
  const crashes = crashNodes(crowd, nodes);
  const ids = await submitAll(cluster, { jobs, tasks, progress });
  const stateOf = (id: string) => cluster.leader?.node?.replica.state.jobs.get(id)?.state ?? null;
  const hasEnded = (id: string) => {
    const state = stateOf(id);
    return state !== null && isEnded(state);
  };
  while (world.nowMs - startMs < JOBS_MS_MAX && !(ids.length === jobs && ids.every(hasEnded))) {
    await runResting(cluster, 1_000, rest);
    const seconds = Math.round((world.nowMs - startMs) / 1_000);
    progress(`${ids.filter(hasEnded).length} of ${ids.length} jobs ended after ${seconds} virtual s`);
  }
  crashes.stop();
  const virtualMs = world.nowMs - startMs;
  const finished = ids.filter((id) => stateOf(id) === "finished").length;
  const failed = ids.filter(hasEnded).length - finished;
  return {
    nodes,
    jobs,
    tasks,
    finished,
    failed,
    open: jobs - finished - failed,
    crashes: crashes.count(),
    deployedTasks: crowd.deployedTasks,
    virtualMs,
    leaderCpuMs: leader.takenMs() - idleMs - idleShare * virtualMs,
  };
}

interface Growth {
  readonly nodes: number;
  readonly progress: (text: string) => void;
  readonly rest: () => void;
}

async function growTo(cluster: SimCluster, { nodes, progress, rest }: Growth): Promise<void> {
  await cluster.grow(Math.min(nodes, 5));
  while (cluster.nodes.length < nodes) {
    const count = Math.min(WAVE, nodes - cluster.nodes.length);
    for (let index = 0; index < count; index++) cluster.joinNew(`n${cluster.nodes.length + 1}`);
    const areReady = () => {
      rest();
      return cluster.nodes.every(({ node }) => node?.phase === "ready");
    };
    await cluster.until(areReady, GROW_MS_MAX, "all nodes are ready", LOOK_MS);
    progress(`${cluster.nodes.length} nodes ready`);
  }
}

async function runResting({ world }: SimCluster, forMs: number, rest: () => void): Promise<void> {
  for (let leftMs = forMs; leftMs > 0; leftMs -= SLICE_MS) {
    rest();
    await world.run(Math.min(SLICE_MS, leftMs));
  }
}

/** Files with a batch for each task. */
function writeInput({ shared }: JobCluster, tasks: number): void {
  for (let file = 0; file * FILE_BATCHES < tasks; file++) {
    const batches = Math.min(FILE_BATCHES, tasks - file * FILE_BATCHES);
    const rows = Array.from({ length: ROWS_A_TASK }, (_, row) => ({ id: BigInt(row) }));
    const whole = arrowFile(
      schema([field("id", int64, false)]),
      Array.from({ length: batches }, () => rows),
    );
    shared.write(`/shared/crowd/${file}.arrow`, whole);
  }
}

/** Processor time that the leader's events have taken so far; what it takes to look at it is left out. */
function watchLeader(cluster: SimCluster, cpuMs: () => number): { readonly takenMs: () => number } {
  const lookMs = costOfLooking(cpuMs);
  let takenMs = 0;
  let sinceMs = 0;
  cluster.world.observer = {
    begins: (host) => {
      if (host === cluster.leaderHost) sinceMs = cpuMs();
    },
    ends: (host) => {
      if (host === cluster.leaderHost) takenMs += cpuMs() - sinceMs - lookMs;
    },
  };
  return { takenMs: () => takenMs };
}

/** What two looks at once find between them, on average. */
function costOfLooking(cpuMs: () => number): number {
  let sumMs = 0;
  for (let look = 0; look < LOOKS; look++) {
    const firstMs = cpuMs();
    sumMs += cpuMs() - firstMs;
  }
  return sumMs / LOOKS;
}

/** The ids, which come to be in the list given. */
async function submitAll(
  cluster: SimCluster,
  of: { readonly jobs: number; readonly tasks: number; readonly progress: (text: string) => void },
): Promise<readonly string[]> {
  const client = await openSimClient(cluster, "c0");
  const ids: string[] = [];
  for (let index = 0; index < of.jobs; index++) {
    const name = `job${index}`;
    const flow = dataflow(name, () =>
      Stream.fromArrow("/shared/crowd", { schema: { id: "int64" } }).filter(col("id").ge(0)),
    );
    const limits = { parallelism: of.tasks, restartsMax: 1_000, taskRetriesMax: 1_000 };
    const submitting = client.submit({ name, plan: encodeLogicalPlan(flow.plan), bundle: null, options: limits });
    submitting.then(({ id }) => ids.push(id)).catch((error: unknown) => of.progress(`${name}: ${String(error)}`));
  }
  return ids;
}

/** Each is back after a while. */
function crashNodes(
  { cluster }: JobCluster,
  nodes: number,
): { readonly stop: () => void; readonly count: () => number } {
  const { world } = cluster;
  const random = world.random.fork();
  let count = 0;
  let isStopped = false;
  const next = (): void => {
    world.after(random.exponential(60_000 / (nodes * CRASHES_A_MINUTE)), () => {
      if (isStopped) return;
      const victim = random.pick(cluster.nodes.filter(({ isUp }) => isUp));
      if (victim !== undefined) {
        count++;
        victim.host.die();
        world.after(DOWN_MS, () => victim.restart());
      }
      next();
    });
  };
  next();
  return {
    stop: () => {
      isStopped = true;
    },
    count: () => count,
  };
}
