/**
 * A crowd: as many real nodes as asked for, in fair weather. Counts what each of them sends when nothing happens, then
 * crashes one and waits until all others know.
 */
import { SimCluster } from "../nodes/sim_cluster.ts";
import type { SimNode } from "../nodes/sim_node.ts";
import type { Settle } from "../world/world.ts";

export interface CrowdOptions {
  readonly seed: number;
  readonly settle: Settle;
  readonly nodes: number;
  /** Told what is going on, with how many nodes are ready. */
  readonly progress?: (what: string, count: number) => void;
}

export interface CrowdResult {
  readonly nodes: number;
  /** Until all were ready, and until each knew all others. */
  readonly readyMs: number;
  readonly acquaintedMs: number;
  /** Posts that a node sends a second: the leader, and the mean and the most of all others. */
  readonly leaderPosts: number;
  readonly meanPosts: number;
  readonly maxPosts: number;
  readonly meanBytes: number;
  /** After a crash, until half of the others and until all of them knew. */
  readonly detectedMsP50: number;
  readonly detectedMsMax: number;
}

const WAVE = 50;
const GROW_MS_MAX = 120_000;
const KNOW_MS_MAX = 120_000;
const SETTLE_MS = 5_000;
const COUNT_MS = 10_000;
const DETECT_MS_MAX = 60_000;
const LOOK_MS = 50;

export async function runCrowd(options: CrowdOptions): Promise<CrowdResult> {
  const { seed, settle, nodes, progress = () => undefined } = options;
  const cluster = new SimCluster({ seed, settle });
  const { world } = cluster;
  await cluster.grow(Math.min(nodes, 5));
  while (cluster.nodes.length < nodes) {
    const count = Math.min(WAVE, nodes - cluster.nodes.length);
    for (let index = 0; index < count; index++) cluster.joinNew(`n${cluster.nodes.length + 1}`);
    await cluster.until(() => areReady(cluster), GROW_MS_MAX, "all nodes are ready", LOOK_MS);
    progress("ready", cluster.nodes.length);
  }
  const readyMs = world.nowMs;
  await cluster.until(() => isAcquainted(cluster), KNOW_MS_MAX, "all know each other", LOOK_MS);
  const acquaintedMs = world.nowMs;
  progress("acquainted", nodes);
  // What the newest members set off ebbs away first.
  await world.run(SETTLE_MS);
  const rates = await countPosts(cluster);
  progress("counted", nodes);
  const times = await crash(cluster);
  return { nodes, readyMs, acquaintedMs, ...rates, ...times };
}

function areReady({ nodes }: SimCluster): boolean {
  return nodes.every(({ node }) => node?.phase === "ready");
}

function isAcquainted({ nodes }: SimCluster): boolean {
  return nodes.every(({ node }) => {
    const members = node?.members() ?? [];
    return members.length >= nodes.length - 1 && members.every(({ health }) => health === "alive");
  });
}

async function countPosts(cluster: SimCluster) {
  const { network, world, leader } = cluster;
  const sent = new Map<string, number>(cluster.nodes.map(({ name }) => [name, 0]));
  let byteCount = 0;
  network.traffic = (what, from, _to, message) => {
    if (what !== "post") return;
    sent.set(from, (sent.get(from) ?? 0) + 1);
    byteCount += message.length;
  };
  await world.run(COUNT_MS);
  network.traffic = () => undefined;
  const seconds = COUNT_MS / 1_000;
  const leaderPosts = (sent.get(leader?.name ?? "") ?? 0) / seconds;
  sent.delete(leader?.name ?? "");
  const others = [...sent.values()].map((count) => count / seconds);
  const total = others.reduce((sum, count) => sum + count, 0);
  return {
    leaderPosts,
    meanPosts: total / others.length,
    maxPosts: Math.max(...others),
    meanBytes: byteCount / seconds / (others.length + 1),
  };
}

async function crash(cluster: SimCluster) {
  const { world, leader } = cluster;
  const victim = world.random.pick(cluster.nodes.filter((node) => node !== leader));
  if (victim === undefined) throw new TypeError("there is nobody but the leader");
  const startMs = world.nowMs;
  victim.host.die();
  const others = new Set<SimNode>(cluster.nodes.filter((node) => node !== victim));
  const times: number[] = [];
  const look = (): boolean => {
    for (const other of others) {
      const seen = other.node?.members().find(({ peer }) => peer === victim.peer);
      if (seen?.health !== "dead") continue;
      others.delete(other);
      times.push(world.nowMs - startMs);
    }
    return others.size === 0;
  };
  await cluster.until(look, DETECT_MS_MAX, "all others know of the crash", LOOK_MS);
  return { detectedMsP50: times[times.length >> 1] ?? 0, detectedMsMax: times.at(-1) ?? 0 };
}
