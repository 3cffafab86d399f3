import type { Host } from "./host.ts";

export interface Event {
  atMs: number;
  /** Order among events of one moment. */
  sequence: number;
  /** Null once cancelled. */
  run: (() => void) | null;
  /** Where it happens; null for the world itself. */
  readonly host: Host | null;
  /** The life of the host that it belongs to: dropped when the host has died since. */
  readonly life: number;
}

/** Binary heap of events by time, then by the order of their making. */
export class EventQueue {
  readonly #heap: Event[] = [];

  get size(): number {
    return this.#heap.length;
  }

  push(event: Event): void {
    const heap = this.#heap;
    let index = heap.length;
    heap.push(event);
    while (index > 0) {
      const above = (index - 1) >> 1;
      const parent = heap[above] as Event;
      if (!isBefore(event, parent)) break;
      heap[index] = parent;
      index = above;
    }
    heap[index] = event;
  }

  peek(): Event | undefined {
    return this.#heap[0];
  }

  pop(): Event | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    sink(heap, last);
    return first;
  }
}

function sink(heap: Event[], event: Event): void {
  let index = 0;
  for (;;) {
    let child = 2 * index + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && isBefore(heap[child + 1] as Event, heap[child] as Event)) child++;
    const candidate = heap[child] as Event;
    if (!isBefore(candidate, event)) break;
    heap[index] = candidate;
    index = child;
  }
  heap[index] = event;
}

function isBefore(a: Event, b: Event): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.sequence < b.sequence);
}
