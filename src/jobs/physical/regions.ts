import type { TaskVertex } from "./model.ts";
import { taskVertices } from "./model.ts";
import type { ExchangeOutline, FragmentOutline, PlanOutline } from "./outline.ts";

/** Tasks of a plan by number, what they read, and which have to run together. */
export interface TaskGraph {
  readonly vertices: readonly TaskVertex[];
  numberOf(task: TaskVertex): number;
  /** Where it stands among the tasks of its fragment: 0 … 1. */
  shareOf(task: TaskVertex): number;
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
  const shareOf = ({ fragment, index }: TaskVertex): number =>
    (index + 0.5) / (plan.fragments[fragment]?.parallelism ?? 1);
  const edges = new Edges(plan);
  const parents = vertices.map((_, i) => i);
  const rootOf = (task: number): number => {
    let root = task;
    while (parents[root] !== root) root = parents[root] as number;
    parents[task] = root;
    return root;
  };
  const join = (one: number, other: number): void => {
    parents[rootOf(one)] = rootOf(other);
  };
  for (const exchange of plan.exchanges) {
    const [from, to] = [
      plan.fragments[exchange.from] as FragmentOutline,
      plan.fragments[exchange.to] as FragmentOutline,
    ];
    const [producer, consumer] = [starts[from.id] as number, starts[to.id] as number];
    edges.add(exchange, { producer, consumer });
    if (exchange.isBlocking) continue;
    if (exchange.kind === "forward") {
      const { offset = 0 } = exchange;
      for (let i = 0; i < from.parallelism; i++) join(producer + i, consumer + i + offset);
      continue;
    }
    for (let i = 0; i < from.parallelism; i++) join(producer + i, consumer);
    for (let i = 0; i < to.parallelism; i++) join(producer, consumer + i);
  }
  const { producers, consumers } = edges.lists(starts);
  const numbers = new Map<number, number>();
  const regionOf = vertices.map((_, i) => {
    const root = rootOf(i);
    if (!numbers.has(root)) numbers.set(root, numbers.size);
    return numbers.get(root) as number;
  });
  const regions = Array.from(numbers, (): number[] => []);
  regionOf.forEach((region, task) => regions[region]?.push(task));
  return { vertices, numberOf, shareOf, producers, consumers, regionOf, regions };
}

/** Who reads of whom. Tasks of a fragment share one list where all of them read the same. */
class Edges {
  readonly #plan: PlanOutline;
  /** By fragment: all of its tasks read all of these, and are read by all of those. */
  readonly #producers: number[][];
  readonly #consumers: number[][];
  /** By task: what only it reads, and who reads only it. */
  readonly #ownProducers = new Map<number, number[]>();
  readonly #ownConsumers = new Map<number, number[]>();

  constructor(plan: PlanOutline) {
    this.#plan = plan;
    this.#producers = plan.fragments.map(() => []);
    this.#consumers = plan.fragments.map(() => []);
  }

  add(exchange: ExchangeOutline, first: { readonly producer: number; readonly consumer: number }): void {
    const { from, to, isBlocking, kind, offset = 0 } = exchange;
    const [writer, reader] = [
      this.#plan.fragments[from] as FragmentOutline,
      this.#plan.fragments[to] as FragmentOutline,
    ];
    if (kind !== "forward") {
      for (let i = 0; i < reader.parallelism; i++) this.#consumers[from]?.push(first.consumer + i);
      if (!isBlocking) return;
      for (let i = 0; i < writer.parallelism; i++) this.#producers[to]?.push(first.producer + i);
      return;
    }
    for (let i = 0; i < writer.parallelism; i++) {
      const [producer, consumer] = [first.producer + i, first.consumer + i + offset];
      append(this.#ownConsumers, producer, consumer);
      if (isBlocking) append(this.#ownProducers, consumer, producer);
    }
  }

  lists(starts: readonly number[]): { producers: (readonly number[])[]; consumers: (readonly number[])[] } {
    const of = (shared: readonly number[][], own: ReadonlyMap<number, number[]>): (readonly number[])[] =>
      this.#plan.fragments.flatMap(({ id, parallelism }) => {
        const all = shared[id] as readonly number[];
        return Array.from({ length: parallelism }, (_, i) => {
          const few = own.get((starts[id] as number) + i);
          return few === undefined ? all : [...all, ...few];
        });
      });
    return { producers: of(this.#producers, this.#ownProducers), consumers: of(this.#consumers, this.#ownConsumers) };
  }
}

function append(lists: Map<number, number[]>, key: number, value: number): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}

/** Tasks of the largest region: so many slots the job needs at once. */
export function slotsAtOnce(plan: PlanOutline): number {
  return taskGraph(plan).regions.reduce((most, { length }) => Math.max(most, length), 0);
}
