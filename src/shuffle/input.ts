import type { Received } from "./receiver.ts";

/** One producer's partition as its reader sees it. */
export interface ExchangeInput {
  /** Number of the writing task. */
  readonly producer: number;
  /** Begins; `changed` is called whenever `take` may give something else than before. */
  start(changed: () => void): void;
  /**
   * The next batch, which is then the caller's; null when none is there now, "end" after the last.
   *
   * @throws {ShuffleError} what ended the exchange
   */
  take(): Received | null | "end";
  /** Needs no more. Idempotent. */
  close(): void;
}
