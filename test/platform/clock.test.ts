import { expect, test } from "vitest";
import { Timers } from "../../src/kernel/mod.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { systemRandom } from "../../src/platform/random.ts";

test("a wake is never early, and never comes after it was cancelled", async () => {
  const early: number[] = [];
  await Promise.all(
    Array.from({ length: 60 }, (_, index) => {
      const dueMs = systemClock.nowMs() + index / 3;
      return new Promise<void>((resolve) => {
        systemClock.wake(index / 3, () => {
          if (systemClock.nowMs() < dueMs) early.push(index);
          resolve();
        });
        systemClock.wake(index / 3, () => expect.unreachable())();
      });
    }),
  );
  expect(early).toEqual([]);
});

test("a wake far beyond the runtime's own timers does not come at once", async () => {
  let hasCome = false;
  const cancel = systemClock.wake(2 ** 40, () => {
    hasCome = true;
  });
  await new Promise((resolve) => setTimeout(resolve, 30));
  cancel();
  expect(hasCome).toBe(false);
});

test("soon comes after this turn, and before a wake", async () => {
  const order: string[] = [];
  await new Promise<void>((resolve) => {
    systemClock.wake(5, () => resolve());
    systemClock.soon(() => order.push("soon"));
    queueMicrotask(() => order.push("same turn"));
    order.push("call");
  });
  expect(order).toEqual(["call", "same turn", "soon"]);
});

test("timers on the machine's clock keep their order", async () => {
  const timers = new Timers(systemClock, systemRandom);
  const ran: number[] = [];
  for (const delayMs of [25, 5, 15, 40]) timers.after(delayMs, () => ran.push(delayMs));
  await new Promise<void>((resolve) => void timers.after(60, resolve));
  expect(ran).toEqual([5, 15, 25, 40]);
  timers.stop();
});

test("random bytes come in any count, and differ", () => {
  expect(systemRandom.bytes(0)).toHaveLength(0);
  const bytes = systemRandom.bytes(200_000);
  expect(bytes).toHaveLength(200_000);
  expect(new Set(bytes.subarray(-1000)).size).toBeGreaterThan(200);
  expect(systemRandom.next()).toBeLessThan(1);
});
