import type { TaskVertex } from "./model.ts";
import { taskVertices } from "./model.ts";
import type { ExchangeOutline, FragmentOutline, PlanOutline } from "./outline.ts";

/** Tasks of a plan by number, what they read, and which have to run together. */
export interface TaskGraph {
  readonly vertices: readonly TaskVertex[];
  numberOf(task: TaskVertex): number;
  /** By task: those whose blocking outputs it reads. */
  readonly producers: readonly (readonly number[])[];
  /** By task: those that read of it, in any way. */
  readonly consumers: readonly (readonly number[])[];
  /** By task: its region's number. Tasks between which rows flow at once are of one region. */
  readonly regionOf: readonly number[];
  readonly regions: readonly (readonly number[])[];
}

export function taskGraph(plan: PlanOutline): TaskGraph {
  const vertices = taskVertices(plan);
  const starts: number[] = [];
  let next = 0;
  for (const { parallelism } of plan.fragments) {
    starts.push(next);
    next += parallelism;
  }
  const numberOf = ({ fragment, index }: TaskVertex): number => (starts[fragment] as number) + index;
  const producers = vertices.map((): number[] => []);
  const consumers = vertices.map((): number[] => []);
  const parents = vertices.map((_, i) => i);
  const rootOf = (task: number): number => {
    let root = task;
    while (parents[root] !== root) root = parents[root] as number;
    parents[task] = root;
    return root;
  };
  for (const exchange of plan.exchanges) {
    for (const [from, to] of pairsOf(plan, exchange)) {
      const [producer, consumer] = [numberOf(from), numberOf(to)];
      consumers[producer]?.push(consumer);
      if (exchange.isBlocking) producers[consumer]?.push(producer);
      else parents[rootOf(producer)] = rootOf(consumer);
    }
  }
  const numbers = new Map<number, number>();
  const regionOf = vertices.map((_, i) => {
    const root = rootOf(i);
    if (!numbers.has(root)) numbers.set(root, numbers.size);
    return numbers.get(root) as number;
  });
  const regions = Array.from(numbers, (): number[] => []);
  regionOf.forEach((region, task) => regions[region]?.push(task));
  return { vertices, numberOf, producers, consumers, regionOf, regions };
}

/** Tasks between which the exchange carries rows. */
function* pairsOf(plan: PlanOutline, exchange: ExchangeOutline): Generator<readonly [TaskVertex, TaskVertex]> {
  const [from, to] = [plan.fragments[exchange.from] as FragmentOutline, plan.fragments[exchange.to] as FragmentOutline];
  for (let i = 0; i < from.parallelism; i++) {
    const producer: TaskVertex = { fragment: from.id, index: i };
    if (exchange.kind === "forward") {
      yield [producer, { fragment: to.id, index: i + (exchange.offset ?? 0) }];
      continue;
    }
    for (let k = 0; k < to.parallelism; k++) yield [producer, { fragment: to.id, index: k }];
  }
}

/** Tasks of the largest region: so many slots the job needs at once. */
export function slotsAtOnce(plan: PlanOutline): number {
  return taskGraph(plan).regions.reduce((most, { length }) => Math.max(most, length), 0);
}
