/** Which slots the tasks of all jobs are in, kept as they come and go. */
import type { PeerId } from "../../kernel/mod.ts";

interface InSlot {
  readonly peer: PeerId | null;
  readonly slot: number;
}

interface Place {
  readonly peer: PeerId;
  readonly slot: number;
}

const NOTHING: ReadonlyMap<number, number> = new Map();

/** Two jobs may take themselves to be in the same slot for a while: each counts. */
export class UsedSlots {
  readonly #ofJobs = new Map<object, Map<object, Place>>();
  readonly #byPeer = new Map<PeerId, Map<number, number>>();

  /** What the job's tasks are in now; costs what the job has, not what all have. */
  set(job: object, tasks: Iterable<InSlot>): void {
    const before = this.#ofJobs.get(job);
    const now = new Map<object, Place>();
    for (const task of tasks) {
      const { peer, slot } = task;
      if (peer === null) continue;
      const known = before?.get(task);
      const isSame = known?.peer === peer && known.slot === slot;
      now.set(task, isSame ? known : { peer, slot });
      if (isSame) before?.delete(task);
      else this.#count({ peer, slot }, 1);
    }
    for (const place of before?.values() ?? []) this.#count(place, -1);
    if (now.size === 0) this.#ofJobs.delete(job);
    else this.#ofJobs.set(job, now);
  }

  /** Slots of the agent that tasks are in. */
  of(peer: PeerId): Pick<ReadonlyMap<number, number>, "has" | "size"> {
    return this.#byPeer.get(peer) ?? NOTHING;
  }

  #count({ peer, slot }: Place, change: number): void {
    const slots = this.#byPeer.get(peer) ?? new Map<number, number>();
    const count = (slots.get(slot) ?? 0) + change;
    if (count > 0) slots.set(slot, count);
    else slots.delete(slot);
    if (slots.size > 0) this.#byPeer.set(peer, slots);
    else this.#byPeer.delete(peer);
  }
}
