/** Which slots the tasks of all jobs are in, kept as they come and go. */
import { isLive, type JobMachine, type TaskRecord } from "../../jobs/mod.ts";
import type { PeerId } from "../../kernel/mod.ts";

interface Place {
  readonly peer: PeerId;
  readonly slot: number;
}

type Moves = ReturnType<JobMachine["takeMoved"]>;

const NOTHING: ReadonlyMap<number, number> = new Map();

/** Two jobs may take themselves to be in the same slot for a while: each counts. */
export class UsedSlots {
  readonly #ofJobs = new Map<object, Map<object, Place>>();
  readonly #byPeer = new Map<PeerId, Map<number, number>>();

  /** Takes in what has moved of the job, and gives the slots that are used by it only since. */
  move(job: object, { areAllNew, moved }: Moves): readonly Place[] {
    if (areAllNew) this.drop(job);
    const places = this.#ofJobs.get(job) ?? new Map<object, Place>();
    const taken: Place[] = [];
    for (const record of moved) {
      const known = places.get(record);
      const place = placeOf(record);
      if (known?.peer === place?.peer && known?.slot === place?.slot) continue;
      if (known !== undefined) this.#count(known, -1);
      places.delete(record);
      if (place === null) continue;
      this.#count(place, 1);
      places.set(record, place);
      taken.push(place);
    }
    if (places.size === 0) this.#ofJobs.delete(job);
    else this.#ofJobs.set(job, places);
    return taken;
  }

  /** The job has nothing in any slot. */
  drop(job: object): void {
    for (const place of this.#ofJobs.get(job)?.values() ?? []) this.#count(place, -1);
    this.#ofJobs.delete(job);
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

function placeOf(record: Readonly<TaskRecord>): Place | null {
  const { peer, slot } = record;
  return peer === null || !isLive(record) ? null : { peer, slot };
}
