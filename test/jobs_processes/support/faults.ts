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
export type Fault = (typeof FAULTS)[number] | (typeof CONDITIONS)[number];

export interface World {
  readonly cluster: JobsCluster;
  readonly random: Seeded;
  readonly hosts: Hosts | null;
  /** Ends the program that submitted. */
  readonly killClient: () => void;
}

const STOPPED_MS = 5_000;
const DOWN_MS = 1_500;

/** Does it, and makes it good after its time; gives what it was done to. */
export async function inflict(fault: Fault, job: Job, world: World): Promise<{ what: string; healed: Promise<void> }> {
  const { cluster, random, hosts } = world;
  switch (fault) {
    case "kill executor": {
      const found = await busiestExecutor(job, world);
      if (found !== null) process.kill(found.pid, "SIGKILL");
      return { what: found === null ? "no executor" : `executor of ${found.node}`, healed: Promise.resolve() };
    }
    case "stop executor 5 s": {
      const found = await busiestExecutor(job, world);
      if (found !== null) process.kill(found.pid, "SIGSTOP");
      const healed = pause(STOPPED_MS).then(() => {
        if (found !== null) signalQuietly(found.pid, "SIGCONT");
      });
      return { what: found === null ? "no executor" : `executor of ${found.node}`, healed };
    }
    case "kill agent":
    case "kill JobManager": {
      const leader = await cluster.processes.leader();
      const node = fault === "kill agent" ? random.pick(await nodesWithTasks(job, cluster, leader)) : leader;
      if (node === undefined) return { what: "no node", healed: Promise.resolve() };
      await node.kill();
      return { what: node.name, healed: pause(DOWN_MS).then(() => void node.start()) };
    }
    case "stop agent 5 s": {
      const node = random.pick(await nodesWithTasks(job, cluster, null));
      node?.signal("SIGSTOP");
      return { what: node?.name ?? "no node", healed: pause(STOPPED_MS).then(() => node?.signal("SIGCONT")) };
    }
    case "kill client":
      world.killClient();
      return { what: "client", healed: Promise.resolve() };
    case "cut link 5 s": {
      if (hosts === null) throw new Error("links are cut between hosts only");
      const index = random.below(hosts.hosts.length);
      const other = (index + 1 + random.below(hosts.hosts.length - 1)) % hosts.hosts.length;
      const [a, b] = [hosts.hosts[index], hosts.hosts[other]];
      if (a === undefined || b === undefined) throw new Error("unreachable");
      hosts.cut(a, b);
      hosts.cut(b, a);
      return { what: `n${index + 1} and n${other + 1}`, healed: pause(STOPPED_MS).then(() => hosts.heal()) };
    }
    case "full work disk": {
      const node = random.pick(await nodesWithTasks(job, cluster, null));
      if (node === undefined) return { what: "no node", healed: Promise.resolve() };
      const filler = join(node.dataDir, "filler");
      fill(filler);
      const healed = pause(STOPPED_MS).then(() => {
        rmSync(filler, { force: true });
        if (!node.isRunning) node.start();
      });
      return { what: node.name, healed };
    }
    case "full sink disk":
    case "slow disk":
    case "slow network":
      return { what: "", healed: Promise.resolve() };
  }
}

async function nodesWithTasks(job: Job, cluster: JobsCluster, but: NodeProcess | null): Promise<NodeProcess[]> {
  const { tasks } = await job.status();
  const busy = new Set(tasks.filter(({ status }) => status !== "waiting").map(({ node }) => node));
  const others = cluster.nodes.filter((node) => node !== but && node.isRunning);
  const found = others.filter(({ name }) => busy.has(name));
  return found.length > 0 ? found : others;
}

async function busiestExecutor(job: Job, { cluster, random }: World): Promise<{ pid: number; node: string } | null> {
  const nodes = await nodesWithTasks(job, cluster, null);
  const node = random.pick(nodes.filter((each) => cluster.executorsOf(each).length > 0));
  if (node === undefined) return null;
  const [first] = cluster.executorsOf(node).sort((a, b) => b.ticks - a.ticks);
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
