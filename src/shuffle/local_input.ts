import { invariant } from "../kernel/mod.ts";
import { ShuffleError } from "./error.ts";
import type { ExchangeInput } from "./input.ts";
import type { PartitionLog } from "./partition_log.ts";
import type { PartitionStore } from "./partition_store.ts";
import type { Received } from "./receiver.ts";
import type { PartitionKey } from "./ticket.ts";

/** A partition that is written in this process: batches are passed on as they are. */
export class LocalInput implements ExchangeInput {
  readonly producer: number;
  readonly #store: PartitionStore;
  readonly #key: PartitionKey;
  #log: PartitionLog | null = null;
  #index = 0;
  #failure: Error | null = null;
  #stop: () => void = () => undefined;
  #isStarted = false;
  #isClosed = false;

  /** The partition may be created later. */
  constructor(store: PartitionStore, key: PartitionKey) {
    this.#store = store;
    this.#key = key;
    this.producer = key.producer;
  }

  start(changed: () => void): void {
    this.#isStarted = true;
    try {
      this.#store.checkAttempt(this.#key);
    } catch (error) {
      this.#failure = error as Error;
      return changed();
    }
    const log = this.#store.get(this.#key);
    if (log === null) {
      this.#stop = this.#store.await(this.#key, () => this.start(changed));
      return;
    }
    this.#log = log;
    this.#index = log.firstIndex;
    log.listen(changed);
    this.#stop = () => log.listen(null);
    changed();
  }

  take(): Received | null | "end" {
    invariant(!this.#isClosed, "take from a closed exchange");
    if (this.#failure !== null) throw this.#failure;
    const log = this.#log;
    if (log === null) return null;
    if (log.failure !== null) throw log.failure;
    if (log.state === "closed") throw new ShuffleError("closed", "The exchange was closed by its writer.");
    const item = log.item(this.#index);
    if (item === null) return log.state === "finished" ? "end" : null;
    this.#index++;
    log.forget(this.#index);
    return item;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#stop();
    if (this.#log !== null) closePipelined(this.#log);
    else if (this.#isStarted && this.#failure === null) this.#decline();
  }

  /** The writer, which has not begun, is not to wait for this reader. */
  #decline(): void {
    const log = this.#store.get(this.#key);
    if (log !== null) return closePipelined(log);
    this.#store.await(this.#key, () => this.#decline());
  }
}

function closePipelined(log: PartitionLog): void {
  if (log.kind === "pipelined") log.close();
}
