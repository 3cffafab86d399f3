import { type Arena, type Batch, releaseBatch } from "../arrow/mod.ts";
import type { ControlBlock } from "./control.ts";
import type { TaskOutput } from "./messages.ts";

/**
 * Puts batches of tasks that ran in any order back into task order, as they arrive. Whoever takes a batch owns it;
 * `close` frees what nobody took.
 */
export class OutputQueue {
  readonly #arena: Arena;
  readonly #control: ControlBlock;
  readonly #waiting = new Map<number, { batches: Batch[]; done: boolean }>();
  #nextTask = 0;
  #wake: (() => void) | null = null;
  #ended = false;
  #closed = false;
  #failure: { readonly error: unknown } | null = null;

  /** `control` is told how far the consumer is. */
  constructor(arena: Arena, control: ControlBlock) {
    this.#arena = arena;
    this.#control = control;
  }

  put(output: TaskOutput): void {
    if (this.#closed) {
      if (output.batch !== null) releaseBatch(this.#arena, output.batch);
      return;
    }
    const entry = this.#entry(output.task);
    if (output.batch === null) entry.done = true;
    else entry.batches.push(output.batch);
    this.#signal();
  }

  /** No more output comes. */
  end(): void {
    this.#ended = true;
    this.#signal();
  }

  fail(error: unknown): void {
    this.#failure ??= { error };
    this.#signal();
  }

  close(): void {
    this.#closed = true;
    for (const { batches } of this.#waiting.values()) for (const batch of batches) releaseBatch(this.#arena, batch);
    this.#waiting.clear();
  }

  /** The next batch in order; null after the last. */
  async take(): Promise<Batch | null> {
    for (;;) {
      if (this.#failure !== null) throw this.#failure.error;
      const batch = this.#waiting.get(this.#nextTask)?.batches.shift();
      if (batch !== undefined) {
        this.#control.addTakenBatch();
        return batch;
      }
      if (this.#waiting.get(this.#nextTask)?.done) this.#advance();
      else if (this.#ended) return null;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  #entry(task: number): { batches: Batch[]; done: boolean } {
    const known = this.#waiting.get(task);
    if (known !== undefined) return known;
    const entry = { batches: [], done: false };
    this.#waiting.set(task, entry);
    return entry;
  }

  #advance(): void {
    this.#waiting.delete(this.#nextTask);
    this.#nextTask++;
    this.#control.consumedTasks = this.#nextTask;
  }

  #signal(): void {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }
}
