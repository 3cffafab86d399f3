import type { Clock } from "../kernel/mod.ts";

/** Longest delay that the runtimes' timers take; they turn longer ones into none. */
const DELAY_MS_MAX = 2 ** 31 - 1;

/** This machine's time. A pending `wake` keeps the process alive: whoever asked for it cancels it when it ends. */
export const systemClock: Clock = {
  nowMs: () => performance.now(),
  wallMs: () => Date.now(),
  wake(delayMs, run) {
    const dueMs = performance.now() + delayMs;
    let timer: ReturnType<typeof setTimeout>;
    const arm = (restMs: number): void => {
      timer = setTimeout(check, Math.min(Math.max(1, Math.ceil(restMs)), DELAY_MS_MAX));
    };
    // The runtimes count from the start of their turn, and so are up to a millisecond early.
    const check = (): void => {
      const restMs = dueMs - performance.now();
      if (restMs > 0) arm(restMs);
      else run();
    };
    arm(delayMs);
    return () => clearTimeout(timer);
  },
  soon: (run) => void setImmediate(run),
};
