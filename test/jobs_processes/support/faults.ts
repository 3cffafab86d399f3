/** What happens to a job's cluster, and how it is made good again. */
import { closeSync, fsyncSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { Job } from "../../../src/client/mod.ts";
import type { Seeded } from "../../../src/sim/world/seeded.ts";
import { type NodeProcess, pause } from "../../cluster_processes/harness.ts";
import type { Hosts } from "../../cluster_processes/namespaces.ts";
import type { JobsCluster } from "./jobs_cluster.ts";

/** Done to a cluster at a moment of a job. */
export const FAULTS = [
  "kill executor",
  "kill agent",
  "kill JobManager",
  "kill client",
  "stop agent 5 s",
  "stop executor 5 s",
  "cut link 5 s",
  "full work disk",
] as const;
/** There from the beginning of a job to its end. */
export const CONDITIONS = ["full sink disk", "slow disk", "slow network"] as const;
/** What happens at no moment, but all the time. */
export function isCondition(fault: Fault): boolean {
  return CONDITIONS.some((condition) => condition === fault);
}

export type Fault = (typeof FAULTS)[number] | (typeof CONDITIONS)[number];

export interface World {
  readonly cluster: JobsCluster;
  readonly random: Seeded;
  readonly hosts: Hosts | null;
  /** Ends the program that submitted. */
  readonly killClient: () => void;
  /** Executors that are at the moment that is meant. */
  readonly held: readonly number[];
}

/** Share of the faults that hit who is at that moment. */
const AIMED_SHARE = 0.75;

const STOPPED_MS = 5_000;
const DOWN_MS = 1_500;

/** What it was done to, and when it is made good. */
interface Inflicted {
  readonly what: string;
  readonly healed: Promise<void>;
}

/** Does it, and makes it good after its time. */
export async function inflict(fault: Fault, job: Job, world: World): Promise<Inflicted> {
  switch (fault) {
    case "kill executor":
    case "stop executor 5 s":
      return hitExecutor(job, world, fault === "kill executor" ? "SIGKILL" : "SIGSTOP");
    case "kill agent":
      return killNode(world.random.pick(await nodesWithTasks(job, world, await leaderOf(world))));
    case "kill JobManager":
      return killNode(await leaderOf(world));
    case "stop agent 5 s": {
      const node = world.random.pick(await nodesWithTasks(job, world, null));
      node?.signal("SIGSTOP");
      return { what: node?.name ?? "no node", healed: pause(STOPPED_MS).then(() => node?.signal("SIGCONT")) };
    }
    case "kill client":
      world.killClient();
      return { what: "client", healed: Promise.resolve() };
    case "cut link 5 s":
      return cutLink(world);
    case "full work disk":
      return fillDisk(world.random.pick(await nodesWithTasks(job, world, null)));
    case "full sink disk":
    case "slow disk":
    case "slow network":
      return { what: "", healed: Promise.resolve() };
  }
}

function leaderOf({ cluster }: World): Promise<NodeProcess> {
  return cluster.processes.leader();
}

async function hitExecutor(job: Job, world: World, signal: "SIGKILL" | "SIGSTOP"): Promise<Inflicted> {
  const found = await busiestExecutor(job, world);
  if (found === null) return { what: "no executor", healed: Promise.resolve() };
  signalQuietly(found.pid, signal);
  const what = `executor of ${found.node}`;
  if (signal === "SIGKILL") return { what, healed: Promise.resolve() };
  return { what, healed: pause(STOPPED_MS).then(() => signalQuietly(found.pid, "SIGCONT")) };
}

async function killNode(node: NodeProcess | undefined): Promise<Inflicted> {
  if (node === undefined) return { what: "no node", healed: Promise.resolve() };
  await node.kill();
  return { what: node.name, healed: pause(DOWN_MS).then(() => void node.start()) };
}

function cutLink({ hosts, random }: World): Inflicted {
  if (hosts === null) throw new Error("links are cut between hosts only");
  const index = random.below(hosts.hosts.length);
  const other = (index + 1 + random.below(hosts.hosts.length - 1)) % hosts.hosts.length;
  const [a, b] = [hosts.hosts[index], hosts.hosts[other]];
  if (a === undefined || b === undefined) throw new Error("unreachable");
  hosts.cut(a, b);
  hosts.cut(b, a);
  return { what: `n${index + 1} and n${other + 1}`, healed: pause(STOPPED_MS).then(() => hosts.heal()) };
}

/** A node that cannot write its log may end. */
function fillDisk(node: NodeProcess | undefined): Inflicted {
  if (node === undefined) return { what: "no node", healed: Promise.resolve() };
  const filler = join(node.dataDir, "filler");
  fill(filler);
  const healed = pause(STOPPED_MS).then(async () => {
    rmSync(filler, { force: true });
    await pause(DOWN_MS);
    const isEnding = node.isRunning && node.log.some(({ event }) => event === "node ends");
    if (isEnding) await node.ended();
    if (!node.isRunning) node.start();
  });
  return { what: node.name, healed };
}

async function nodesWithTasks(job: Job, world: World, but: NodeProcess | null): Promise<NodeProcess[]> {
  const { cluster, random, held } = world;
  const others = cluster.nodes.filter((node) => node !== but && node.isRunning);
  const aimed = others.filter((node) => cluster.executorsOf(node).some(({ pid }) => held.includes(pid)));
  if (aimed.length > 0 && random.chance(AIMED_SHARE)) return aimed;
  const { tasks } = await job.status();
  const busy = new Set(tasks.filter(({ status }) => status !== "waiting").map(({ node }) => node));
  const found = others.filter(({ name }) => busy.has(name));
  return found.length > 0 ? found : others;
}

async function busiestExecutor(job: Job, world: World): Promise<{ pid: number; node: string } | null> {
  const { cluster, random, held } = world;
  const nodes = await nodesWithTasks(job, world, null);
  const node = random.pick(nodes.filter((each) => cluster.executorsOf(each).length > 0));
  if (node === undefined) return null;
  const found = cluster.executorsOf(node);
  const first = found.find(({ pid }) => held.includes(pid)) ?? found.sort((a, b) => b.ticks - a.ticks)[0];
  return first === undefined ? null : { pid: first.pid, node: node.name };
}

function signalQuietly(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It was ended meanwhile.
  }
}

/** Takes what is left of a small disk. */
function fill(path: string): void {
  const block = new Uint8Array(64 << 10);
  const file = openSync(path, "w");
  try {
    for (let written = 0; written < 1 << 30; written += block.length) writeSync(file, block);
  } catch {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
