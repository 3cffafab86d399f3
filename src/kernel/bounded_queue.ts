import { invariant } from "./error.ts";

/** Items in order, `limit` of them at most: a ring that grows up to it. Being full is a result, not an error. */
export class BoundedQueue<T extends {}> {
  readonly limit: number;
  #ring: (T | undefined)[];
  #head = 0;
  #length = 0;

  constructor(limit: number) {
    invariant(Number.isInteger(limit) && limit > 0, `a queue's limit is a whole number above 0, not ${limit}`);
    this.limit = limit;
    this.#ring = Array.from({ length: Math.min(16, powerOfTwo(limit)) });
  }

  get length(): number {
    return this.#length;
  }

  get isFull(): boolean {
    return this.#length === this.limit;
  }

  /** False when the queue is full; the item was not taken then. */
  push(item: T): boolean {
    if (this.#length === this.limit) return false;
    if (this.#length === this.#ring.length) this.#grow();
    this.#ring[(this.#head + this.#length) & (this.#ring.length - 1)] = item;
    this.#length += 1;
    return true;
  }

  /** Takes the oldest; undefined when there is none. */
  shift(): T | undefined {
    if (this.#length === 0) return undefined;
    const item = this.#ring[this.#head];
    this.#ring[this.#head] = undefined;
    this.#head = (this.#head + 1) & (this.#ring.length - 1);
    this.#length -= 1;
    return item;
  }

  /** The oldest, left where it is. */
  peek(): T | undefined {
    return this.#length === 0 ? undefined : this.#ring[this.#head];
  }

  clear(): void {
    this.#ring.fill(undefined);
    this.#head = 0;
    this.#length = 0;
  }

  /** Oldest first; the queue is not to be changed meanwhile. */
  *[Symbol.iterator](): Iterator<T> {
    const length = this.#length;
    for (let index = 0; index < length; index++) {
      yield this.#ring[(this.#head + index) & (this.#ring.length - 1)] as T;
    }
  }

  #grow(): void {
    const items = [...this];
    this.#ring = Array.from({ length: items.length * 2 });
    for (const [index, item] of items.entries()) this.#ring[index] = item;
    this.#head = 0;
  }
}

function powerOfTwo(count: number): number {
  return 2 ** Math.ceil(Math.log2(count));
}
