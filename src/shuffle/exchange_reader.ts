import { type Arena, type Batch, releaseBatch } from "../arrow/mod.ts";
import { ShuffleError } from "./error.ts";
import type { ExchangeInput } from "./input.ts";

/**
 * - `producer`: all of producer 0, then all of 1, and so on; those that come later wait with their windows full
 * - `arrival`: as they come, in turns
 */
export type ReadOrder = "producer" | "arrival";

export interface ExchangeBatch {
  readonly batch: Batch;
  readonly epoch: number;
  readonly producer: number;
}

/**
 * All that one task reads of one edge, from all producers. What waits is bounded by the inputs' windows.
 *
 * ```ts
 * for (let next = await reader.next(); next !== null; next = await reader.next()) releaseBatch(arena, next.batch);
 * ```
 */
export class ExchangeReader {
  readonly #arena: Arena;
  readonly #order: ReadOrder;
  /** Those that have not ended. */
  #inputs: ExchangeInput[];
  /** Who is asked first, in order of arrival. */
  #turn = 0;
  #isStarted = false;
  #isClosed = false;
  #wake: (() => void) | null = null;

  /** @param inputs one a producer */
  constructor(arena: Arena, inputs: readonly ExchangeInput[], options: { readonly order: ReadOrder }) {
    this.#arena = arena;
    this.#inputs = inputs.toSorted((a, b) => a.producer - b.producer);
    this.#order = options.order;
  }

  /**
   * The next batch, which is then the caller's; null after the last. One call at a time.
   *
   * @throws {ShuffleError} what ended one of the inputs; the others are then closed
   */
  async next(signal?: AbortSignal): Promise<ExchangeBatch | null> {
    this.#start();
    for (;;) {
      if (signal?.aborted === true || this.#isClosed) {
        this.close();
        throw new ShuffleError("closed", "Reading of the exchange was cancelled.");
      }
      const taken = this.#take();
      if (taken !== null) return taken;
      if (this.#inputs.length === 0) return null;
      await this.#change(signal);
    }
  }

  /** The next batch when one is there now; null otherwise. Begins to read. */
  poll(): ExchangeBatch | null {
    this.#start();
    return this.#take();
  }

  /** Settles when there may be more to take than there was, or the end. One call at a time, and none of `next` besides. */
  changed(): Promise<void> {
    return this.#isClosed || this.isEnded ? Promise.resolve() : this.#change(undefined);
  }

  /** Whether all inputs have ended. */
  get isEnded(): boolean {
    return this.#inputs.length === 0;
  }

  /** Frees what waits, and tells the writers. Idempotent. */
  close(): void {
    this.#isClosed = true;
    for (const input of this.#inputs.splice(0)) input.close();
    this.#wake?.();
  }

  #start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    for (const input of this.#inputs) input.start(() => this.#wake?.());
  }

  #change(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#wake = null;
        signal?.removeEventListener("abort", wake);
        resolve();
      };
      this.#wake = wake;
      signal?.addEventListener("abort", wake);
    });
  }

  #take(): ExchangeBatch | null {
    try {
      return this.#order === "producer" ? this.#takeInOrder() : this.#takeAny();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  #takeInOrder(): ExchangeBatch | null {
    for (;;) {
      const [input] = this.#inputs;
      if (input === undefined) return null;
      const taken = input.take();
      if (taken !== "end") return taken === null ? null : { ...taken, producer: input.producer };
      this.#remove(input);
    }
  }

  #takeAny(): ExchangeBatch | null {
    for (let tried = 0; tried < this.#inputs.length; ) {
      this.#turn %= this.#inputs.length;
      const input = this.#inputs[this.#turn] as ExchangeInput;
      const taken = input.take();
      if (taken === "end") {
        this.#remove(input);
        continue;
      }
      this.#turn++;
      if (taken !== null) return { ...taken, producer: input.producer };
      tried++;
    }
    return null;
  }

  #remove(input: ExchangeInput): void {
    input.close();
    this.#inputs = this.#inputs.filter((other) => other !== input);
  }

  /** Frees a batch that `next` gave. */
  release({ batch }: ExchangeBatch): void {
    releaseBatch(this.#arena, batch);
  }
}
