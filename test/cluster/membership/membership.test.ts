import { expect, test } from "vitest";
import type { PeerId } from "../../../src/kernel/mod.ts";
import { NO_UPDATES } from "../../../src/protocol/mod.ts";
import { chaos } from "./chaos.ts";
import { cluster, introduced, type Node, World } from "./world.ts";

const SEED = Math.floor(Math.random() * 1e6);
console.log(`membership seed ${SEED}`);

function join(world: World, node: Node, through: Node): void {
  world.input(node, (core) => core.join([through.peer], world.nowMs));
}

/** Health of all nodes in the eyes of `node`. */
function held(world: World, node: Node): string[] {
  return world.nodes.map((about) => world.health(node, about));
}

function knownDead(world: World, victim: Node): boolean {
  return world.nodes.every((node) => !node.isUp || node === victim || world.health(node, victim) === "dead");
}

/** Healths that any node came to hold of another since `mark`. */
function heldSince(world: World, marks: readonly number[]): Set<string> {
  const seen = world.nodes.flatMap(({ changes }, index) => changes.slice(marks[index]));
  return new Set(seen.map(({ member }) => member.health));
}

function marksOf(world: World): number[] {
  return world.nodes.map(({ changes }) => changes.length);
}

test("a node alone is healthy and sends nothing", () => {
  const world = new World({ seed: SEED });
  const node = world.add();
  world.run(60_000);
  expect(held(world, node)).toEqual(["alive"]);
  expect(world.messages).toBe(0);
});

test("a node that joins is healthy on all five within a second, also when every third message is lost", () => {
  for (const loss of [0, 0.3]) {
    const world = cluster(4, { seed: SEED, delayMs: [1, 20] });
    world.run(10_000);
    world.loss = loss;
    const node = world.add();
    join(world, node, world.nodes[0] as Node);
    expect(world.run(20_000, () => world.isSettled())).toBeLessThan(loss === 0 ? 1_000 : 5_000);
  }
});

test("joining through several that do not answer works as soon as one does", () => {
  const world = cluster(3, { seed: SEED });
  const [one, two, three] = world.nodes as [Node, Node, Node];
  const node = world.add();
  world.split([node], [one, two, three]);
  world.input(node, (core) => core.join([one.peer, "nobody" as PeerId, two.peer, node.peer], world.nowMs));
  world.run(8_000);
  world.cuts.delete(`${node.index} ${two.index}`);
  world.cuts.delete(`${two.index} ${node.index}`);
  world.run(10_000);
  expect(world.health(node, two)).toBe("alive");
  expect(world.health(three, node)).toBe("alive");
});

test.each([2, 3, 4, 5, 9])("of %i nodes one that crashes is dead to all others within 10 s", (count) => {
  const world = cluster(count, { seed: SEED + count });
  world.run(20_000);
  const victim = world.nodes[count - 1] as Node;
  world.crash(victim);
  expect(world.run(60_000, () => knownDead(world, victim))).toBeLessThan(10_000);
  world.run(60_000);
  expect(knownDead(world, victim)).toBe(true);
  expect(world.nodes[0]?.core.liveCount).toBe(count - 1);
});

test("a broken connection gets a crash known within 3.5 s, and does no harm to a node that lives", () => {
  const world = cluster(5, { seed: SEED });
  world.run(10_000);
  const marks = marksOf(world);
  const victim = world.nodes[2] as Node;
  const hint = (): void => {
    for (const node of world.nodes) world.input(node, (core) => core.disconnected(victim.peer, world.nowMs));
  };
  hint();
  world.run(10_000);
  expect(heldSince(world, marks)).toEqual(new Set());
  world.crash(victim);
  hint();
  expect(world.run(60_000, () => knownDead(world, victim))).toBeLessThan(3_500);
});

test("every crash of the last but one is noticed, down to a node alone", () => {
  const world = cluster(5, { seed: SEED });
  for (const victim of world.nodes.slice(1)) {
    world.run(10_000);
    world.crash(victim);
    expect(world.run(60_000, () => knownDead(world, victim))).toBeLessThan(12_000);
  }
  expect(held(world, world.nodes[0] as Node)).toEqual(["alive", "dead", "dead", "dead", "dead"]);
});

test.each([0, 0.05, 0.3])("with %d of the messages lost nobody that lives is held dead for ten minutes", (loss) => {
  for (let run = 0; run < 2; run++) {
    const world = cluster(5, { seed: SEED + run, delayMs: [0.2, 40], doubled: 0.05 });
    world.run(5_000);
    world.loss = loss;
    const marks = marksOf(world);
    world.run(600_000);
    expect(heldSince(world, marks), `seed ${world.options.seed}`).not.toContain("dead");
    if (loss <= 0.05) expect(heldSince(world, marks)).toEqual(new Set());
  }
});

test("slow and uneven connections are no reason for suspicion", () => {
  const world = cluster(5, { seed: SEED, delayMs: [150, 450] });
  world.run(5_000);
  const marks = marksOf(world);
  world.run(300_000);
  expect(heldSince(world, marks)).toEqual(new Set());
});

test("a crash is noticed while every third message is lost", () => {
  const world = cluster(5, { seed: SEED });
  world.run(20_000);
  world.loss = 0.3;
  world.run(20_000);
  world.crash(world.nodes[4] as Node);
  expect(world.run(120_000, () => knownDead(world, world.nodes[4] as Node))).toBeLessThan(25_000);
});

test("a node that was stopped for half a minute is dead to others, holds nobody else dead, and comes back", () => {
  const world = cluster(5, { seed: SEED });
  world.run(10_000);
  const node = world.nodes[1] as Node;
  world.stop(node);
  world.run(30_000);
  expect(knownDead(world, node)).toBe(true);
  const marks = marksOf(world);
  world.resume(node);
  expect(world.run(20_000, () => world.isSettled())).toBeLessThan(6_000);
  const held = node.changes.slice(marks[node.index]).filter(({ member }) => member.peer !== node.peer);
  expect(held).toEqual([]);
});

test("when all nodes are stopped at once, as on a laptop that sleeps, nobody is dead afterwards", () => {
  const world = cluster(5, { seed: SEED });
  world.run(10_000);
  const marks = marksOf(world);
  for (const node of world.nodes) world.stop(node);
  world.run(3_600_000);
  for (const node of world.nodes) world.resume(node);
  world.run(60_000);
  expect(heldSince(world, marks)).toEqual(new Set());
});

test("a restart is a new incarnation at once, before the crash was noticed and after, and when the clock went back", () => {
  const world = cluster(5, { seed: SEED });
  for (const [pauseMs, incarnation] of [[0], [500], [20_000], [500, 1_000], [20_000, 1_000]] as const) {
    world.run(10_000);
    const node = world.nodes[3] as Node;
    const before = node.core.member(node.peer)?.record.incarnation ?? 0;
    world.crash(node);
    world.run(pauseMs);
    world.start(node, incarnation);
    join(world, node, world.nodes[0] as Node);
    const isKnown = (): boolean =>
      world.nodes.every(({ core }) => (core.member(node.peer)?.record.incarnation ?? 0) > before) && world.isSettled();
    expect(world.run(20_000, isKnown)).toBeLessThan(2_500);
  }
});

test("one of five cut off holds the others suspect, is dead to them, and all is well soon after healing", () => {
  const world = cluster(5, { seed: SEED });
  world.run(10_000);
  const [one, ...others] = world.nodes as [Node, ...Node[]];
  world.split([one], others);
  world.run(60_000);
  expect(held(world, one)).toEqual(["alive", "suspect", "suspect", "suspect", "suspect"]);
  for (const other of others) expect(held(world, other)).toEqual(["dead", "alive", "alive", "alive", "alive"]);
  world.cuts.clear();
  expect(world.run(60_000, () => world.isSettled())).toBeLessThan(20_000);
});

test("of two and three cut apart, the three declare the two dead and the two declare nobody", () => {
  const world = cluster(5, { seed: SEED });
  world.run(10_000);
  world.split(world.nodes.slice(0, 2), world.nodes.slice(2));
  world.run(60_000);
  for (const node of world.nodes.slice(0, 2)) {
    expect(held(world, node)).toEqual(["alive", "alive", "suspect", "suspect", "suspect"]);
  }
  for (const node of world.nodes.slice(2))
    expect(held(world, node)).toEqual(["dead", "dead", "alive", "alive", "alive"]);
  world.cuts.clear();
  expect(world.run(60_000, () => world.isSettled())).toBeLessThan(30_000);
});

test("two halves that held each other dead for ten minutes find each other again", () => {
  const world = cluster(8, { seed: SEED });
  world.run(10_000);
  world.split(world.nodes.slice(0, 4), world.nodes.slice(4));
  world.run(600_000);
  expect(world.nodes.map(({ core }) => core.liveCount)).toEqual([4, 4, 4, 4, 4, 4, 4, 4]);
  world.cuts.clear();
  expect(world.run(60_000, () => world.isSettled())).toBeLessThan(30_000);
});

test("a node that one other cannot hear is dead to nobody", () => {
  const world = cluster(5, { seed: SEED });
  world.run(10_000);
  const marks = marksOf(world);
  world.cut(world.nodes[0] as Node, world.nodes[1] as Node);
  world.run(300_000);
  expect(heldSince(world, marks)).not.toContain("dead");
  world.cuts.clear();
  world.run(30_000);
  expect(world.isSettled()).toBe(true);
});

test("a node that hears nobody stays alive to all; one that nobody hears is dead, and back once it is heard", () => {
  const world = cluster(5, { seed: SEED });
  world.run(10_000);
  const [one, ...others] = world.nodes as [Node, ...Node[]];
  for (const other of others) world.cut(other, one);
  world.run(60_000);
  for (const other of others) expect(world.health(other, one)).toBe("alive");
  expect(held(world, one)).not.toContain("dead");
  world.cuts.clear();
  world.run(30_000);
  for (const other of others) world.cut(one, other);
  world.run(60_000);
  for (const other of others) expect(world.health(other, one)).toBe("dead");
  world.cuts.clear();
  expect(world.run(60_000, () => world.isSettled())).toBeLessThan(20_000);
});

test("a node that leaves is leaving, then left, and never suspected", () => {
  const world = cluster(5, { seed: SEED });
  world.run(10_000);
  const marks = marksOf(world);
  const node = world.nodes[2] as Node;
  world.input(node, (core) => core.leave(world.nowMs));
  world.run(2_000);
  for (const other of world.nodes) expect(world.health(other, node)).toBe("leaving");
  world.input(node, (core) => core.left(world.nowMs));
  world.crash(node);
  for (const other of world.nodes) world.input(other, (core) => core.disconnected(node.peer, world.nowMs));
  world.run(30_000);
  for (const other of world.nodes) expect(world.health(other, node)).toBe("left");
  expect(heldSince(world, marks)).toEqual(new Set(["leaving", "left"]));
  world.start(node);
  join(world, node, world.nodes[0] as Node);
  expect(world.run(20_000, () => world.isSettled())).toBeLessThan(2_000);
});

test("a changed fact is known to all within a second, and load to those who watch", () => {
  const world = cluster(5, { seed: SEED });
  world.run(10_000);
  const node = world.nodes[2] as Node;
  world.input(node, (core) => core.update({ facts: { slots: 16 }, load: 0.75 }, world.nowMs));
  world.run(1_000);
  for (const { core } of world.nodes) {
    expect(core.member(node.peer)?.record.slots).toBe(16);
    expect(core.member(node.peer)?.load).toBe(0.75);
  }
});

test("who is not admitted is not listed, is at once when it becomes so, and is gone when its admission ends", () => {
  const world = cluster(4, { seed: SEED });
  world.admitted = new Set(world.nodes.map(({ peer }) => peer));
  const node = world.add();
  join(world, node, world.nodes[0] as Node);
  world.run(5_000);
  expect(world.nodes.slice(0, 4).map((other) => world.health(other, node))).toEqual(Array(4).fill("unknown"));
  world.admitted.add(node.peer);
  expect(world.run(10_000, () => world.isSettled())).toBeLessThan(1_500);
  world.admitted.delete(node.peer);
  world.run(2_000);
  expect(world.nodes.slice(0, 4).map((other) => world.health(other, node))).toEqual(Array(4).fill("unknown"));
});

test("a node that has just joined and loses its only acquaintance does not judge it alone", () => {
  const world = new World({ seed: SEED });
  world.admitted = new Set();
  const nodes = [world.add(), world.add(), world.add()];
  for (const { peer } of nodes) world.admitted.add(peer);
  const [one, two] = nodes as [Node, Node];
  join(world, one, two);
  world.run(200, () => world.health(one, two) === "alive");
  world.crash(two);
  world.run(60_000);
  expect(world.health(one, two)).toBe("suspect");
  expect(one.core.member(two.peer)?.healthSinceMs).toBeGreaterThan(1_000);
  world.admitted.delete((nodes[2] as Node).peer);
  expect(world.run(60_000, () => world.health(one, two) === "dead")).toBeLessThan(15_000);
});

test("a dead member is remembered while it is admitted, and ten minutes longer", () => {
  const world = cluster(5, { seed: SEED });
  world.admitted = new Set(world.nodes.map(({ peer }) => peer));
  const [one, two] = world.nodes as [Node, Node];
  world.crash(two);
  world.run(1_200_000);
  expect(world.health(one, two)).toBe("dead");
  world.crash(world.nodes[4] as Node);
  world.run(30_000);
  world.admitted.delete((world.nodes[4] as Node).peer);
  world.run(500_000);
  expect(world.health(one, world.nodes[4] as Node)).toBe("dead");
  world.run(120_000);
  expect(world.health(one, world.nodes[4] as Node)).toBe("unknown");
});

test("a record with a wrong signature is refused with the name of who sent it", () => {
  const world = cluster(3, { seed: SEED });
  world.run(5_000);
  const [one, two, three] = world.nodes as [Node, Node, Node];
  const record = two.core.member(two.peer)?.record;
  if (record === undefined) throw new Error("no record");
  const forged = world.sign(three.pair, { ...record, name: "forged", incarnation: record.incarnation + 1 });
  const updates = { records: [forged], verdicts: [] };
  one.core.receive(three.peer, { kind: "news", updates }, world.nowMs);
  expect(one.core.take()).toContainEqual({ kind: "refused", from: three.peer, peer: two.peer });
  one.core.receive(
    three.peer,
    { kind: "news", updates: { ...updates, records: [{ ...forged, record }] } },
    world.nowMs,
  );
  two.core.receive(three.peer, { kind: "news", updates }, world.nowMs);
  expect(one.core.member(two.peer)?.record.name).toBe("n1");
  expect(two.core.member(two.peer)?.record).toEqual(record);
});

test("verdicts from nowhere are refuted by who is alive, on all nodes", () => {
  const world = cluster(5, { seed: SEED });
  world.run(5_000);
  const [one, two, three] = world.nodes as [Node, Node, Node];
  const incarnation = one.core.member(two.peer)?.record.incarnation ?? 0;
  const verdict = { peer: two.peer, incarnation, state: "dead", by: three.peer, confirmedBy: [] } as const;
  world.input(one, (core) => {
    core.receive(three.peer, { kind: "news", updates: { records: [], verdicts: [verdict] } }, world.nowMs);
  });
  expect(world.health(one, two)).toBe("dead");
  expect(world.run(10_000, () => world.isSettled())).toBeLessThan(1_500);
});

test("messages from strangers about strangers change nothing and are answered by nothing long", () => {
  const world = cluster(3, { seed: SEED });
  world.run(5_000);
  world.admitted = new Set(world.nodes.map(({ peer }) => peer));
  const { core } = world.nodes[0] as Node;
  core.take();
  const stranger = "stranger" as PeerId;
  const beat = { kind: "heartbeat", sequence: 1, incarnation: 1, load: 0, updates: NO_UPDATES } as const;
  core.receive(stranger, beat, world.nowMs);
  core.receive(stranger, { kind: "probe-request", probe: 1, target: stranger, incarnation: 1 }, world.nowMs);
  core.receive(
    stranger,
    { kind: "probe-result", probe: 1, target: stranger, isReachable: false, incarnation: 1 },
    world.nowMs,
  );
  core.receive(stranger, { kind: "digest-reply", updates: NO_UPDATES, wanted: [stranger] }, world.nowMs);
  expect(core.take()).toEqual([]);
  expect(core.members()).toHaveLength(3);
});

test("after random crashes, restarts, cuts, stops and losses all members agree once there is peace", () => {
  for (const count of [2, 3, 5, 9]) {
    for (let run = 0; run < 6; run++) expect(chaos(SEED + run * 100 + count, count)).toEqual([]);
  }
});

test("the same seed gives the same run", () => {
  const trace = (): string => {
    const world = cluster(5, { seed: SEED, delayMs: [1, 30], isMeasured: true });
    world.loss = 0.3;
    world.run(30_000);
    world.crash(world.nodes[1] as Node);
    world.run(30_000);
    return `${world.messages} ${world.bytes} ${world.random()}`;
  };
  expect(trace()).toBe(trace());
});

test("1,000 nodes: a crash is known to all within 15 s, a join within 2 s, and messages a node are those of 100", () => {
  const rates = [100, 1_000].map((count) => {
    const world = introduced(count, { seed: SEED });
    world.run(3_000);
    world.messages = 0;
    world.run(2_000);
    const rate = world.messages / count / 2;
    if (count === 1_000) {
      world.crash(world.nodes[500] as Node);
      world.run(8_500);
      expect(knownDead(world, world.nodes[500] as Node)).toBe(true);
      const node = world.add();
      join(world, node, world.nodes[0] as Node);
      world.run(1_500);
      expect(new Set(world.nodes.filter(({ isUp }) => isUp).map(({ core }) => core.liveCount))).toEqual(
        new Set([count]),
      );
    }
    return rate;
  });
  expect(rates[0]).toBeLessThan(9);
  expect(rates[1]).toBeLessThan((rates[0] as number) * 1.1);
});

test("half of 100 nodes cut off and found again: all agree, and no message is longer than 17 KB", () => {
  const world = introduced(100, { seed: SEED, isMeasured: true });
  world.run(5_000);
  world.split(world.nodes.slice(0, 50), world.nodes.slice(50));
  world.run(40_000);
  expect(new Set(world.nodes.map(({ core }) => core.liveCount))).toEqual(new Set([50]));
  world.cuts.clear();
  world.run(30_000);
  expect(world.isSettled()).toBe(true);
  expect(world.longest).toBeLessThan(17_000);
});
