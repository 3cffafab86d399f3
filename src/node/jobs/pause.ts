import type { Clock } from "../../kernel/mod.ts";

/** Waits; less when `signal` is aborted. */
export function pause(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted === true) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      cancel();
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const cancel = clock.wake(delayMs, done);
    signal?.addEventListener("abort", done);
  });
}
