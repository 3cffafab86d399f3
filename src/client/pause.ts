import type { Clock } from "../kernel/mod.ts";

/** Resolves after that time, or as soon as the signal is aborted. */
export function pauseOf(clock: Clock, forMs: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted === true) return Promise.resolve();
  return new Promise((resolve) => {
    const cancel = clock.wake(forMs, () => {
      signal?.removeEventListener("abort", abort);
      resolve();
    });
    const abort = () => {
      cancel();
      resolve();
    };
    signal?.addEventListener("abort", abort, { once: true });
  });
}
