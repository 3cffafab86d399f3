import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Breaker } from "../../src/agent/breaker.ts";
import { type RestartPolicy, type Strategy, Supervisor } from "../../src/agent/supervisor.ts";

const middle = { next: () => 0.5 };

function supervisor(strategy: Strategy = "one-for-one", failuresMax = 100): Supervisor {
  const backoff = { firstMs: 100, maxMs: 1_000 };
  const breaker = { failuresMax, windowMs: 60_000, restMs: 5_000, restMsMax: 20_000 };
  return new Supervisor({ strategy, backoff, breaker, stableMs: 10_000 }, middle);
}

function running(strategy: Strategy, policies: Readonly<Record<string, RestartPolicy>>): Supervisor {
  const made = supervisor(strategy);
  for (const [id, policy] of Object.entries(policies)) {
    made.add(id, policy);
    made.started(id, 0);
  }
  return made;
}

const failure = (nowMs = 1) => ({ isOrderly: false, nowMs });

describe("policies", () => {
  test.each([
    ["permanent", false, true],
    ["permanent", true, true],
    ["transient", false, true],
    ["transient", true, false],
    ["temporary", false, false],
    ["temporary", true, false],
  ] as const)("a %s child, orderly %s, is started again: %s", (policy, isOrderly, isAgain) => {
    const one = running("one-for-one", { a: policy });
    const verdict = one.exited("a", { isOrderly, nowMs: 1 });
    expect(verdict.start.map(({ id }) => id)).toEqual(isAgain ? ["a"] : []);
    expect(one.ids).toEqual(isAgain ? ["a"] : []);
  });
});

describe("strategies", () => {
  const all = { a: "permanent", b: "permanent", c: "permanent" } as const;
  test.each([
    ["one-for-one", [], ["b"]],
    ["one-for-all", ["c", "a"], ["a", "b", "c"]],
    ["rest-for-one", ["c"], ["b", "c"]],
  ] as const)("%s ends %j and starts %j after the end of the second", (strategy, end, start) => {
    const verdict = running(strategy, all).exited("b", failure());
    expect(verdict.end).toEqual(end);
    expect(verdict.start.map(({ id }) => id)).toEqual(start);
  });

  test("temporary neighbours are ended and not started again", () => {
    const one = running("one-for-all", { a: "permanent", b: "temporary" });
    const verdict = one.exited("a", failure());
    expect(verdict).toMatchObject({ end: ["b"], start: [{ id: "a" }] });
    expect(one.ids).toEqual(["a"]);
  });

  test("no verdict starts what it does not know or ends what is down", () => {
    const policy = fc.constantFrom<RestartPolicy>("permanent", "transient", "temporary");
    const strategy = fc.constantFrom<Strategy>("one-for-one", "one-for-all", "rest-for-one");
    const steps = fc.array(fc.tuple(fc.nat(9), fc.boolean()), { maxLength: 60 });
    fc.assert(
      fc.property(strategy, fc.array(policy, { minLength: 1, maxLength: 6 }), steps, (how, policies, ends) => {
        const one = running(how, Object.fromEntries(policies.map((each, index) => [`c${index}`, each])));
        const up = new Set(one.ids);
        for (const [index, [child, isOrderly]] of ends.entries()) {
          const id = [...up][child % Math.max(1, up.size)];
          if (id === undefined) return;
          up.delete(id);
          const verdict = one.exited(id, { isOrderly, nowMs: index });
          for (const ended of verdict.end) expect(up.delete(ended)).toBe(true);
          for (const { id: started, afterMs } of verdict.start) {
            expect(one.ids).toContain(started);
            expect(afterMs).toBeGreaterThanOrEqual(0);
            one.started(started, index);
            up.add(started);
          }
          expect([...up].sort()).toEqual([...one.ids].sort());
        }
      }),
    );
  });
});

describe("back-off", () => {
  test("doubles with each failure up to a limit, and begins anew after a long run", () => {
    const one = running("one-for-one", { a: "permanent" });
    const waits: (number | undefined)[] = [];
    for (let nowMs = 1; nowMs <= 6; nowMs++) {
      waits.push(one.exited("a", failure(nowMs)).start[0]?.afterMs);
      one.started("a", nowMs);
    }
    expect(waits).toEqual([100, 200, 400, 800, 1_000, 1_000]);
    expect(one.exited("a", failure(20_000)).start[0]?.afterMs).toBe(100);
  });
});

describe("the circuit breaker", () => {
  test("opens after too many failures in a while; one try decides, and each that fails doubles the rest", () => {
    const breaker = new Breaker({ failuresMax: 3, windowMs: 1_000, restMs: 500, restMsMax: 1_500 });
    for (const atMs of [0, 900, 1_800, 2_801]) breaker.failed(atMs);
    expect(breaker.state(2_801)).toBe("closed");
    breaker.failed(2_850);
    expect([breaker.state(2_851), breaker.restMs(2_851)]).toEqual(["closed", 0]);
    breaker.failed(2_860);
    expect([breaker.state(2_861), breaker.restMs(2_860)]).toEqual(["open", 500]);
    expect(breaker.state(3_360)).toBe("half-open");
    breaker.failed(3_360);
    expect(breaker.restMs(3_360)).toBe(1_000);
    breaker.failed(3_400);
    expect(breaker.restMs(3_400)).toBe(960);
    breaker.failed(4_400);
    expect(breaker.restMs(4_400)).toBe(1_500);
    breaker.succeeded();
    expect(breaker.state(4_401)).toBe("closed");
  });

  test("a supervisor whose children fail too often starts them after the rest", () => {
    const one = supervisor("one-for-one", 3);
    one.add("a", "permanent");
    one.exited("a", failure(1));
    one.exited("a", failure(2));
    expect(one.exited("a", failure(3)).start[0]?.afterMs).toBe(5_000);
    expect([one.restMs(4), one.isTrying(5_003)]).toEqual([4_999, true]);
    one.proved("a");
    expect(one.restMs(5_004)).toBe(0);
  });
});
