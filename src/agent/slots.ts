import { invariant } from "../kernel/mod.ts";

/** Who is in which slot. */
export class Slots<Occupant> {
  readonly count: number;
  readonly #occupants: (Occupant | null)[];

  constructor(count: number) {
    this.count = count;
    this.#occupants = Array.from({ length: count }, () => null);
  }

  get used(): number {
    return this.#occupants.reduce((sum, occupant) => sum + (occupant === null ? 0 : 1), 0);
  }

  /** Null when it is free, or there is no such slot. */
  in(slot: number): Occupant | null {
    return this.#occupants[slot] ?? null;
  }

  has(slot: number): boolean {
    return slot < this.count;
  }

  occupy(slot: number, occupant: Occupant): void {
    invariant(this.has(slot) && this.in(slot) === null, `slot ${slot} is free`);
    this.#occupants[slot] = occupant;
  }

  /** Nothing happens when another is in it by now. */
  leave(slot: number, occupant: Occupant): void {
    if (this.in(slot) === occupant) this.#occupants[slot] = null;
  }
}
