import type { Address, Arena } from "../arrow/mod.ts";
import { Control } from "./messages.ts";

/** Ends generated code of a request that was cancelled. */
export class Interrupted extends Error {}

/** How far the consumer is: whole tasks, and batches of the task after them. */
export interface ConsumedPoint {
  readonly tasks: number;
  readonly batches: number;
}

/** View of a control block: the counters that workers and driver share while a request is carried out. */
export class ControlBlock {
  readonly address: Address;
  readonly #words: Int32Array;
  readonly #rows: BigInt64Array;

  constructor(arena: Arena, address: Address) {
    this.address = address;
    this.#words = new Int32Array(arena.memory.buffer, address, Control.bytes / 4);
    this.#rows = new BigInt64Array(arena.memory.buffer, address + Control.rowsRead, 1);
  }

  /** The next task's number; the caller compares it with their count. */
  takeTask(): number {
    return Atomics.add(this.#words, Control.nextTask / 4, 1);
  }

  cancel(): void {
    Atomics.store(this.#words, Control.cancelled / 4, 1);
    this.#wake();
  }

  /** Address of a word that is not 0 when the request is cancelled. */
  get cancelFlag(): Address {
    return this.address + Control.cancelled;
  }

  get cancelled(): boolean {
    return Atomics.load(this.#words, Control.cancelled / 4) !== 0;
  }

  get consumedTasks(): number {
    return Atomics.load(this.#words, Control.consumedTasks / 4);
  }

  set consumedTasks(count: number) {
    // In this order: whoever sees the new task sees no batches of the one before.
    Atomics.store(this.#words, Control.takenBatches / 4, 0);
    Atomics.store(this.#words, Control.consumedTasks / 4, count);
    this.#wake();
  }

  /** The driver took a batch of the first task that is not consumed. */
  addTakenBatch(): void {
    Atomics.add(this.#words, Control.takenBatches / 4, 1);
    this.#wake();
  }

  /** Whether the consumer has come so far: the request is cancelled, tasks are consumed, and batches of the next taken. */
  hasReached(point: ConsumedPoint): boolean {
    const { consumedTasks } = this;
    if (this.cancelled || consumedTasks > point.tasks) return true;
    return consumedTasks === point.tasks && Atomics.load(this.#words, Control.takenBatches / 4) >= point.batches;
  }

  /** Blocks the thread until `hasReached`. Workers only. */
  waitReached(point: ConsumedPoint): void {
    for (;;) {
      const changes = Atomics.load(this.#words, Control.changes / 4);
      if (this.hasReached(point)) return;
      // Woken by notify; the time limit only covers a driver that is gone.
      Atomics.wait(this.#words, Control.changes / 4, changes, 50);
    }
  }

  #wake(): void {
    Atomics.add(this.#words, Control.changes / 4, 1);
    Atomics.notify(this.#words, Control.changes / 4);
  }

  addRowsRead(rows: number): void {
    Atomics.add(this.#rows, 0, BigInt(rows));
  }

  get rowsRead(): bigint {
    return Atomics.load(this.#rows, 0);
  }
}
