import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkLinearizable, type HistoryEntry, type Operation } from "../../src/sim/check/linearizability.ts";

let clock = 0;
const entry = (client: string, operation: Operation, from: number, to: number): HistoryEntry => ({
  client,
  key: "k",
  operation,
  calledAtMs: from,
  returnedAtMs: to,
});
const read = (result: string | null): Operation => ({ kind: "read", result });
const write = (value: string): Operation => ({ kind: "write", value });

/** Every order of the entries that respects time, by brute force. */
function bruteForce(entries: readonly HistoryEntry[]): boolean {
  const go = (left: readonly HistoryEntry[], value: string | null): boolean => {
    if (left.every((e) => e.returnedAtMs === Number.POSITIVE_INFINITY)) return true;
    const firstReturn = Math.min(...left.map((e) => e.returnedAtMs));
    return left.some((e) => {
      if (e.calledAtMs > firstReturn) return false;
      const rest = left.filter((other) => other !== e);
      const { operation } = e;
      if (operation.kind === "read") return operation.result === value && go(rest, value);
      if (operation.kind === "write") return go(rest, operation.value);
      const isDone = operation.expected === value;
      if (operation.isDone !== null && operation.isDone !== isDone) return false;
      return go(rest, isDone ? operation.value : value);
    });
  };
  return go(
    entries.filter((e) => e.operation.kind !== "read" || e.returnedAtMs !== Number.POSITIVE_INFINITY),
    null,
  );
}

describe("the history checker", () => {
  it("accepts a read that sees a write which runs at the same time, or does not", () => {
    for (const result of [null, "a"]) {
      const history = [entry("1", write("a"), 0, 10), entry("2", read(result), 5, 6)];
      expect(checkLinearizable(history).kind).toBe("linearizable");
    }
  });

  it("finds a read that misses a write which had returned, and says where it is stuck", () => {
    const stale = entry("2", read(null), 11, 12);
    const result = checkLinearizable([entry("1", write("a"), 0, 10), stale]);
    expect(result).toMatchObject({ kind: "violation", key: "k", stuck: [stale] });
  });

  it("finds reads that go back in time", () => {
    const history = [entry("1", write("a"), 0, 100), entry("2", read("a"), 1, 2), entry("3", read(null), 3, 4)];
    expect(checkLinearizable(history).kind).toBe("violation");
  });

  it("lets a write without an answer happen late or never", () => {
    const lost = entry("1", write("a"), 0, Number.POSITIVE_INFINITY);
    expect(checkLinearizable([lost, entry("2", read(null), 50, 51)]).kind).toBe("linearizable");
    expect(checkLinearizable([lost, entry("2", read(null), 50, 51), entry("2", read("a"), 60, 61)]).kind).toBe(
      "linearizable",
    );
  });

  it("agrees with brute force on random small histories", () => {
    const value = fc.constantFrom("a", "b");
    const operation: fc.Arbitrary<Operation> = fc.oneof(
      fc.option(value, { nil: null }).map(read),
      value.map(write),
      fc.record({
        kind: fc.constant("compareAndSet" as const),
        expected: fc.option(value, { nil: null }),
        value,
        isDone: fc.constantFrom(true, false, null),
      }),
    );
    const one = fc.record({ operation, from: fc.nat(20), length: fc.nat(10), isLost: fc.boolean() }).map((r) => {
      const isLost = r.isLost && (r.operation.kind !== "compareAndSet" || r.operation.isDone === null);
      return entry(String(clock++), r.operation, r.from, isLost ? Number.POSITIVE_INFINITY : r.from + r.length + 0.5);
    });
    let violations = 0;
    fc.assert(
      fc.property(fc.array(one, { maxLength: 6 }), (history) => {
        const expected = bruteForce(history);
        if (!expected) violations++;
        expect(checkLinearizable(history).kind).toBe(expected ? "linearizable" : "violation");
      }),
      { numRuns: 2_000 },
    );
    expect(violations).toBeGreaterThan(100);
  });
});
