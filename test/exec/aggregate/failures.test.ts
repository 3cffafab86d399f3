import { describe, expect, test } from "vitest";
import { Arena, decimal, field, float32, float64, int32, int64, schema, uint64, utf8 } from "../../../src/arrow/mod.ts";
import { ExecError } from "../../../src/exec/mod.ts";
import { type AggregateCase, rowText, runAggregation } from "./support.ts";

async function failureOf(test: AggregateCase): Promise<ExecError> {
  const error = await runAggregation(test).then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(ExecError);
  return error as ExecError;
}

const MAX = 2n ** 63n - 1n;

describe("a sum that does not fit", () => {
  const of = schema([field("k", int32), field("v", int64)]);

  test("of int64 names the aggregate and the operator", async () => {
    for (const keys of [[], ["k"]]) {
      const rows = [
        { k: 1, v: MAX },
        { k: 1, v: 1n },
      ];
      const error = await failureOf({ schema: of, rows, keys, aggregates: [["sum", "v"]] });
      expect(error.code).toBe("integerOverflow");
      expect(error.operator).toBe(3);
      expect(error.message).toContain("sum_v");
    }
  });

  test("on the way but does at the end is no error", async () => {
    for (const count of [3, 24]) {
      for (const workers of [1, 2]) {
        const third = Array.from({ length: count / 3 }, () => [
          { k: 1, v: MAX },
          { k: 1, v: MAX },
          { k: 1, v: -MAX - 1n },
        ]).flat();
        const balance = Array.from({ length: count / 3 }, () => ({ k: 1, v: -MAX }));
        const rows = [...third, ...balance];
        for (const keys of [[], ["k"]]) {
          const result = await runAggregation({
            schema: of,
            rows,
            keys,
            aggregates: [
              ["sum", "v"],
              ["avg", "v"],
            ],
            workers,
            morselRows: 8,
          });
          expect(result[0]?.["sum_v"]).toBe(BigInt(-count / 3));
        }
      }
    }
  });

  test("of 64-bit integers made decimals fits, with keys or without", async () => {
    const rows = [MAX, MAX, 1n, null, -MAX - 1n].map((v) => ({ k: 1, v }));
    const lows = [-MAX - 1n, -MAX - 1n, null].map((v) => ({ k: 2, v }));
    const aggregates = [["sum", "v"] as const];
    const signed = { schema: of, aggregates, widens: true, workers: 2, morselRows: 2 };
    const grouped = await runAggregation({ ...signed, rows: [...rows, ...lows, { k: 3, v: null }], keys: ["k"] });
    const sums = new Map(grouped.map(({ k, sum_v }) => [k, sum_v]));
    expect([1, 2, 3].map((k) => sums.get(k))).toEqual(["9223372036854775807", "-18446744073709551616", null]);
    expect(await runAggregation({ ...signed, rows: lows, keys: [] })).toEqual([{ sum_v: "-18446744073709551616" }]);
    expect(await runAggregation({ ...signed, rows: [], keys: [] })).toEqual([{ sum_v: null }]);
    const unsigned = schema([field("v", uint64)]);
    const large = [{ v: 2n ** 64n - 1n }, { v: 2n ** 64n - 1n }];
    const result = await runAggregation({ schema: unsigned, rows: large, keys: [], aggregates, widens: true });
    expect(result).toEqual([{ sum_v: "36893488147419103230" }]);
  });

  test("of uint64 and of decimals is an error too", async () => {
    const unsigned = schema([field("v", uint64)]);
    const rows = [{ v: 2n ** 64n - 1n }, { v: 1n }];
    expect((await failureOf({ schema: unsigned, rows, keys: [], aggregates: [["sum", "v"]] })).code).toBe(
      "integerOverflow",
    );
    const wide = schema([field("v", decimal(38, 0))]);
    const nines = "9".repeat(38);
    const tooLarge = { schema: wide, rows: [{ v: nines }, { v: "1" }], keys: [], aggregates: [["sum", "v"]] } as const;
    expect((await failureOf(tooLarge)).code).toBe("decimalOverflow");
    const back = [{ v: nines }, { v: nines }, { v: nines }, { v: `-${nines}` }, { v: `-${nines}` }];
    expect(await runAggregation({ ...tooLarge, rows: back })).toEqual([{ sum_v: nines }]);
  });
});

describe("NaN and infinities", () => {
  for (const type of [float32, float64]) {
    test(`NaN is the greatest ${type.kind}`, async () => {
      const of = schema([field("k", int32), field("v", type)]);
      const values = [Number.NaN, Number.NEGATIVE_INFINITY, 1, Number.POSITIVE_INFINITY];
      for (const keys of [[], ["k"]]) {
        for (const length of [1, 4, 40]) {
          const rows = Array.from({ length }, (_, i) => ({ k: 1, v: values[i % 4] as number }));
          const [row] = await runAggregation({
            schema: of,
            rows,
            keys,
            aggregates: [
              ["min", "v"],
              ["max", "v"],
              ["quantile", "v", 1],
              ["countDistinct", "v"],
            ],
            workers: 2,
            morselRows: 16,
          });
          const { k: _, ...found } = row ?? {};
          expect(rowText(found)).toBe(
            rowText({
              min_v: length === 1 ? Number.NaN : Number.NEGATIVE_INFINITY,
              max_v: Number.NaN,
              quantile_v_1: Number.NaN,
              countDistinct_v: length === 1 ? 1n : 4n,
            }),
          );
        }
      }
    });
  }
});

describe("memory", () => {
  test("that does not suffice is an error of the operator, and all is freed", async () => {
    const of = schema([field("k", int32), field("s", utf8)]);
    const rows = Array.from({ length: 40_000 }, (_, i) => ({ k: i, s: `a text of more than eight bytes ${i}` }));
    for (const limitMib of [6, 8, 12, 16]) {
      const arena = Arena.create({ limitBytes: limitMib * 2 ** 20 });
      for (const workers of [1, 2]) {
        const error = await failureOf({
          schema: of,
          rows,
          keys: ["k", "s"],
          aggregates: [
            ["max", "s"],
            ["countDistinct", "s"],
            ["quantile", "k", 0.5],
            ["last", "s"],
          ],
          workers,
          arena,
        });
        expect(error.code).toBe("memoryLimit");
        expect(error.operator).toBe(3);
      }
      expect(arena.bytesInUse()).toBe(0);
    }
  });

  test("of values that grow row by row stays within a constant factor", async () => {
    const of = schema([field("s", utf8)]);
    const rows = Array.from({ length: 20_000 }, (_, i) => ({
      s: `${String(i).padStart(8, "0")}${"x".repeat(i % 300)}`,
    }));
    const arena = Arena.create({ limitBytes: 2 ** 23 });
    const result = await runAggregation({
      schema: of,
      rows,
      keys: [],
      aggregates: [
        ["max", "s"],
        ["last", "s"],
      ],
      arena,
    });
    expect(result[0]?.["max_s"]).toBe(rows.at(-1)?.s);
    expect(result[0]?.["last_s"]).toBe(rows.at(-1)?.s);
  });
});
