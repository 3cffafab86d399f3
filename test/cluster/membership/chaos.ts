import { cluster, type Node, type World } from "./world.ts";

/** Random faults for a while, then peace: what is left wrong a minute later, nothing when all is right. */
export function chaos(seed: number, count: number): string[] {
  const world = cluster(count, { seed, delayMs: [0.2, 30], doubled: 0.05 });
  const pick = (): Node => world.nodes[Math.floor(world.random() * count)] as Node;
  for (let step = 0; step < 40; step++) {
    fault(world, pick(), pick());
    world.run(world.random() * 10_000);
  }
  world.cuts.clear();
  world.loss = 0;
  for (const node of world.nodes) {
    if (node.isStopped) world.resume(node);
    if (!node.isUp) restart(world, node);
  }
  world.run(60_000, () => world.isSettled());
  if (world.isSettled()) return [];
  return world.nodes.map((node) => {
    const held = world.nodes.map((about) => world.health(node, about));
    return `seed ${seed}: n${node.index} holds ${held.join(", ")}`;
  });
}

function fault(world: World, one: Node, other: Node): void {
  const kind = Math.floor(world.random() * 8);
  if (kind === 0) world.crash(one);
  else if (kind === 1) restart(world, one);
  else if (kind === 2) world.cut(one, other);
  else if (kind === 3)
    world.split(
      [one, other],
      world.nodes.filter((node) => node !== one && node !== other),
    );
  else if (kind === 4) world.cuts.clear();
  else if (kind === 5) world.stop(one);
  else if (kind === 6) for (const node of world.nodes) if (node.isStopped) world.resume(node);
  if (kind === 7) world.loss = world.random() < 0.5 ? 0 : world.random() * 0.4;
}

/** With a clock that may have gone back. */
function restart(world: World, node: Node): void {
  node.isStopped = false;
  node.waiting.length = 0;
  const incarnation = Math.floor(1_600_000_000_000 + world.random() * 2e11);
  world.start(node, incarnation);
  const others = world.nodes.filter((other) => other !== node).map(({ peer }) => peer);
  world.input(node, (core) => core.join(others, world.nowMs));
}
