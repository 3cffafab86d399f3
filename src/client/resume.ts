import { type Clock, SageError } from "../kernel/mod.ts";
import { checkAborted } from "./error.ts";
import { pauseOf } from "./pause.ts";

const PAUSE_MS = 100;
const PAUSE_MS_MAX = 1_000;

export interface ResumeOptions {
  readonly clock: Clock;
  readonly signal?: AbortSignal | undefined;
  /** Without a new item for so long, the last error is thrown. */
  readonly patienceMs: number;
}

/**
 * Items of a stream that is opened again whenever it breaks for a reason that passes: `open` goes on behind the last item.
 * Ends when a stream ends.
 */
export async function* resumed<T>(open: () => AsyncIterable<T>, options: ResumeOptions): AsyncGenerator<T> {
  const { clock, signal, patienceMs } = options;
  let lastMs = clock.nowMs();
  let pauseMs = PAUSE_MS;
  for (;;) {
    try {
      for await (const item of open()) {
        yield item;
        lastMs = clock.nowMs();
        pauseMs = PAUSE_MS;
      }
      return;
    } catch (error) {
      checkAborted(signal);
      const passes = error instanceof SageError && error.retryable;
      if (!passes || clock.nowMs() - lastMs > patienceMs) throw error;
    }
    await pauseOf(clock, pauseMs, signal);
    checkAborted(signal);
    pauseMs = Math.min(PAUSE_MS_MAX, pauseMs * 2);
  }
}
