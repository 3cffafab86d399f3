import type { PeerId } from "../../kernel/mod.ts";

export interface Place {
  readonly peer: PeerId;
  readonly hash: number;
}

/**
 * Members in the order of their hashes, closed to a ring. A node's watchers are its next successors, so that every
 * member is watched by as many, whatever the size, and all that know the same members agree on who watches whom.
 */
export class Ring<Item extends Place> {
  readonly #items: Item[] = [];
  /** Rises with each change. */
  version = 0;

  get size(): number {
    return this.#items.length;
  }

  at(index: number): Item {
    return this.#items[index] as Item;
  }

  add(item: Item): void {
    const index = this.#indexOf(item);
    if (this.#items[index]?.peer === item.peer) return;
    this.#items.splice(index, 0, item);
    this.version++;
  }

  remove(item: Item): void {
    const index = this.#indexOf(item);
    if (this.#items[index]?.peer !== item.peer) return;
    this.#items.splice(index, 1);
    this.version++;
  }

  /** The next `count` after `item`, itself excluded; fewer when there are fewer. */
  successors(item: Place, count: number): Item[] {
    return this.#walk(item, count, 1);
  }

  predecessors(item: Place, count: number): Item[] {
    return this.#walk(item, count, -1);
  }

  #walk(item: Place, count: number, step: 1 | -1): Item[] {
    const size = this.#items.length;
    const start = this.#indexOf(item);
    const isOn = this.#items[start]?.peer === item.peer;
    const found: Item[] = [];
    let at = isOn || step < 0 ? start + step : start;
    for (let left = Math.min(count, isOn ? size - 1 : size); left > 0; left--) {
      found.push(this.#items[((at % size) + size) % size] as Item);
      at += step;
    }
    return found;
  }

  /** Where `item` is or would be. */
  #indexOf(item: Place): number {
    let low = 0;
    let high = this.#items.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const other = this.#items[middle] as Item;
      if (other.hash < item.hash || (other.hash === item.hash && other.peer < item.peer)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
