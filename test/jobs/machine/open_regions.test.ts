import { expect, it } from "vitest";
import { OpenRegions } from "../../../src/jobs/machine/open_regions.ts";
import { taskGraph } from "../../../src/jobs/mod.ts";
import { Random } from "../../differential/random.ts";
import { FLOW_NAMES, planOf } from "./plans.ts";

it("regions that can be deployed are those of waiting tasks, and are needed as long as a root can only be made with them", () => {
  const random = new Random(7);
  for (const name of FLOW_NAMES) {
    const plan = planOf(name, { parallelism: 4, pipelines: random.chance(0.5) });
    const graph = taskGraph(plan);
    const roots = graph.vertices.flatMap(({ fragment }, number) =>
      plan.fragments[fragment]?.output.kind === "exchanges" ? [] : [number],
    );
    const states = graph.vertices.map(() => "waiting");
    const isDone = (number: number) => states[number] === "done";
    const open = new OpenRegions({ graph, roots, isDone });
    for (let step = 0; step < 300; step++) {
      const number = random.below(states.length);
      const state = random.pick(["waiting", "running", "done", "done"]);
      const wasWaiting = states[number] === "waiting";
      states[number] = state;
      if (wasWaiting !== (state === "waiting")) open.changed(number, state === "waiting");
      const waiting = graph.regions.filter((region) => region.every((member) => states[member] === "waiting"));
      expect([...open]).toEqual(waiting);
      const needed = neededRegions(graph, roots, isDone);
      for (const region of graph.regions) {
        expect(open.isNeeded(region)).toBe(needed.has(region));
      }
    }
  }
});

/** From the roots backwards. */
function neededRegions(
  graph: ReturnType<typeof taskGraph>,
  roots: readonly number[],
  isDone: (number: number) => boolean,
): ReadonlySet<readonly number[]> {
  const found = new Set<readonly number[]>();
  const visit = (number: number): void => {
    const region = graph.regions[graph.regionOf[number] as number] as readonly number[];
    if (isDone(number) || found.has(region)) return;
    found.add(region);
    for (const member of region) (graph.producers[member] as readonly number[]).forEach(visit);
  };
  roots.forEach(visit);
  return found;
}
