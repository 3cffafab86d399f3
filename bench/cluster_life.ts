/** How fast nodes start and are seen, what they cost when idle, and how long a cluster is without a leader. */
import type { ClusterClient } from "../src/client/mod.ts";
import { clusterLeave, clusterStatus, settingGet, settingSet } from "../src/protocol/mod.ts";
import { atMost, type Figure, quantile, rounded, sorted } from "./cluster_figure.ts";
import { leaderOf, type NodeProcess, type Processes, until, usage, withProcesses } from "./cluster_processes.ts";

const STARTS = 11;
const READY_MS_MAX = 150;

/** From the start of the process to the line that says how to join: a new cluster, and the same node again. */
export async function startup(): Promise<Figure[]> {
  const first: number[] = [];
  const again: number[] = [];
  for (let run = 0; run < STARTS; run++) {
    await withProcesses(async (processes) => {
      const node = await processes.start("n1");
      first.push(node.readyMs);
      await node.kill("SIGTERM");
      const restarted = await processes.start("n1");
      again.push(restarted.readyMs);
      await restarted.kill("SIGTERM");
    });
  }
  return [
    atMost("first node: start to ready", "ms", first, READY_MS_MAX),
    atMost("node with a directory: start to ready", "ms", again, READY_MS_MAX),
  ];
}

const IDLE_SETTLE_MS = 15_000;
const IDLE_WARM_MS = 30_000;
const IDLE_MS = 20_000;
const RSS_MB_MAX = 100;
const CORE_PERCENT_MAX = 2;

/** Twice, since in its first minute a node mostly compiles what it runs. */
export function idle(): Promise<Figure[]> {
  return withProcesses(async (processes) => {
    const nodes = await processes.cluster(5);
    await Bun.sleep(IDLE_SETTLE_MS);
    const early = await corePercents(nodes);
    await Bun.sleep(IDLE_WARM_MS);
    const warm = await corePercents(nodes);
    const megabytes = sorted(nodes.map(({ pid }) => usage(pid).rssBytes / 1e6));
    return [
      highest("idle node of five: memory", "MB", megabytes, RSS_MB_MAX),
      highest("idle node of five: a core, in its first minute", "%", early, CORE_PERCENT_MAX),
      highest("idle node of five: a core, after that", "%", warm, CORE_PERCENT_MAX),
    ];
  });
}

/** Share of a core that each node takes, in ascending order. */
async function corePercents(nodes: readonly NodeProcess[]): Promise<number[]> {
  const before = nodes.map(({ pid }) => usage(pid).cpuSeconds);
  const startMs = performance.now();
  await Bun.sleep(IDLE_MS);
  const seconds = (performance.now() - startMs) / 1_000;
  return sorted(nodes.map(({ pid }, at) => (100 * (usage(pid).cpuSeconds - (before[at] ?? 0))) / seconds));
}

/** The worst of all nodes counts. */
function highest(what: string, unit: string, ordered: readonly number[], limit: number): Figure {
  const most = quantile(ordered, 1);
  const reached = `${ordered.map(rounded).join(", ")} ${unit}`;
  return { what, wanted: `≤ ${limit} ${unit}`, reached, holds: most <= limit };
}

const JOINS = 11;
const SEEN_MS_MAX = 1_000;

/** From the start of the joining process until each of the five nodes, itself too, sees it alive. */
export function join(): Promise<Figure[]> {
  return withProcesses(async (processes) => {
    const nodes = await processes.cluster(4);
    const clients = await Promise.all(nodes.map(({ address }) => processes.client([address])));
    const [admin] = clients;
    if (admin === undefined) return [];
    const times: number[] = [];
    for (let run = 0; run < JOINS; run++) {
      const name = `j${run}`;
      const startMs = performance.now();
      const starting = processes.start(name, nodes[0]?.joinArguments);
      const seen = clients.map((client) => until(async () => seesAlive(client, name, 5), 5));
      const joined = await starting;
      const own = await processes.client([joined.address]);
      await Promise.all([...seen, until(async () => seesAlive(own, name, 5), 5)]);
      times.push(performance.now() - startMs);
      await processes.close(own);
      await admin.call(clusterLeave, { peer: joined.peer });
      await joined.kill("SIGTERM");
      await until(async () => (await admin.call(clusterStatus, {})).members.length === nodes.length);
    }
    return [atMost("start of a joining node to seen alive by all five", "ms", times, SEEN_MS_MAX)];
  });
}

async function seesAlive(client: ClusterClient, name: string, count: number): Promise<boolean> {
  const { members } = await client.call(clusterStatus, {});
  const isSeen = members.some((member) => member.name === name && member.health === "alive");
  return isSeen && members.filter(({ health }) => health === "alive").length >= count;
}

const FAILOVER_MS_MAX = { p50: 1_000, p99: 2_000 };
const REST_MS_MAX = 500;

/** From `kill -9` of the leader until one of the other four nodes acknowledges a set that began after it. */
export function failover(kills: number): Promise<Figure[]> {
  return withProcesses(async (processes) => {
    let nodes = await processes.cluster(5);
    const times: number[] = [];
    let last = { value: "", version: 0 };
    for (let kill = 0; kill < kills; kill++) {
      const victim = await leaderOf(processes, nodes);
      const others = nodes.filter(({ peer }) => peer !== victim.peer);
      const client = await processes.client(others.map(({ address }) => address));
      await client.call(clusterStatus, {});
      // Kills must not keep in step with heartbeats.
      await Bun.sleep(Math.random() * REST_MS_MAX);
      const startMs = performance.now();
      void victim.kill("SIGKILL");
      last = await nextSet(client, last, `kill ${kill}`);
      times.push(performance.now() - startMs);
      await processes.close(client);
      const restarted = await processes.start(victim.name);
      nodes = [...others, restarted];
      await processes.settle(nodes);
      await checkSetting(processes, nodes, last);
    }
    const ordered = sorted(times);
    const p50 = quantile(ordered, 0.5);
    const p99 = quantile(ordered, 0.99);
    return [
      {
        what: `kill -9 of the leader to the next committed entry, ${kills} kills`,
        wanted: `p50 ≤ ${FAILOVER_MS_MAX.p50} ms, p99 ≤ ${FAILOVER_MS_MAX.p99} ms`,
        reached: `p50 ${rounded(p50)} ms, p99 ${rounded(p99)} ms`,
        holds: p50 <= FAILOVER_MS_MAX.p50 && p99 <= FAILOVER_MS_MAX.p99,
      },
    ];
  });
}

const KEY = "bench/failover";

/** A set that was applied although its answer got lost shows as a conflict that has its value. */
async function nextSet(client: ClusterClient, last: { version: number }, value: string) {
  const request = { key: KEY, value, expectedVersion: last.version };
  const answer = await client.call(settingSet, request, { timeoutMs: 30_000 });
  if (answer.result === "set") return { value, version: answer.version };
  const { setting } = await client.call(settingGet, { key: KEY, consistency: "leader" });
  if (setting?.value !== value) throw new Error(`${value}: version ${last.version} was lost.`);
  return { value, version: setting.version };
}

async function checkSetting(processes: Processes, nodes: readonly NodeProcess[], last: { value: string }) {
  for (const node of nodes) {
    const client = await processes.client([node.address]);
    await until(async () => {
      const { setting } = await client.call(settingGet, { key: KEY, consistency: "stale" });
      return setting?.value === last.value;
    });
    await processes.close(client);
  }
}
