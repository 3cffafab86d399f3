import type { TaskGraph } from "../physical/mod.ts";

/** Regions without which the roots cannot be made and which are not done; producers first. */
export function wantedRegions(
  graph: TaskGraph,
  roots: readonly number[],
  isDone: (number: number) => boolean,
): readonly (readonly number[])[] {
  const found = new Set<number>();
  const seen = new Set<readonly number[]>();
  const open = [...roots];
  for (let number = open.pop(); number !== undefined; number = open.pop()) {
    const region = graph.regionOf[number] as number;
    if (isDone(number) || found.has(region)) continue;
    found.add(region);
    for (const member of graph.regions[region] as readonly number[]) {
      const producers = graph.producers[member] as readonly number[];
      // Tasks of a fragment share the list.
      if (seen.has(producers)) continue;
      seen.add(producers);
      for (const producer of producers) open.push(producer);
    }
  }
  return [...found].sort((a, b) => a - b).map((region) => graph.regions[region] as readonly number[]);
}
