/** The simulator's speed: `bun bench/sim.ts`. Judged by processor time, so that what else runs matters little. */
import { settle } from "../scripts/sim_settle.ts";
import { runScenario, SimCluster } from "../src/sim/mod.ts";

const NODES = 5;
const WARM_UP_MS = 60_000;
const IDLE_MS = 600_000;
const SCENARIOS = 20;

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

async function idle(): Promise<string> {
  const cluster = new SimCluster({ seed: 1, settle });
  await cluster.grow(NODES);
  await cluster.world.run(WARM_UP_MS);
  const [startS, events] = [cpuSeconds(), cluster.world.eventCount];
  await cluster.world.run(IDLE_MS);
  const seconds = cpuSeconds() - startS;
  const perSecond = (cluster.world.eventCount - events) / (IDLE_MS / 1_000);
  return `${(IDLE_MS / 1_000 / seconds).toFixed(0)} virtual s a CPU s, ${perSecond.toFixed(0)} events a virtual s`;
}

async function scenarios(): Promise<string> {
  let [virtualMs, calls] = [0, 0];
  const startS = cpuSeconds();
  for (let seed = 1; seed <= SCENARIOS; seed++) {
    const { stats, violations } = await runScenario({ seed, settle, minutes: 1 });
    if (violations.length > 0) throw new Error(`seed ${seed}: ${violations[0]?.text}`);
    virtualMs += stats.virtualMs;
    calls += stats.calls;
  }
  const seconds = cpuSeconds() - startS;
  const rate = (calls / virtualMs) * 1_000;
  return `${(virtualMs / 1_000 / seconds).toFixed(0)} virtual s a CPU s, ${rate.toFixed(1)} requests a virtual s, all checks`;
}

console.log(`${NODES} nodes at rest: ${await idle()}`);
console.log(`${NODES} nodes, faults and clients: ${await scenarios()}`);
