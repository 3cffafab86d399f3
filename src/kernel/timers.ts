import { invariant } from "./error.ts";
import type { Clock, Random } from "./node_ports.ts";
import { type TimerId, TimerWheel } from "./timer_wheel.ts";

/** Longest delay or interval; a year. */
export const TIMER_DELAY_MS_MAX = 366 * 24 * 3600 * 1000;

export interface EveryOptions {
  /** Each interval is drawn from `interval × (1 ± jitter)`; 0 to 1, default 0. Needs a `Random`. */
  readonly jitter?: number;
  /** Until the first call, before jitter; default the interval. */
  readonly firstMs?: number;
}

interface Repeat {
  current: TimerId;
  isCancelled: boolean;
}

/**
 * Timers of one owner on one clock: a wheel, and a single pending wake of the clock however many timers there are.
 *
 * Callbacks run in order of their deadlines. One that throws does not keep others from running: its error is thrown once
 * they have (the first, if several do), and goes wherever errors of the clock's callbacks go. When the clock has jumped,
 * since the process was stopped, everything that is due runs once.
 */
export class Timers {
  readonly #clock: Clock;
  readonly #random: Random | null;
  readonly #wheel: TimerWheel<() => void>;
  readonly #repeats = new Map<TimerId, Repeat>();
  #wakeMs = Number.POSITIVE_INFINITY;
  #cancelWake: (() => void) | null = null;
  #isRunning = false;
  #isStopped = false;
  readonly #wake = (): void => this.#run();

  constructor(clock: Clock, random?: Random) {
    this.#clock = clock;
    this.#random = random ?? null;
    this.#wheel = new TimerWheel(clock.nowMs());
  }

  /** Timers that wait. */
  get size(): number {
    return this.#wheel.size;
  }

  /** Calls `run` once, `delayMs` or up to a millisecond more from now; never before this call returns. */
  after(delayMs: number, run: () => void): TimerId {
    invariant(
      delayMs >= 0 && delayMs <= TIMER_DELAY_MS_MAX,
      `a delay is 0 to ${TIMER_DELAY_MS_MAX} ms, not ${delayMs}`,
    );
    return this.#insert(delayMs, run);
  }

  /**
   * Calls `run` every `intervalMs`, in step with its start unless there is jitter; calls that were missed are left out.
   */
  every(intervalMs: number, run: () => void, options: EveryOptions = {}): TimerId {
    const { jitter = 0, firstMs = intervalMs } = options;
    invariant(intervalMs >= 1 && intervalMs <= TIMER_DELAY_MS_MAX, `an interval is 1 ms or more, not ${intervalMs}`);
    invariant(jitter >= 0 && jitter <= 1, `jitter is 0 to 1, not ${jitter}`);
    invariant(firstMs >= 0 && firstMs <= TIMER_DELAY_MS_MAX, `the first delay is 0 or more, not ${firstMs}`);
    let dueMs = this.#clock.nowMs() + firstMs;
    const again = (): void => {
      if (repeat.isCancelled) return;
      const nowMs = this.#clock.nowMs();
      if (jitter > 0) dueMs = nowMs;
      else if (dueMs + intervalMs <= nowMs) dueMs += Math.floor((nowMs - dueMs) / intervalMs) * intervalMs;
      dueMs += this.#jittered(intervalMs, jitter);
      repeat.current = this.#insert(dueMs - nowMs, again);
      run();
    };
    const id = this.#insert(this.#jittered(firstMs, jitter), again);
    const repeat: Repeat = { current: id, isCancelled: false };
    if (!this.#isStopped) this.#repeats.set(id, repeat);
    return id;
  }

  /** False when it has run, was cancelled, or is unknown. */
  cancel(id: TimerId): boolean {
    const repeat = this.#repeats.get(id);
    if (repeat === undefined) return this.#wheel.cancel(id);
    this.#repeats.delete(id);
    repeat.isCancelled = true;
    this.#wheel.cancel(repeat.current);
    return true;
  }

  /** Cancels all. What is asked for later never runs, so that owners may end in any order. */
  stop(): void {
    this.#isStopped = true;
    for (const repeat of this.#repeats.values()) repeat.isCancelled = true;
    this.#repeats.clear();
    this.#wheel.clear();
    this.#disarm();
  }

  #insert(delayMs: number, run: () => void): TimerId {
    if (this.#isStopped) return 0 as TimerId;
    const nowMs = this.#clock.nowMs();
    if (!this.#isRunning) this.#wheel.catchUp(nowMs);
    const id = this.#wheel.insert(nowMs + delayMs, run);
    if (!this.#isRunning && nowMs + delayMs < this.#wakeMs) this.#arm();
    return id;
  }

  #jittered(delayMs: number, jitter: number): number {
    if (jitter === 0) return delayMs;
    invariant(this.#random !== null, "timers with jitter need a Random");
    return Math.max(1, delayMs * (1 - jitter + 2 * jitter * this.#random.next()));
  }

  #run(): void {
    this.#wakeMs = Number.POSITIVE_INFINITY;
    this.#cancelWake = null;
    const errors: unknown[] = [];
    this.#isRunning = true;
    this.#wheel.advance(this.#clock.nowMs(), (run) => {
      try {
        run();
      } catch (error) {
        errors.push(error);
      }
    });
    this.#isRunning = false;
    this.#arm();
    if (errors.length > 0) throw errors[0];
  }

  /** Sees to it that the clock wakes in time for the next timer; keeps an earlier wake that is pending. */
  #arm(): void {
    const nextMs = this.#wheel.nextDeadlineMs();
    if (nextMs === null || nextMs >= this.#wakeMs) return;
    this.#disarm();
    this.#wakeMs = nextMs;
    this.#cancelWake = this.#clock.wake(Math.max(0, nextMs - this.#clock.nowMs()), this.#wake);
  }

  #disarm(): void {
    this.#cancelWake?.();
    this.#cancelWake = null;
    this.#wakeMs = Number.POSITIVE_INFINITY;
  }
}
