/**
 * Settings set by 64 callers at once through a client, in a cluster of three nodes on one machine.
 *
 * Every caller has a key of its own and sets it only if its version is the one that was acknowledged last: had an
 * acknowledged set been lost, the next one would be refused. At the end all three nodes must hold what was set last.
 */
import { settingGet, settingSet } from "../src/protocol/mod.ts";
import { type Figure, quantile, rounded, sorted } from "./cluster_figure.ts";
import { type NodeProcess, type Processes, until, usage, withProcesses } from "./cluster_processes.ts";

const CALLERS = 64;
const VALUE_CHARS = 200;
const WARMUP_MS = 10_000;
const PER_SECOND_MIN = 5_000;
const P99_MS_MAX = 20;

interface Caller {
  readonly key: string;
  version: number;
  value: string;
  count: number;
}

export function proposals(seconds: number): Promise<Figure[]> {
  return withProcesses(async (processes) => {
    const nodes = await processes.cluster(3);
    const [first] = nodes;
    if (first === undefined) return [];
    const callers = Array.from({ length: CALLERS }, (_, n) => ({ key: `bench/${n}`, version: 0, value: "", count: 0 }));
    const client = await processes.client([first.address]);
    const times: number[] = [];
    let isMeasured = false;
    let isOver = false;
    const set = async (caller: Caller): Promise<void> => {
      while (!isOver) {
        const value = `${caller.count++} `.padEnd(VALUE_CHARS, caller.key);
        const startMs = performance.now();
        const answer = await client.call(settingSet, { key: caller.key, value, expectedVersion: caller.version });
        if (answer.result !== "set") throw new Error(`${caller.key}: version ${caller.version} was lost.`);
        if (isMeasured) times.push(performance.now() - startMs);
        caller.version = answer.version;
        caller.value = value;
      }
    };
    const all = Promise.all(callers.map(set));
    await Promise.race([all, Bun.sleep(WARMUP_MS)]);
    const before = nodes.map(({ pid }) => usage(pid).cpuSeconds);
    const ownBefore = process.cpuUsage();
    const startMs = performance.now();
    isMeasured = true;
    await Promise.race([all, Bun.sleep(seconds * 1_000)]);
    isMeasured = false;
    const elapsedMs = performance.now() - startMs;
    const count = times.length;
    const own = process.cpuUsage(ownBefore);
    const micros = [
      ...nodes.map(({ pid }, at) => ((usage(pid).cpuSeconds - (before[at] ?? 0)) * 1e6) / count),
      (own.user + own.system) / count,
    ];
    isOver = true;
    await all;
    await check(processes, nodes, callers);
    const perSecond = (count * 1_000) / elapsedMs;
    const ordered = sorted(times);
    const p99 = quantile(ordered, 0.99);
    const cost = micros.map((each) => each.toFixed(0)).join(" + ");
    return [
      {
        what: `sets a second, 3 nodes, ${CALLERS} callers, ${VALUE_CHARS} bytes`,
        wanted: `≥ ${PER_SECOND_MIN}`,
        reached: rounded(perSecond),
        holds: perSecond >= PER_SECOND_MIN,
      },
      {
        what: "… and the time of one",
        wanted: `p99 ≤ ${P99_MS_MAX} ms`,
        reached: `p50 ${rounded(quantile(ordered, 0.5))} ms, p99 ${rounded(p99)} ms`,
        holds: p99 <= P99_MS_MAX,
      },
      { what: "… µs of processor time: leader, followers, client", wanted: "", reached: cost, holds: null },
    ];
  });
}

async function check(processes: Processes, nodes: readonly NodeProcess[], callers: readonly Caller[]): Promise<void> {
  for (const node of nodes) {
    const client = await processes.client([node.address]);
    for (const { key, version, value } of callers) {
      await until(async () => {
        const { setting } = await client.call(settingGet, { key, consistency: "stale" });
        return setting?.version === version && setting.value === value;
      });
    }
    await processes.close(client);
  }
}
