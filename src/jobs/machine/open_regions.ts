import type { TaskGraph } from "../physical/mod.ts";

export interface OpenRegionsOptions {
  readonly graph: TaskGraph;
  /** Tasks whose rows leave the job. */
  readonly roots: readonly number[];
  /** The task has given all of its rows. */
  readonly isDone: (number: number) => boolean;
}

/** Regions of which no task runs or is done, kept as tasks come and go: what could be deployed is among them. */
export class OpenRegions {
  readonly #options: OpenRegionsOptions;
  readonly #isRoot: Uint8Array;
  /** By region: tasks that do not wait. */
  readonly #busy: Uint32Array;
  /** All before it have such tasks. */
  #first = 0;

  constructor(options: OpenRegionsOptions) {
    const { graph, roots } = options;
    this.#options = options;
    this.#busy = new Uint32Array(graph.regions.length);
    this.#isRoot = new Uint8Array(graph.vertices.length);
    for (const root of roots) this.#isRoot[root] = 1;
  }

  /** The task waits now, or does so no more. */
  changed(number: number, isWaiting: boolean): void {
    const region = this.#options.graph.regionOf[number] as number;
    this.#busy[region] = (this.#busy[region] as number) + (isWaiting ? -1 : 1);
    if (this.#busy[region] === 0 && region < this.#first) this.#first = region;
  }

  /** Producers first; they may change while they are gone through. */
  *[Symbol.iterator](): Generator<readonly number[], void> {
    const { regions } = this.#options.graph;
    while (this.#first < regions.length && this.#busy[this.#first] !== 0) this.#first++;
    for (let region = this.#first; region < regions.length; region++) {
      if (this.#busy[region] === 0) yield regions[region] as readonly number[];
    }
  }

  /** Whether the roots cannot be made without the region: it has one, or gives to one that is needed. */
  isNeeded(region: readonly number[], seen: Set<number> = new Set()): boolean {
    const { graph, isDone } = this.#options;
    const open = region.filter((number) => !isDone(number));
    if (open.some((number) => this.#isRoot[number] === 1)) return true;
    seen.add(graph.regionOf[region[0] as number] as number);
    const read = new Set<readonly number[]>();
    for (const number of open) {
      const readers = graph.consumers[number] as readonly number[];
      // Tasks of a fragment share the list.
      if (read.has(readers)) continue;
      read.add(readers);
      for (const reader of readers) {
        const next = graph.regionOf[reader] as number;
        if (!seen.has(next) && this.isNeeded(graph.regions[next] as readonly number[], seen)) return true;
      }
    }
    return false;
  }
}
