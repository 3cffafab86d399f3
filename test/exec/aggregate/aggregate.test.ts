import { describe, expect, test } from "vitest";
import {
  binary,
  bool,
  type Cell,
  type DataType,
  date32,
  decimal,
  dictionary,
  duration,
  field,
  fixedSizeBinary,
  float32,
  float64,
  int8,
  int16,
  int32,
  int64,
  schema,
  time,
  timestamp,
  typeName,
  uint8,
  uint16,
  uint32,
  uint64,
  utf8,
} from "../../../src/arrow/mod.ts";
import type { AggregateFunction } from "../../../src/plan/mod.ts";
import { randomSource } from "./random.ts";
import { referenceAggregation } from "./reference.ts";
import { type AggregateCase, runAggregation, sortedTexts } from "./support.ts";

const SEED = 20_250_607;

const NUMBERS = [
  int8,
  int16,
  int32,
  int64,
  uint8,
  uint16,
  uint32,
  uint64,
  float32,
  float64,
  decimal(18, 2),
  decimal(38, 4),
];
const OTHERS = [
  bool,
  utf8,
  dictionary(utf8),
  binary,
  fixedSizeBinary(3),
  date32,
  timestamp("microsecond", "UTC"),
  time("millisecond"),
  time("nanosecond"),
  duration("second"),
];
const ANY: AggregateFunction[] = ["min", "max", "first", "last", "count", "countDistinct"];
const NUMERIC: AggregateFunction[] = ["sum", "avg", "variance", "stddev"];

function rowsOf(type: DataType, options: { count: number; nulls: number; groups: number; seed?: number }) {
  const random = randomSource(options.seed ?? SEED);
  return Array.from({ length: options.count }, () => ({
    // One key is heavy.
    k: random.chance(0.3) ? 0 : random.chance(0.1) ? null : random.below(options.groups),
    v: random.chance(options.nulls) ? null : random.value(type),
  }));
}

async function expectLikeReference(test: AggregateCase): Promise<void> {
  expect(sortedTexts(await runAggregation(test))).toEqual(sortedTexts(referenceAggregation(test)));
}

describe("every aggregate of every type is what the obvious way gives", () => {
  for (const type of [...NUMBERS, ...OTHERS]) {
    const numeric = NUMBERS.includes(type as (typeof NUMBERS)[number]);
    const aggregates = [...ANY, ...(numeric ? NUMERIC : [])].map((fn) => [fn, "v"] as const);
    const quantiles = numeric
      ? ([
          ["quantile", "v", 0.25],
          ["quantile", "v", 1],
        ] as const)
      : [];
    for (const keys of [[], ["k"]]) {
      test(`${typeName(type)} ${keys.length > 0 ? "by a key" : "of all rows"}`, async () => {
        const of = schema([field("k", int32), field("v", type)]);
        for (const workers of [1, 2, 5]) {
          for (const nulls of [0, 0.3, 1]) {
            const rows = rowsOf(type, { count: 700, nulls, groups: 20 });
            const all = [...aggregates, ...quantiles, ["count", null] as const];
            await expectLikeReference({
              schema: of,
              rows,
              keys,
              aggregates: all,
              workers,
              batchRows: 100,
              morselRows: 33,
            });
          }
        }
      });
    }
  }
});

describe("keys of every type form the groups", () => {
  for (const type of [...NUMBERS, ...OTHERS]) {
    test(typeName(type), async () => {
      const of = schema([field("v", type), field("k", int32)]);
      for (const workers of [1, 2, 5]) {
        const rows = rowsOf(type, { count: 900, nulls: 0.2, groups: 5 });
        const aggregates = [
          ["count", null],
          ["sum", "k"],
        ] as const;
        await expectLikeReference({
          schema: of,
          rows,
          keys: ["v"],
          aggregates,
          workers,
          batchRows: 128,
          morselRows: 50,
        });
        await expectLikeReference({
          schema: of,
          rows,
          keys: ["v", "k"],
          aggregates,
          workers,
          batchRows: 128,
          morselRows: 50,
        });
      }
    });
  }
});

describe("rows", () => {
  const of = schema([field("k", int32), field("v", int64)]);

  test("none and no keys give one row of counts and nulls", async () => {
    const rows = await runAggregation({
      schema: of,
      rows: [],
      keys: [],
      aggregates: [
        ["count", null],
        ["count", "v"],
        ["sum", "v"],
        ["min", "v"],
        ["first", "v"],
        ["avg", "v"],
        ["quantile", "v", 0.5],
        ["countDistinct", "v"],
        ["stddev", "v"],
      ],
      workers: 2,
    });
    expect(rows).toEqual([
      {
        count_rows: 0n,
        count_v: 0n,
        sum_v: null,
        min_v: null,
        first_v: null,
        avg_v: null,
        "quantile_v_0.5": null,
        countDistinct_v: 0n,
        stddev_v: null,
      },
    ]);
  });

  test("none and keys give no rows", async () => {
    expect(await runAggregation({ schema: of, rows: [], keys: ["k"], aggregates: [["count", null]] })).toEqual([]);
  });

  test("without aggregates give their distinct keys", async () => {
    const rows = [
      { k: 1, v: 2n },
      { k: 1, v: 2n },
      { k: null, v: 2n },
    ];
    const result = await runAggregation({ schema: of, rows, keys: ["k", "v"], aggregates: [], workers: 2 });
    expect(sortedTexts(result)).toEqual(
      sortedTexts([
        { k: 1, v: 2n },
        { k: null, v: 2n },
      ]),
    );
  });

  test("of many groups are the same for any number of workers", async () => {
    const random = randomSource(SEED);
    const rows = Array.from({ length: 120_000 }, (_, i) => ({ k: random.below(50_000), v: BigInt(i) }));
    const aggregates = [
      ["count", null],
      ["sum", "v"],
      ["first", "v"],
      ["countDistinct", "v"],
    ] as const;
    const results = [];
    for (const workers of [1, 2, 5]) {
      results.push(sortedTexts(await runAggregation({ schema: of, rows, keys: ["k"], aggregates, workers })));
    }
    expect(results[1]).toEqual(results[0]);
    expect(results[2]).toEqual(results[0]);
    expect(results[0]).toEqual(sortedTexts(referenceAggregation({ schema: of, rows, keys: ["k"], aggregates })));
  });
});

describe("tables", () => {
  test("that outgrow the cache are set aside and merged", async () => {
    const of = schema([field("k", int32, false), field("v", int64)]);
    const [count, groups] = [230_000, 200_000];
    const rows = Array.from({ length: count }, (_, i) => ({ k: i % groups, v: i % 3 === 0 ? null : BigInt(i) }));
    const aggregates = [
      ["sum", "v"],
      ["count", null],
    ] as const;
    for (const workers of [1, 2]) {
      const result = await runAggregation({ schema: of, rows, keys: ["k"], aggregates, workers });
      expect(result.length).toBe(groups);
      const wrong = result.filter(({ k, sum_v, count_rows }) => {
        const values = [k as number, (k as number) + groups].filter((i) => i < count);
        const present = values.filter((i) => i % 3 !== 0);
        const sum = present.length === 0 ? null : present.reduce((a, i) => a + BigInt(i), 0n);
        return sum_v !== sum || count_rows !== BigInt(values.length);
      });
      expect(wrong).toEqual([]);
    }
  });

  test("that grow while an array of key combinations points into them stay right", async () => {
    const of = schema([field("k", dictionary(utf8)), field("b", bool), field("v", int64)]);
    const random = randomSource(SEED);
    const rows = Array.from({ length: 20_000 }, (_, i) => ({
      k: random.chance(0.05) ? null : `word ${random.below(3_000)}`,
      b: random.chance(0.5),
      v: BigInt(i),
    }));
    const aggregates = [
      ["sum", "v"],
      ["count", null],
    ] as const;
    for (const batchRows of [20_000, 5_000]) {
      await expectLikeReference({
        schema: of,
        rows,
        keys: ["k", "b"],
        aggregates,
        workers: 2,
        batchRows,
        morselRows: 700,
      });
    }
  });
});

describe("groups", () => {
  test("-0 and 0 are one, all NaN are one", async () => {
    const of = schema([field("k", float64)]);
    const bits = new DataView(new ArrayBuffer(8));
    bits.setBigUint64(0, 0xfff8_0000_0000_0001n);
    const rows = [0, -0, Number.NaN, bits.getFloat64(0)].map((k) => ({ k }));
    const result = await runAggregation({ schema: of, rows, keys: ["k"], aggregates: [["count", null]] });
    expect(sortedTexts(result)).toEqual(
      sortedTexts([
        { k: 0, count_rows: 2n },
        { k: Number.NaN, count_rows: 2n },
      ]),
    );
    expect(result.some(({ k }) => Object.is(k, -0))).toBe(false);
  });

  test("by strings that share their first bytes are kept apart", async () => {
    const of = schema([field("k", utf8)]);
    const keys = [
      "",
      "a",
      "a\0",
      "12345678",
      "123456789",
      "12345678\0",
      "1234567890123456",
      "12345678901234567",
      "ß".repeat(40),
    ];
    const rows = [...keys, ...keys, null].map((k) => ({ k }));
    const result = await runAggregation({
      schema: of,
      rows,
      keys: ["k"],
      aggregates: [["count", null]],
      workers: 2,
      morselRows: 4,
    });
    const wanted = [...keys.map((k) => ({ k, count_rows: 2n })), { k: null, count_rows: 1n }];
    expect(sortedTexts(result)).toEqual(sortedTexts(wanted));
  });

  test("of changing dictionaries are found again", async () => {
    const of = schema([field("k", dictionary(utf8)), field("b", bool)]);
    const rows = Array.from({ length: 1_000 }, (_, i) => ({
      k: i % 13 === 0 ? null : `word ${(i * 7) % 31}`,
      b: i % 3 === 0,
    }));
    const aggregates = [
      ["count", null],
      ["min", "k"],
      ["max", "k"],
      ["last", "k"],
    ] as const;
    for (const workers of [1, 2]) {
      await expectLikeReference({
        schema: of,
        rows,
        keys: ["k", "b"],
        aggregates,
        workers,
        batchRows: 70,
        morselRows: 25,
      });
    }
  });
});

describe("vector code gives what row code gives", () => {
  const types = [int8, int16, int32, int64, uint32, float32, float64, date32, timestamp("second")] as const;
  for (const type of types) {
    test(typeName(type), async () => {
      const of = schema([field("k", int32), field("v", type)]);
      const numeric = NUMBERS.includes(type as (typeof NUMBERS)[number]);
      const functions: AggregateFunction[] = numeric ? ["count", "min", "max", "sum", "avg"] : ["count", "min", "max"];
      const aggregates = functions.map((fn) => [fn, "v"] as const);
      for (const count of [0, 1, 7, 8, 9, 63, 64, 1_000]) {
        for (const nulls of [0, 0.4, 1]) {
          const rows = rowsOf(type, { count, nulls, groups: 4, seed: SEED + count });
          // Row numbers where morsels begin are and are not multiples of 8.
          for (const morselRows of [100, 64, 13]) {
            await expectLikeReference({ schema: of, rows, keys: [], aggregates, workers: 2, morselRows });
          }
        }
      }
    });
  }

  test("filters of every vector form", async () => {
    const of = schema([field("x", float64), field("i", int32), field("y", float64)]);
    const random = randomSource(SEED);
    const nullable = (value: Cell) => (random.chance(0.2) ? null : value);
    const rows = Array.from({ length: 500 }, () => ({
      x: nullable(random.value(float64)),
      i: nullable(random.below(20)),
      y: nullable(random.below(10)),
    }));
    const x = { kind: "column", name: "x", type: float64, nullable: true } as const;
    const y = { kind: "column", name: "y", type: float64, nullable: true } as const;
    const i = { kind: "column", name: "i", type: int32, nullable: true } as const;
    const call = (
      fn: "lt" | "le" | "gt" | "ge" | "eq" | "ne" | "and" | "or" | "not" | "isNull",
      ...args: readonly unknown[]
    ) => ({ kind: "call", fn, type: bool, nullable: true, args }) as never;
    const five = { kind: "literal", type: int32, nullable: false, value: 5 };
    const order = (a: number, b: number) =>
      Number.isNaN(a) ? (Number.isNaN(b) ? 0 : 1) : Number.isNaN(b) ? -1 : a - b || 0;
    const both = (test: (a: number, b: number) => boolean) => (row: (typeof rows)[number]) =>
      row.x === null || row.y === null ? null : test(row.x as number, row.y as number);
    const ordered = {
      lt: (o: number) => o < 0,
      le: (o: number) => o <= 0,
      gt: (o: number) => o > 0,
      ge: (o: number) => o >= 0,
      eq: (o: number) => o === 0,
      ne: (o: number) => o !== 0,
    };
    for (const [fn, test] of Object.entries(ordered)) {
      const truth = both((a, b) => test(a === b ? 0 : order(a, b)));
      const plain = call(fn as "lt", x, y);
      const cases: [never, (row: (typeof rows)[number]) => boolean | null][] = [
        [plain, truth],
        [call("not", plain), (row) => (truth(row) === null ? null : !truth(row))],
        [
          call("and", plain, call("ge", i, five)),
          (row) => truth(row) === true && row.i !== null && (row.i as number) >= 5,
        ],
        [call("or", plain, call("isNull", i)), (row) => truth(row) === true || row.i === null],
        [
          call("not", call("and", plain, call("ge", i, five))),
          (row) => {
            const right = row.i === null ? null : (row.i as number) >= 5;
            return truth(row) === false || right === false;
          },
        ],
      ];
      for (const [filter, passes] of cases) {
        const of3 = {
          schema: of,
          keys: [],
          aggregates: [
            ["count", null],
            ["sum", "i"],
            ["max", "y"],
          ],
        } as const;
        const got = await runAggregation({ ...of3, rows, filter });
        const wanted = referenceAggregation({ ...of3, rows: rows.filter((row) => passes(row) === true) });
        expect(sortedTexts(got)).toEqual(sortedTexts(wanted));
      }
    }
  });
});
