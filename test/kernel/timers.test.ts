import { expect, test } from "vitest";
import { type Clock, type Random, Timers } from "../../src/kernel/mod.ts";

/** A clock that stands until it is moved. */
class HandClock implements Clock {
  timeMs: number;
  #wakes: { atMs: number; run: () => void }[] = [];
  wakesAsked = 0;

  constructor(timeMs = 0) {
    this.timeMs = timeMs;
  }

  get pending(): number {
    return this.#wakes.length;
  }
  nowMs(): number {
    return this.timeMs;
  }
  wallMs(): number {
    return this.timeMs;
  }
  soon(run: () => void): void {
    this.wake(0, run);
  }
  wake(delayMs: number, run: () => void): () => void {
    const wake = { atMs: this.timeMs + delayMs, run };
    this.#wakes.push(wake);
    this.wakesAsked += 1;
    return () => {
      this.#wakes = this.#wakes.filter((each) => each !== wake);
    };
  }
  /** Wakes at every moment on the way. */
  moveTo(timeMs: number): void {
    for (;;) {
      const next = this.#wakes.filter(({ atMs }) => atMs <= timeMs).sort((a, b) => a.atMs - b.atMs)[0];
      if (!next) break;
      this.timeMs = Math.max(this.timeMs, next.atMs);
      this.#fire(next);
    }
    this.timeMs = timeMs;
  }
  /** As after SIGSTOP: the time has passed, and only then are callbacks called. */
  jumpTo(timeMs: number): void {
    this.timeMs = timeMs;
    this.moveTo(timeMs);
  }
  #fire(wake: { run: () => void }): void {
    this.#wakes = this.#wakes.filter((each) => each !== wake);
    wake.run();
  }
}

const random: Random = { next: () => 0.75, bytes: (count) => new Uint8Array(count) };

test("timers run in order of their deadlines, with one wake of the clock pending", () => {
  const clock = new HandClock(12.5);
  const timers = new Timers(clock);
  const ran: string[] = [];
  for (const delayMs of [700, 20, 5000, 20.2]) {
    timers.after(delayMs, () => ran.push(`${delayMs} at ${clock.nowMs()}`));
    expect(clock.pending).toBe(1);
  }
  clock.moveTo(10_000);
  expect(ran).toEqual(["20 at 33", "20.2 at 33", "700 at 713", "5000 at 5013"]);
  expect([clock.pending, timers.size]).toEqual([0, 0]);
});

test("a timer that is cancelled does not run, and cancelling again says so", () => {
  const clock = new HandClock();
  const timers = new Timers(clock);
  const id = timers.after(10, () => expect.unreachable());
  expect(timers.cancel(id)).toBe(true);
  expect(timers.cancel(id)).toBe(false);
  clock.moveTo(100);
});

test("a callback that throws does not lose other timers, and its error is thrown on", () => {
  const clock = new HandClock();
  const timers = new Timers(clock);
  const ran: string[] = [];
  timers.after(10, () => {
    throw new Error("broken");
  });
  timers.after(10, () => ran.push("same moment"));
  timers.after(20, () => ran.push("later"));
  expect(() => clock.moveTo(15)).toThrow("broken");
  expect(ran).toEqual(["same moment"]);
  clock.moveTo(30);
  expect(ran).toEqual(["same moment", "later"]);
});

test("every keeps in step with its start", () => {
  const clock = new HandClock();
  const timers = new Timers(clock);
  const ranMs: number[] = [];
  const id = timers.every(100, () => ranMs.push(clock.nowMs()), { firstMs: 0, slackMs: 0 });
  clock.moveTo(350);
  expect(ranMs).toEqual([1, 100, 200, 300]);
  expect(timers.cancel(id)).toBe(true);
  expect(timers.cancel(id)).toBe(false);
  clock.moveTo(1000);
  expect(ranMs).toHaveLength(4);
});

test("after the process was stopped everything due runs once, and every does not burst", () => {
  const clock = new HandClock();
  const timers = new Timers(clock);
  const ran: string[] = [];
  timers.every(100, () => ran.push(`every at ${clock.nowMs()}`), { slackMs: 0 });
  timers.after(50, () => ran.push("short"));
  timers.after(5000, () => ran.push("long"));
  clock.jumpTo(10_030);
  expect(ran).toEqual(["short", "every at 10030", "long"]);
  clock.moveTo(10_250);
  expect(ran.slice(3)).toEqual(["every at 10100", "every at 10200"]);
});

test("every with jitter draws each interval", () => {
  const clock = new HandClock();
  const timers = new Timers(clock, random);
  const ranMs: number[] = [];
  timers.every(100, () => ranMs.push(clock.nowMs()), { jitter: 0.5, slackMs: 0 });
  clock.moveTo(510);
  expect(ranMs).toEqual([125, 250, 375, 500]);
  const without = new Timers(clock);
  expect(() => without.every(100, () => {}, { jitter: 0.2 })).toThrow("need a Random");
});

test("a timer with slack runs with the next wake after its deadline, or when its slack ends", () => {
  const clock = new HandClock();
  const timers = new Timers(clock);
  const ran: string[] = [];
  const at = (name: string) => () => ran.push(`${name} at ${clock.nowMs()}`);
  timers.after(50, at("lazy"), { slackMs: 40 });
  timers.after(70, at("strict"));
  timers.after(100, at("alone"), { slackMs: 40 });
  clock.moveTo(200);
  expect(ran).toEqual(["strict at 70", "lazy at 70", "alone at 140"]);
  expect([clock.wakesAsked, clock.pending, timers.size]).toEqual([3, 0, 0]);
});

test("look runs what has slack and is due, and takes back the wake at the end of its slack", () => {
  const clock = new HandClock();
  const timers = new Timers(clock);
  const ranMs: number[] = [];
  timers.every(100, () => ranMs.push(clock.nowMs()));
  for (const timeMs of [90, 110, 190, 205]) {
    clock.moveTo(timeMs);
    timers.look();
  }
  expect(ranMs).toEqual([110, 205]);
  const asked = clock.wakesAsked;
  clock.moveTo(319);
  expect([ranMs.length, clock.wakesAsked]).toEqual([2, asked]);
  clock.moveTo(330);
  expect(ranMs.slice(2)).toEqual([320]);
});

test("a timer with slack that is cancelled does not run", () => {
  const clock = new HandClock();
  const timers = new Timers(clock);
  const id = timers.after(50, () => expect.unreachable(), { slackMs: 40 });
  expect([timers.cancel(id), timers.cancel(id), timers.size]).toEqual([true, false, 0]);
  const repeating = timers.every(50, () => expect.unreachable());
  expect(timers.cancel(repeating)).toBe(true);
  clock.moveTo(200);
});

test("every may cancel itself while it runs", () => {
  const clock = new HandClock();
  const timers = new Timers(clock);
  let count = 0;
  const id = timers.every(10, () => {
    count += 1;
    if (count === 3) timers.cancel(id);
  });
  clock.moveTo(200);
  expect([count, timers.size]).toEqual([3, 0]);
});

test("after stop nothing runs, also not what is asked for later", () => {
  const clock = new HandClock();
  const timers = new Timers(clock);
  timers.after(10, () => expect.unreachable());
  timers.every(10, () => expect.unreachable());
  timers.stop();
  timers.cancel(timers.after(10, () => expect.unreachable()));
  timers.cancel(timers.every(10, () => expect.unreachable()));
  expect(clock.pending).toBe(0);
  clock.moveTo(100);
});

test("stop inside a callback ends the rest of the moment too", () => {
  const clock = new HandClock();
  const timers = new Timers(clock);
  timers.after(10, () => timers.stop());
  timers.after(10, () => expect.unreachable());
  clock.moveTo(100);
});

test("deadlines that are set and cancelled again cost no wakes of the clock", () => {
  const clock = new HandClock();
  const timers = new Timers(clock);
  for (let call = 0; call < 1000; call++) {
    clock.moveTo(call);
    timers.cancel(timers.after(5000, () => expect.unreachable()));
  }
  expect(clock.wakesAsked).toBeLessThanOrEqual(2);
});

test("a delay that is no time is a bug", () => {
  const timers = new Timers(new HandClock());
  for (const wrong of [-1, Number.NaN, Number.POSITIVE_INFINITY])
    expect(() => timers.after(wrong, () => {})).toThrow("delay");
  for (const wrong of [0, -1, Number.NaN]) expect(() => timers.every(wrong, () => {})).toThrow("interval");
});
