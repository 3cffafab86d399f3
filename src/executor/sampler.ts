import { type Arena, type Batch, releaseBatch } from "../arrow/mod.ts";
import { gatherBatch } from "./rows.ts";

interface Kept {
  readonly batch: Batch;
  /** Of each of its rows: its number among all rows. */
  readonly numbers: readonly number[];
}

/**
 * At most so many rows of a stream of unknown length, evenly spaced: every row whose number is a multiple of a step,
 * which doubles whenever they become too many. Which rows depends on nothing but their numbers.
 */
export class Sampler {
  readonly #arena: Arena;
  readonly #rowsMax: number;
  #kept: Kept[] = [];
  #keptRows = 0;
  #seenRows = 0;
  #step = 1;

  constructor(arena: Arena, rowsMax: number) {
    this.#arena = arena;
    this.#rowsMax = Math.max(1, rowsMax);
  }

  /** Takes over the batch, also when it throws. */
  add(batch: Batch): void {
    try {
      const first = this.#seenRows;
      this.#seenRows += batch.rowCount;
      const numbers = multiples(first, this.#seenRows, this.#step);
      if (numbers.length > 0) this.#keep(batch, numbers, (number) => number - first);
    } finally {
      releaseBatch(this.#arena, batch);
    }
    while (this.#keptRows > 2 * this.#rowsMax) this.#thin();
  }

  /** The sample in order; the batches are then the caller's. */
  take(): Batch[] {
    while (this.#keptRows > this.#rowsMax) this.#thin();
    return this.#kept.splice(0).map(({ batch }) => batch);
  }

  /** Frees what is kept. Idempotent. */
  close(): void {
    for (const { batch } of this.#kept.splice(0)) releaseBatch(this.#arena, batch);
    this.#keptRows = 0;
  }

  #keep(from: Batch, numbers: readonly number[], rowOf: (number: number) => number): void {
    this.#kept.push({ batch: gatherBatch(this.#arena, from, Uint32Array.from(numbers, rowOf)), numbers });
    this.#keptRows += numbers.length;
  }

  #thin(): void {
    this.#step *= 2;
    const before = this.#kept;
    this.#kept = [];
    this.#keptRows = 0;
    let next = 0;
    try {
      for (; next < before.length; next++) {
        const { batch, numbers } = before[next] as Kept;
        const places = new Map(numbers.map((number, row) => [number, row]));
        const fewer = numbers.filter((number) => number % this.#step === 0);
        if (fewer.length > 0) this.#keep(batch, fewer, (number) => places.get(number) as number);
        releaseBatch(this.#arena, batch);
      }
    } catch (error) {
      for (const { batch } of before.slice(next)) releaseBatch(this.#arena, batch);
      throw error;
    }
  }
}

/** Multiples of `step` from `start` up to but not including `end`. */
function multiples(start: number, end: number, step: number): number[] {
  const found: number[] = [];
  for (let number = Math.ceil(start / step) * step; number < end; number += step) found.push(number);
  return found;
}
