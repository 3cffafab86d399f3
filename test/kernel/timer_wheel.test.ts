import fc from "fast-check";
import { expect, test } from "vitest";
import { type TimerId, TimerWheel } from "../../src/kernel/mod.ts";

/** Timers as a list that is sorted anew each time: what the wheel must do, the slow way. */
class SortedModel {
  nowTick: number;
  #order = 0;
  #timers: { tick: number; order: number; name: number }[] = [];

  constructor(nowMs: number) {
    this.nowTick = Math.floor(nowMs);
  }

  insert(deadlineMs: number, name: number): void {
    const tick = Math.max(Math.ceil(deadlineMs), this.nowTick + 1);
    this.#timers.push({ tick, order: this.#order++, name });
  }

  cancel(name: number): boolean {
    const before = this.#timers.length;
    this.#timers = this.#timers.filter((timer) => timer.name !== name);
    return this.#timers.length < before;
  }

  advance(nowMs: number): number[] {
    this.nowTick = Math.max(this.nowTick, Math.floor(nowMs));
    const due = this.#timers.filter(({ tick }) => tick <= this.nowTick);
    this.#timers = this.#timers.filter(({ tick }) => tick > this.nowTick);
    return due.sort((a, b) => a.tick - b.tick || a.order - b.order).map(({ name }) => name);
  }

  earliest(): number | null {
    return this.#timers.length === 0 ? null : Math.min(...this.#timers.map(({ tick }) => tick));
  }
}

const delay = fc.oneof(
  fc.double({ min: -5, max: 300, noNaN: true }),
  fc.double({ min: 0, max: 70_000, noNaN: true }),
  fc.integer({ min: 0, max: 20_000_000 }),
  fc.integer({ min: 0, max: 2 ** 34 }),
);
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("insert" as const), delay }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("cancel" as const), pick: fc.nat(1000) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("advance" as const), delay }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("to next" as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("catch up" as const), share: fc.double({ min: 0, max: 1, noNaN: true }) }),
  },
);

test("the wheel expires what a sorted list expires, in the same order", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 40 }), fc.array(step, { maxLength: 200 }), (startMs, steps) => {
      const wheel = new TimerWheel<{ name: number }>(startMs);
      const model = new SortedModel(startMs);
      const ids: TimerId[] = [];
      let nowMs = startMs;
      for (const each of steps) {
        if (each.kind === "insert") {
          const name = ids.length;
          ids.push(wheel.insert(nowMs + each.delay, { name }));
          model.insert(nowMs + each.delay, name);
        } else if (each.kind === "cancel") {
          if (ids.length === 0) continue;
          const name = each.pick % ids.length;
          expect(wheel.cancel(ids[name] as TimerId)).toBe(model.cancel(name));
        } else if (each.kind === "catch up") {
          const earliest = model.earliest() ?? nowMs + 1000;
          nowMs = Math.max(nowMs, nowMs + (earliest - 1 - nowMs) * each.share);
          wheel.catchUp(nowMs);
          model.advance(nowMs);
        } else {
          nowMs = each.kind === "advance" ? nowMs + Math.max(0, each.delay) : (wheel.nextDeadlineMs() ?? nowMs);
          const expired: number[] = [];
          wheel.advance(nowMs, ({ name }) => expired.push(name));
          expect(expired).toEqual(model.advance(nowMs));
        }
        const [next, earliest] = [wheel.nextDeadlineMs(), model.earliest()];
        if (earliest === null) expect(next).toBeNull();
        else expect(next).toBeLessThanOrEqual(earliest);
      }
    }),
    { numRuns: 400 },
  );
});

test("following nextDeadlineMs meets every deadline at its tick, after at most four cascades", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 2 ** 33 }),
      fc.array(delay, { minLength: 1, maxLength: 50 }),
      (startMs, delays) => {
        const wheel = new TimerWheel<{ tick: number }>(startMs);
        for (const each of delays)
          wheel.insert(startMs + each, { tick: Math.max(Math.ceil(startMs + each), startMs + 1) });
        let wakes = 0;
        for (let next = wheel.nextDeadlineMs(); next !== null; next = wheel.nextDeadlineMs()) {
          const nowMs = next;
          wakes += 1;
          wheel.advance(nowMs, ({ tick }) => expect(tick).toBe(nowMs));
        }
        expect(wakes).toBeLessThanOrEqual(delays.length * 5 + 4);
      },
    ),
    { numRuns: 200 },
  );
});

test("an id is not taken for the timer that later uses the same place", () => {
  const wheel = new TimerWheel<string>();
  const first = wheel.insert(10, "first");
  expect(wheel.cancel(first)).toBe(true);
  const second = wheel.insert(10, "second");
  expect(wheel.cancel(first)).toBe(false);
  expect(wheel.size).toBe(1);
  expect(wheel.cancel(second)).toBe(true);
  for (const wrong of [0, -1, 5, 2 ** 52, Number.NaN, 0.5]) expect(wheel.cancel(wrong as TimerId)).toBe(false);
});

test("what a callback inserts expires in a later advance, and what it cancels does not expire", () => {
  const wheel = new TimerWheel<() => void>();
  const ran: string[] = [];
  wheel.insert(5, () => {
    ran.push("a");
    wheel.insert(0, () => ran.push("inserted"));
    wheel.cancel(other);
    wheel.cancel(later);
  });
  const other = wheel.insert(5, () => ran.push("other"));
  const later = wheel.insert(500, () => ran.push("later"));
  wheel.advance(1000, (run) => run());
  expect(ran).toEqual(["a"]);
  wheel.advance(1001, (run) => run());
  expect(ran).toEqual(["a", "inserted"]);
  expect(wheel.nextDeadlineMs()).toBeNull();
});

test("when expiring throws, the rest stays due", () => {
  const wheel = new TimerWheel<string>();
  for (const name of ["a", "b", "c"]) wheel.insert(3, name);
  expect(() =>
    wheel.advance(10, () => {
      throw new Error("no");
    }),
  ).toThrow("no");
  const rest: string[] = [];
  wheel.advance(10, (name) => rest.push(name));
  expect(rest).toEqual(["b", "c"]);
});

test("a hundred thousand timers expire in order, and clear leaves none", () => {
  const wheel = new TimerWheel<{ at: number }>();
  for (let index = 0; index < 100_000; index++) {
    const at = (index * 7919) % 1_000_003;
    wheel.insert(at, { at });
  }
  let last = 0;
  let count = 0;
  wheel.advance(500_000, ({ at }) => {
    expect(at).toBeGreaterThanOrEqual(last);
    last = at;
    count += 1;
  });
  expect(wheel.size).toBe(100_000 - count);
  wheel.clear();
  expect([wheel.size, wheel.nextDeadlineMs()]).toEqual([0, null]);
});

test("a deadline that is no finite time is a bug", () => {
  const wheel = new TimerWheel<string>();
  for (const wrong of [Number.NaN, Number.POSITIVE_INFINITY]) expect(() => wheel.insert(wrong, "x")).toThrow("finite");
});
