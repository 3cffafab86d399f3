import type { JobLogLine } from "./job_handle.ts";

interface Place {
  readonly atMs: number;
  /** Lines of that very time. */
  readonly count: number;
}

/** Which lines of a job's logs were given already. Those of one task on one node come in the order of time. */
export class SeenLines {
  #before = new Map<string, Place>();
  #now = new Map<string, Place>();

  /** The lines come once more, from the first that is kept. */
  again(): void {
    for (const [key, place] of this.#now) {
      const known = this.#before.get(key);
      if (known === undefined || isBehind(known, place)) this.#before.set(key, place);
    }
    this.#now = new Map();
  }

  isNew({ node, task, stream, atMs }: JobLogLine): boolean {
    const key = JSON.stringify([node, task, stream]);
    const last = this.#now.get(key);
    const place = { atMs, count: last?.atMs === atMs ? last.count + 1 : 1 };
    this.#now.set(key, place);
    const before = this.#before.get(key);
    return before === undefined || isBehind(before, place);
  }
}

function isBehind(before: Place, place: Place): boolean {
  return place.atMs > before.atMs || (place.atMs === before.atMs && place.count > before.count);
}
