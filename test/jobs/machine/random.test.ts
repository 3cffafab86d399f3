import { expect, test } from "vitest";
import { Random } from "../../differential/random.ts";
import { FLOW_NAMES, planOf } from "./plans.ts";
import { CALM, type Chaos, World } from "./world.ts";

const CASES = Number(process.env["CASES"] ?? 400);
const SEED = Number(process.env["SEED"] ?? Date.now() % 1_000_000_000);
const CHAOS_STEPS = 400;
const CALM_STEPS_MAX = 30_000;

function randomChaos(random: Random): Chaos {
  const chance = (most: number) => (random.chance(0.5) ? 0 : most * ((1 + random.below(10)) / 10));
  return {
    taskFails: chance(0.2),
    agentCrashes: chance(0.02),
    executorCrashes: chance(0.02),
    leaderChanges: chance(0.02),
    verbs: chance(0.01),
    isFinal: chance(0.2),
    delays: chance(0.03),
  };
}

export function runCase(seed: number): World {
  const random = new Random(seed);
  const plan = planOf(random.pick(FLOW_NAMES), { parallelism: random.pick([1, 2, 4]), pipelines: random.chance(0.5) });
  const world = new World(plan, random, { agents: 3, slots: 3, hasSharedDisk: random.chance(0.5) });
  const chaos = randomChaos(random);
  for (let i = 0; i < CHAOS_STEPS; i++) world.step(chaos);
  for (let i = 0; i < CALM_STEPS_MAX && !world.hasEnded; i++) {
    world.step(CALM);
    if (i % 20 === 0) world.rest();
  }
  return world;
}

test(`${CASES} jobs in any order of events end, no task runs twice, output is whole or not there (seed ${SEED})`, {
  timeout: 300_000,
}, () => {
  const ends = new Map<string, number>();
  for (let i = 0; i < CASES; i++) {
    const seed = SEED + i;
    let world: World;
    try {
      world = runCase(seed);
    } catch (error) {
      throw new Error(`CASES=1 SEED=${seed}: ${String(error)}`, { cause: error });
    }
    const open = world.machine.tasks.filter(({ status }) => status !== "finished" && status !== "committed");
    const text = open.map((each) => `${each.task.fragment}.${each.task.index} ${each.status}`).join(", ");
    expect(world.hasEnded, `CASES=1 SEED=${seed}: it is ${world.state} after ${world.history.join(" ")}; ${text}`).toBe(
      true,
    );
    ends.set(world.state, (ends.get(world.state) ?? 0) + 1);
    const files = world.state === "finished" ? world.sinkCount : 0;
    expect(world.standing.length, `CASES=1 SEED=${seed}: ${world.state} after ${world.history.join(" ")}`).toBe(files);
    if (world.state !== "finished") continue;
    for (const [name, versions] of world.rootVersions()) {
      expect(versions.size, `CASES=1 SEED=${seed}: roots hold rows of several runs of task ${name}`).toBe(1);
    }
  }
  if (CASES >= 100) expect((ends.get("finished") ?? 0) / CASES).toBeGreaterThan(0.3);
});
