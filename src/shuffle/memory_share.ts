import type { Address, Arena, Batch } from "../arrow/mod.ts";

/** Counts the arena memory that a store's batches hold, each block once however many batches share it. */
export class MemoryShare {
  /** May be changed: below what is used, nothing more is taken until enough was given back. */
  limitBytes: number;
  readonly #arena: Arena;
  readonly #holds = new Map<Address, number>();
  #usedBytes = 0;

  constructor(arena: Arena, limitBytes: number) {
    this.#arena = arena;
    this.limitBytes = limitBytes;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** False, and nothing is counted, when the batch does not fit. */
  take(batch: Batch): boolean {
    let bytes = 0;
    for (const block of batch.blocks) if (!this.#holds.has(block)) bytes += this.#arena.blockBytes(block);
    if (this.#usedBytes + bytes > this.limitBytes) return false;
    this.#usedBytes += bytes;
    for (const block of batch.blocks) this.#holds.set(block, (this.#holds.get(block) ?? 0) + 1);
    return true;
  }

  /** To be called while the batch is still held. */
  give(batch: Batch): void {
    for (const block of batch.blocks) {
      const holds = this.#holds.get(block) ?? 0;
      if (holds > 1) this.#holds.set(block, holds - 1);
      else if (this.#holds.delete(block)) this.#usedBytes -= this.#arena.blockBytes(block);
    }
  }
}
