import type { Address, Arena } from "../arrow/mod.ts";
import { Control } from "./messages.ts";

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
    Atomics.notify(this.#words, Control.consumedTasks / 4);
  }

  get cancelled(): boolean {
    return Atomics.load(this.#words, Control.cancelled / 4) !== 0;
  }

  get consumedTasks(): number {
    return Atomics.load(this.#words, Control.consumedTasks / 4);
  }

  set consumedTasks(count: number) {
    Atomics.store(this.#words, Control.consumedTasks / 4, count);
    Atomics.notify(this.#words, Control.consumedTasks / 4);
  }

  /** Blocks the thread until so many tasks are consumed or the request is cancelled. Workers only. */
  waitConsumed(tasks: number): void {
    for (;;) {
      const consumed = this.consumedTasks;
      if (consumed >= tasks || this.cancelled) return;
      // Woken by notify; the time limit only covers a cancel between check and wait.
      Atomics.wait(this.#words, Control.consumedTasks / 4, consumed, 50);
    }
  }

  addRowsRead(rows: number): void {
    Atomics.add(this.#rows, 0, BigInt(rows));
  }

  get rowsRead(): bigint {
    return Atomics.load(this.#rows, 0);
  }
}
