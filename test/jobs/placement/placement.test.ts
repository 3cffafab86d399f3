import { describe, expect, test } from "vitest";
import {
  type AgentFacts,
  checkFits,
  type JobDemand,
  type PlacementStrategy,
  placeTasks,
  startable,
  type TaskNeeds,
} from "../../../src/jobs/mod.ts";
import { Placement } from "../../../src/jobs/placement/mod.ts";
import type { PeerId } from "../../../src/kernel/mod.ts";
import { Random } from "../../differential/random.ts";

const GIB = 2 ** 30;
const peer = (name: string) => name as PeerId;
const agent = (name: string, freeSlots: readonly number[], more: Partial<AgentFacts> = {}): AgentFacts => {
  return { peer: peer(name), slotCount: 4, freeSlots, slotMemoryBytes: 2 * GIB, load: 0, ...more };
};
const tasks = (count: number, more: Partial<TaskNeeds> = {}): TaskNeeds[] => {
  return Array.from({ length: count }, (_, index) => ({ task: { fragment: 0, index }, memoryBytes: GIB, ...more }));
};
const peersOf = (
  needs: readonly TaskNeeds[],
  agents: readonly AgentFacts[],
  strategy: PlacementStrategy,
  seed = "job",
) => {
  return placeTasks(needs, agents, { strategy, seed }).placed.map((place) => place.peer);
};

const STRATEGIES: readonly PlacementStrategy[] = [
  "roundRobin",
  "hash",
  "range",
  "loadBalanced",
  "locality",
  "coLocated",
];
const SEED = Number(process.env["SEED"] ?? Date.now() % 1_000_000_000);

describe("tasks to slots", () => {
  test("round-robin takes one agent after the other", () => {
    const agents = [agent("a", [0, 1]), agent("b", [0, 1]), agent("c", [2])];
    const peers = peersOf(tasks(5), agents, "roundRobin");
    expect(peers.slice(0, 3).sort()).toEqual(["a", "b", "c"]);
    expect(peers.slice(3).sort()).toEqual(["a", "b"]);
  });

  test("by hash a task comes back to its agent, and only tasks of an agent that left move", () => {
    const free = Array.from({ length: 40 }, (_, i) => i);
    const agents = ["a", "b", "c", "d"].map((name) => agent(name, free, { slotCount: 40 }));
    const before = peersOf(tasks(20), agents, "hash");
    expect(peersOf(tasks(20), [...agents].reverse(), "hash")).toEqual(before);
    const after = peersOf(tasks(20), agents.slice(0, 3), "hash");
    before.forEach((was, i) => expect(was === "d" || after[i] === was).toBe(true));
    expect(new Set(before).size).toBe(4);
  });

  test("by range neighbours are together, as many as the agent's slots are of all, and go on where nothing is free", () => {
    const free = Array.from({ length: 8 }, (_, i) => i);
    const agents = [agent("a", free), agent("b", free, { slotCount: 8 }), agent("c", [])];
    const needs = tasks(8).map((each, i) => ({ ...each, share: (i + 0.5) / 8 }));
    expect(peersOf(needs, agents, "range")).toEqual("aabbbbaa".split(""));
    expect(peersOf(needs, [agents[1], agent("c", free)] as AgentFacts[], "range")).toEqual("bbbbbccc".split(""));
  });

  test("a region that has no place whole takes none", () => {
    const agents = [agent("a", [0, 1]), agent("b", [0], { slotMemoryBytes: GIB / 2 })];
    const placement = new Placement(agents, { strategy: "roundRobin", seed: "job" });
    expect(placement.placeAll(tasks(3))).toBeNull();
    expect(placement.placeAll(tasks(4))).toBeNull();
    const places = placement.placeAll(tasks(2))?.map(({ peer: at, slot }) => `${at}${slot}`);
    expect(places?.sort()).toEqual(["a0", "a1"]);
  });

  test("load-balanced takes the agent with the largest free share and the least load", () => {
    const agents = [agent("a", [3]), agent("b", [0, 1, 2]), agent("c", [0, 1, 2], { load: 0.9 })];
    expect(peersOf(tasks(3), agents, "loadBalanced")).toEqual(["b", "b", "a"]);
  });

  test("locality takes the agent that has most of the input, while it has slots", () => {
    const inputBytes = new Map([
      [peer("a"), 10],
      [peer("b"), 500],
    ]);
    const agents = [agent("a", [0, 1, 2, 3]), agent("b", [0]), agent("c", [0, 1, 2, 3])];
    expect(peersOf(tasks(3, { inputBytes }), agents, "locality")).toEqual(["b", "a", "a"]);
  });

  test("co-located tasks go to the first agent of those they want to be with that has a slot", () => {
    const agents = [agent("a", [0, 1]), agent("b", [0]), agent("c", [])];
    expect(peersOf(tasks(2, { near: [peer("c"), peer("b")] }), agents, "coLocated")).toEqual(["b", "a"]);
  });

  test(`whatever the strategy: no slot twice, none that is taken, none too small, no task left out in need (seed ${SEED})`, () => {
    const random = new Random(SEED);
    for (let i = 0; i < 200; i++) {
      const agents = Array.from({ length: random.below(5) }, (_, n) => {
        const free = [0, 1, 2, 3].filter(() => random.chance(0.5));
        return agent(`p${n}`, free, { slotMemoryBytes: random.pick([GIB, 4 * GIB]), load: random.below(10) / 10 });
      });
      const needs = tasks(random.below(12)).map((each) => ({ ...each, memoryBytes: random.pick([0, GIB, 2 * GIB]) }));
      const { placed, waiting } = placeTasks(needs, agents, { strategy: random.pick(STRATEGIES), seed: `${i}` });
      expect(new Set(placed.map((place) => `${place.peer}/${place.slot}`)).size).toBe(placed.length);
      expect(placed.length + waiting.length).toBe(needs.length);
      for (const place of placed) {
        const at = agents.find((each) => each.peer === place.peer);
        const wanted = needs.find(({ task }) => task === place.task);
        expect(at?.freeSlots).toContain(place.slot);
        expect(at?.slotMemoryBytes).toBeGreaterThanOrEqual(wanted?.memoryBytes ?? 0);
      }
      const left = agents.filter(
        ({ peer: own, freeSlots }) => placed.filter((place) => place.peer === own).length < freeSlots.length,
      );
      for (const { memoryBytes } of waiting)
        for (const { slotMemoryBytes } of left) expect(slotMemoryBytes).toBeLessThan(memoryBytes);
    }
  });
});

describe("the queue", () => {
  const job = (name: string, more: Partial<JobDemand>): JobDemand => {
    return { jobId: name, name, priority: 0, acceptedAtIndex: 1, slotsAtOnce: 1, taskMemoryBytes: GIB, ...more };
  };

  test("goes by priority, then age", () => {
    const jobs = [
      job("young", { acceptedAtIndex: 9 }),
      job("old", { acceptedAtIndex: 2 }),
      job("urgent", { priority: 5, acceptedAtIndex: 20 }),
    ];
    expect(startable(jobs, [agent("a", [0, 1])]).map(({ name }) => name)).toEqual(["urgent", "old"]);
  });

  test("lets nobody overtake a job that waits for many slots", () => {
    const jobs = [job("wide", { slotsAtOnce: 3 }), job("small", { acceptedAtIndex: 2 })];
    expect(startable(jobs, [agent("a", [0, 1])])).toEqual([]);
    expect(startable(jobs, [agent("a", [0, 1]), agent("b", [0, 1])]).map(({ name }) => name)).toEqual([
      "wide",
      "small",
    ]);
  });

  test("a job that can never fit is refused with the arithmetic", () => {
    const agents = [agent("a", []), agent("b", [0], { slotMemoryBytes: 8 * GIB, slotCount: 2 })];
    expect(() => checkFits(job("fits", { slotsAtOnce: 6 }), agents)).not.toThrow();
    expect(() => checkFits(job("wide", { slotsAtOnce: 7 }), agents)).toThrow(
      "Cannot run job wide: it needs 7 × a slot of 1 GiB at once, and of 6 slots (4 × 2 GiB + 2 × 8 GiB) 6 are large enough.",
    );
    expect(() => checkFits(job("big", { slotsAtOnce: 3, taskMemoryBytes: 2.5 * GIB }), agents)).toThrow("2.5 GiB");
    expect(() => checkFits(job("any", {}), [])).toThrow("no agent offers a slot");
  });
});
