import fc from "fast-check";
import { expect, test } from "vitest";
import { BoundedQueue } from "../../src/kernel/mod.ts";

test("a queue gives back what an array would, and refuses what is over its limit", () => {
  const steps = fc.array(fc.oneof(fc.nat(100), fc.constantFrom("shift" as const, "shift" as const, "clear" as const)));
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 70 }), steps, (limit, all) => {
      const queue = new BoundedQueue<number>(limit);
      let model: number[] = [];
      for (const step of all) {
        if (step === "shift") expect(queue.shift()).toBe(model.shift());
        else if (step === "clear") {
          queue.clear();
          model = [];
        } else {
          expect(queue.push(step)).toBe(model.length < limit);
          if (model.length < limit) model.push(step);
        }
        expect([queue.length, queue.isFull, queue.peek(), [...queue]]).toEqual([
          model.length,
          model.length === limit,
          model[0],
          model,
        ]);
      }
    }),
  );
});

test("a limit that is no count is a bug", () => {
  for (const wrong of [0, -1, 1.5, Number.NaN]) expect(() => new BoundedQueue(wrong)).toThrow("limit");
});
