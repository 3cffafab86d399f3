import { invariant } from "./error.ts";
import type { Clock, Random } from "./node_ports.ts";
import { type TimerId, TimerWheel } from "./timer_wheel.ts";

/** Longest delay or interval; a year. */
export const TIMER_DELAY_MS_MAX = 366 * 24 * 3600 * 1000;

export interface AfterOptions {
  /** The call may be this much late, so that one wake serves several timers; default 0. */
  readonly slackMs?: number;
}

export interface EveryOptions {
  /** Each interval is drawn from `interval × (1 ± jitter)`; 0 to 1, default 0. Needs a `Random`. */
  readonly jitter?: number;
  /** Until the first call, before jitter; default the interval. */
  readonly firstMs?: number;
  /** As of `AfterOptions`; default a fifth of the interval. The calls keep in step with the start all the same. */
  readonly slackMs?: number;
}

/** What repeats is seldom in a hurry. */
const SLACK_SHARE = 0.2;

interface Repeat {
  current: TimerId;
  isCancelled: boolean;
}

/**
 * Timers of one owner on one clock: a wheel, and a single pending wake of the clock however many timers there are.
 *
 * A timer with slack stands in two wheels: in one at its deadline, in the other at the end of its slack. Only the latter
 * wakes the clock, and each wake runs what has reached its deadline. `look` does so for an owner that is awake anyway.
 *
 * Callbacks run in order of their deadlines, those with slack after the others. One that throws does not keep others from running: its error is thrown once
 * they have (the first, if several do), and goes wherever errors of the clock's callbacks go. When the clock has jumped,
 * since the process was stopped, everything that is due runs once.
 */
export class Timers {
  readonly #clock: Clock;
  readonly #random: Random | null;
  readonly #wheel: TimerWheel<() => void>;
  /** Timers with slack, at their deadlines; each is in the other wheel too, at the end of its slack. */
  readonly #lazy: TimerWheel<() => void>;
  readonly #lazyIds = new Map<TimerId, TimerId>();
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
    this.#lazy = new TimerWheel(clock.nowMs());
  }

  /** Timers that wait. */
  get size(): number {
    return this.#wheel.size;
  }

  /** Calls `run` once, `delayMs` and its slack or up to a millisecond more from now; never before this call returns. */
  after(delayMs: number, run: () => void, options: AfterOptions = {}): TimerId {
    const { slackMs = 0 } = options;
    invariant(
      delayMs >= 0 && delayMs <= TIMER_DELAY_MS_MAX,
      `a delay is 0 to ${TIMER_DELAY_MS_MAX} ms, not ${delayMs}`,
    );
    invariant(slackMs >= 0 && slackMs <= TIMER_DELAY_MS_MAX, `slack is 0 or more, not ${slackMs}`);
    return this.#insert(delayMs, slackMs, run);
  }

  /**
   * Calls `run` every `intervalMs`, in step with its start unless there is jitter; calls that were missed are left out.
   */
  every(intervalMs: number, run: () => void, options: EveryOptions = {}): TimerId {
    const { jitter = 0, firstMs = intervalMs, slackMs = intervalMs * SLACK_SHARE } = options;
    invariant(intervalMs >= 1 && intervalMs <= TIMER_DELAY_MS_MAX, `an interval is 1 ms or more, not ${intervalMs}`);
    invariant(jitter >= 0 && jitter <= 1, `jitter is 0 to 1, not ${jitter}`);
    invariant(firstMs >= 0 && firstMs <= TIMER_DELAY_MS_MAX, `the first delay is 0 or more, not ${firstMs}`);
    invariant(slackMs >= 0 && slackMs <= TIMER_DELAY_MS_MAX, `slack is 0 or more, not ${slackMs}`);
    let dueMs = this.#clock.nowMs() + firstMs;
    const again = (): void => {
      if (repeat.isCancelled) return;
      const nowMs = this.#clock.nowMs();
      if (jitter > 0) dueMs = nowMs;
      else if (dueMs + intervalMs <= nowMs) dueMs += Math.floor((nowMs - dueMs) / intervalMs) * intervalMs;
      dueMs += this.#jittered(intervalMs, jitter);
      repeat.current = this.#insert(Math.max(0, dueMs - nowMs), slackMs, again);
      run();
    };
    const id = this.#insert(this.#jittered(firstMs, jitter), slackMs, again);
    const repeat: Repeat = { current: id, isCancelled: false };
    if (!this.#isStopped) this.#repeats.set(id, repeat);
    return id;
  }

  /** False when it has run, was cancelled, or is unknown. */
  cancel(id: TimerId): boolean {
    const repeat = this.#repeats.get(id);
    if (repeat === undefined) return this.#drop(id);
    this.#repeats.delete(id);
    repeat.isCancelled = true;
    this.#drop(repeat.current);
    return true;
  }

  /** Cancels all. What is asked for later never runs, so that owners may end in any order. */
  stop(): void {
    this.#isStopped = true;
    for (const repeat of this.#repeats.values()) repeat.isCancelled = true;
    this.#repeats.clear();
    this.#wheel.clear();
    this.#lazy.clear();
    this.#lazyIds.clear();
    this.#disarm();
  }

  /** Runs what is due now and would wait for its slack to end. Not to be called from a timer's callback. */
  look(): void {
    const dueMs = this.#lazy.nextDeadlineMs();
    if (this.#isRunning || dueMs === null || dueMs > this.#clock.nowMs()) return;
    this.#disarm();
    this.#run();
  }

  #insert(delayMs: number, slackMs: number, run: () => void): TimerId {
    if (this.#isStopped) return 0 as TimerId;
    const nowMs = this.#clock.nowMs();
    if (!this.#isRunning) this.#wheel.catchUp(nowMs);
    const lastMs = nowMs + delayMs + slackMs;
    const id = slackMs > 0 ? this.#insertLazy(nowMs + delayMs, lastMs, run) : this.#wheel.insert(lastMs, run);
    if (!this.#isRunning && lastMs < this.#wakeMs) this.#arm();
    return id;
  }

  #insertLazy(dueMs: number, lastMs: number, run: () => void): TimerId {
    const either = (): void => {
      this.#drop(id);
      run();
    };
    const id = this.#wheel.insert(lastMs, either);
    this.#lazyIds.set(id, this.#lazy.insert(dueMs, either));
    return id;
  }

  #drop(id: TimerId): boolean {
    const lazy = this.#lazyIds.get(id);
    if (lazy !== undefined) {
      this.#lazyIds.delete(id);
      this.#lazy.cancel(lazy);
    }
    return this.#wheel.cancel(id) || lazy !== undefined;
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
    const nowMs = this.#clock.nowMs();
    const call = (run: () => void): void => {
      try {
        run();
      } catch (error) {
        errors.push(error);
      }
    };
    this.#isRunning = true;
    this.#wheel.advance(nowMs, call);
    this.#lazy.advance(nowMs, call);
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
