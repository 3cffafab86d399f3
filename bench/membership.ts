/** Prints the figures of membership alone: `bun bench/membership.ts`. */
import { cluster, introduced, type Node, type World } from "../test/cluster/membership/world.ts";

const SEED = 7;

function idle(world: World, seconds: number): string {
  world.run(10_000);
  world.messages = 0;
  world.bytes = 0;
  const start = process.cpuUsage();
  world.run(seconds * 1_000);
  const perNode = world.nodes.length * seconds;
  const { user, system } = process.cpuUsage(start);
  const cpuMs = (user + system) / 1_000 / seconds;
  const rates = `${(world.messages / perNode).toFixed(2)} messages, ${(world.bytes / perNode).toFixed(0)} bytes`;
  return `${rates} a node a second; CPU a virtual second ${cpuMs.toFixed(1)} ms (${((cpuMs / world.nodes.length) * 1_000).toFixed(0)} µs a node)`;
}

/** Crashes one node and waits until all others know; gives the times of all. */
function detect(world: World, victim: Node, withHints: boolean): number[] {
  const startMs = world.nowMs;
  const marks = world.nodes.map(({ changes }) => changes.length);
  world.crash(victim);
  const others = world.nodes.filter(({ isUp }) => isUp);
  if (withHints) for (const node of others) world.input(node, (core) => core.disconnected(victim.peer, world.nowMs));
  world.run(25_000);
  return others
    .map((node) => {
      const seen = node.changes.slice(marks[node.index]);
      const found = seen.find(({ member }) => member.peer === victim.peer && member.health === "dead");
      return found === undefined ? Number.POSITIVE_INFINITY : found.atMs - startMs;
    })
    .sort((one, other) => one - other);
}

function spread(times: readonly number[]): string {
  const at = (share: number): string => ((times[Math.floor((times.length - 1) * share)] as number) / 1_000).toFixed(2);
  return `p50 ${at(0.5)} s, max ${at(1)} s`;
}

function joining(world: World): string {
  const node = world.add();
  const first = world.nodes[0] as Node;
  world.input(node, (core) => core.join([first.peer], world.nowMs));
  const pending = new Set(world.nodes.filter(({ isUp }) => isUp));
  const seen: number[] = [];
  const startMs = world.nowMs;
  while (pending.size > 0 && world.nowMs < startMs + 30_000) {
    world.run(20);
    for (const other of pending) {
      if (world.health(other, node) !== "alive") continue;
      seen.push(world.nowMs - startMs);
      pending.delete(other);
    }
  }
  const live = world.nodes.filter(({ isUp }) => isUp).length;
  const fullMs = world.run(30_000, () => node.core.liveCount === live) + world.nowMs - startMs;
  return `seen by all: ${spread(seen)} (missing ${pending.size}); it knows all after ${(fullMs / 1_000).toFixed(2)} s`;
}

for (const count of [5, 10, 100, 1_000]) {
  const options = { seed: SEED, isMeasured: true };
  const startMs = performance.now();
  const world = count > 20 ? introduced(count, options) : cluster(count, options);
  console.log(`${count} nodes (made in ${((performance.now() - startMs) / 1_000).toFixed(1)} s)`);
  console.log(`  idle: ${idle(world, 10)}`);
  console.log(`  crash: ${spread(detect(world, world.nodes[3] as Node, false))}`);
  console.log(`  crash with broken connections: ${spread(detect(world, world.nodes[4] as Node, true))}`);
  console.log(`  join: ${joining(world)}`);
  console.log(`  longest message ${world.longest} bytes; kinds ${JSON.stringify(Object.fromEntries(world.kinds))}`);
  console.log(`  memory ${(process.memoryUsage().rss / 2 ** 20).toFixed(0)} MB`);
}
