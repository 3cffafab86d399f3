import { beforeAll, describe, expect, test } from "vitest";
import * as arrow from "../../../src/arrow/mod.ts";
import type { DateUnit, LiteralValue, ScalarFunction } from "../../../src/plan/mod.ts";
import { Oracle } from "../duckdb.ts";
import { call, column, literal } from "../expressions.ts";
import { evaluate } from "../harness.ts";
import { SeededRandom } from "../random.ts";

const { int64, date32 } = arrow;
const seed = 1582;
const TIMESTAMPS = {
  second: 1n,
  millisecond: 1_000n,
  microsecond: 1_000_000n,
  nanosecond: 1_000_000_000n,
} as const;
const UNITS = [
  "year",
  "quarter",
  "month",
  "week",
  "day",
  "hour",
  "minute",
  "second",
  "millisecond",
  "microsecond",
] as const;
const PARTS: readonly (readonly [ScalarFunction, string])[] = [
  ["year", "year"],
  ["quarter", "quarter"],
  ["month", "month"],
  ["day", "day"],
  ["dayOfWeek", "isodow"],
  ["dayOfYear", "dayofyear"],
  ["hour", "hour"],
  ["minute", "minute"],
  ["second", "second"],
];

const random = new SeededRandom(seed);
const second = (iso: string) => BigInt(Date.parse(`${iso}Z`)) / 1000n;
const SECONDS = [
  0n,
  -1n,
  1n,
  86_399n,
  86_400n,
  -86_400n,
  -86_401n,
  second("2000-02-29T12:34:56"),
  second("1900-02-28T23:59:59"),
  second("2024-02-29T00:00:00"),
  second("2023-12-31T23:59:59"),
  second("2021-01-03T00:00:00"),
  second("2020-12-31T00:00:00"),
  second("1700-03-01T00:00:00"),
  ...Array.from({ length: 200 }, () => random.integer(9_000_000_000n)),
];
const DAYS = [
  0,
  -1,
  1,
  59,
  -719_468,
  2_932_896,
  ...Array.from({ length: 200 }, () => Number(random.integer(700_000n))),
];

/** Borders crossed. DuckDB counts one week too few where the epoch lies between, so weeks are counted from Mondays. */
function borders(unit: string, from: string, to: string): string {
  if (unit !== "week") return `date_diff('${unit}', ${from}, ${to})`;
  return `((epoch(date_trunc('week', ${to})) - epoch(date_trunc('week', ${from}))) / 604800)::bigint`;
}

let duckdb: Oracle;
beforeAll(async () => {
  duckdb = await Oracle.open();
});

const micro = (value: bigint) => `make_timestamp(${value}::bigint)`;
const date = (days: number) => `(date '1970-01-01' + ${days})`;

describe("dates", () => {
  test("parts of a date are DuckDB's", async () => {
    for (const [fn, part] of PARTS) {
      const result = evaluate(call(fn, [column("d", date32)], { type: int64 }), {
        columns: [{ name: "d", type: date32, values: DAYS }],
      });
      const expected = await duckdb.evaluate(`extract(${part} from d)`, {
        columns: ["d"],
        rows: DAYS.map((days) => [date(days)]),
      });
      expect({ seed, fn, result }).toEqual({ seed, fn, result: expected });
    }
  });

  test("truncation, addition and difference of dates are DuckDB's", async () => {
    const columns = [{ name: "d", type: date32, values: DAYS }];
    for (const unit of ["year", "quarter", "month", "week", "day"] as const) {
      const rows = DAYS.map((days) => [date(days)]);
      const truncated = evaluate(call("dateTruncate", [column("d", date32)], { type: date32, unit }), { columns });
      expect({ unit, truncated }).toEqual({
        unit,
        truncated: await duckdb
          .evaluate(`date_trunc('${unit}', d)::date - date '1970-01-01'`, { columns: ["d"], rows })
          .then((days) => days.map(Number)),
      });
      const counts = DAYS.map(() => random.integer(500n));
      const added = evaluate(call("dateAdd", [column("d", date32), column("n", int64)], { type: date32, unit }), {
        columns: [...columns, { name: "n", type: int64, values: counts }],
      });
      const interval = `d + n * interval 1 ${unit}`;
      const sums = await duckdb.evaluate(`(${interval})::date - date '1970-01-01'`, {
        columns: ["d", "n"],
        rows: DAYS.map((days, i) => [date(days), String(counts[i])]),
      });
      expect({ unit, added }).toEqual({ unit, added: sums.map(Number) });
      const others = DAYS.map((_, i) => DAYS[(i * 31 + 7) % DAYS.length] as number);
      const difference = evaluate(call("dateDiff", [column("d", date32), column("e", date32)], { type: int64, unit }), {
        columns: [...columns, { name: "e", type: date32, values: others }],
      });
      expect({ unit, difference }).toEqual({
        unit,
        difference: await duckdb.evaluate(borders(unit, "d", "e"), {
          columns: ["d", "e"],
          rows: DAYS.map((days, i) => [date(days), date(others[i] as number)]),
        }),
      });
    }
  });

  test("the whole range of dates has years", () => {
    const values = [-(2 ** 31), 2 ** 31 - 1];
    const columns = [{ name: "d", type: date32, values }];
    expect(evaluate(call("year", [column("d", date32)], { type: int64 }), { columns })).toEqual([-5877641n, 5881580n]);
    expect(evaluate(call("dayOfYear", [column("d", date32)], { type: int64 }), { columns })).toEqual([174n, 193n]);
    expect(() =>
      evaluate(call("dateTruncate", [column("d", date32)], { type: date32, unit: "year" }), { columns }),
    ).toThrow(/Date out of range/);
    const far = call("dateAdd", [column("d", date32), literal(1n, int64)], { type: date32, unit: "day" });
    expect(() => evaluate(far, { columns })).toThrow(/Date out of range/);
  });
});

describe("timestamps", () => {
  for (const [unit, perSecond] of Object.entries(TIMESTAMPS) as [keyof typeof TIMESTAMPS, bigint][]) {
    const type = arrow.timestamp(unit);
    const values = SECONDS.map(
      (seconds) => seconds * perSecond + (perSecond === 1n ? 0n : BigInt(random.below(Number(perSecond)))),
    );
    const asMicro = (value: bigint) => {
      const scaled = value * 1_000_000n;
      return scaled % perSecond < 0n ? scaled / perSecond - 1n : scaled / perSecond;
    };
    const rows = values.map((value) => [micro(asMicro(value))]);
    const columns = [{ name: "t", type, values }];

    test(`parts and truncation of ${unit}s are DuckDB's, before 1970 too`, async () => {
      for (const [fn, part] of PARTS) {
        const result = evaluate(call(fn, [column("t", type)], { type: int64 }), { columns });
        expect({ seed, fn, result }).toEqual({
          seed,
          fn,
          result: await duckdb.evaluate(`extract(${part} from t)`, { columns: ["t"], rows }),
        });
      }
      for (const to of UNITS) {
        if (to === "microsecond" && unit === "nanosecond") continue;
        const result = evaluate(call("dateTruncate", [column("t", type)], { type, unit: to }), { columns }).map(
          (value) => asMicro(value as bigint),
        );
        expect({ to, result }).toEqual({
          to,
          result: await duckdb.evaluate(`epoch_us(date_trunc('${to}', t))`, { columns: ["t"], rows }),
        });
      }
    });

    test(`addition to and difference of ${unit}s are DuckDB's`, async () => {
      const counts = values.map(() => random.integer(unit === "nanosecond" ? 2n : 400n));
      for (const by of ["year", "quarter", "month", "week", "day", "hour", "minute", "second"] as const) {
        const added = evaluate(call("dateAdd", [column("t", type), column("n", int64)], { type, unit: by }), {
          columns: [...columns, { name: "n", type: int64, values: counts }],
        }).map((value) => asMicro(value as bigint));
        const expected = await duckdb.evaluate(`epoch_us(t + n * interval 1 ${by})`, {
          columns: ["t", "n"],
          rows: rows.map(([t], i) => [t as string, String(counts[i])]),
        });
        expect({ by, added }).toEqual({ by, added: expected });
        const others = values.map((_, i) => values[(i * 17 + 5) % values.length] as bigint);
        const difference = evaluate(
          call("dateDiff", [column("t", type), column("u", type)], { type: int64, unit: by }),
          { columns: [...columns, { name: "u", type, values: others }] },
        );
        const differences = await duckdb.evaluate(borders(by, "t", "u"), {
          columns: ["t", "u"],
          rows: rows.map(([t], i) => [t as string, micro(asMicro(others[i] as bigint))]),
        });
        expect({ by, difference }).toEqual({ by, difference: differences });
      }
    });
  }

  test("extremes are errors, not other times", () => {
    const type = arrow.timestamp("nanosecond");
    const min = -(1n << 63n);
    const one = (value: bigint) => [{ name: "t", type, values: [value] }];
    expect(() =>
      evaluate(call("dateTruncate", [column("t", type)], { type, unit: "year" }), { columns: one(min) }),
    ).toThrow(/Date out of range/);
    expect(() =>
      evaluate(call("dateTruncate", [column("t", type)], { type, unit: "hour" }), { columns: one(min) }),
    ).toThrow(/Date out of range/);
    for (const unit of ["year", "day", "nanosecond"] as DateUnit[]) {
      const far = call("dateAdd", [column("t", type), literal((1n << 63n) - 1n, int64)], { type, unit });
      expect(() => evaluate(far, { columns: one(1n) }), unit).toThrow(/Date out of range/);
    }
    const wide = arrow.timestamp("second");
    const huge = { name: "t", type: wide, values: [(1n << 63n) - 1n, min] };
    expect(evaluate(call("year", [column("t", wide)], { type: int64 }), { columns: [huge] })).toEqual([
      292277026596n,
      -292277022657n,
    ]);
    const diff = call("dateDiff", [literal(min, type), literal(1n, type)], { type: int64, unit: "nanosecond" });
    expect(() => evaluate(diff)).toThrow(/Integer overflow/);
  });

  test("null gives null", () => {
    const type = arrow.timestamp("microsecond");
    const columns = [{ name: "t", type, values: [null, 0n] }];
    expect(evaluate(call("year", [column("t", type)], { type: int64 }), { columns })).toEqual([null, 1970n]);
    expect(
      evaluate(call("dateAdd", [column("t", type), literal(null, int64)], { type, unit: "day" }), { columns }),
    ).toEqual([null, null]);
  });
});

describe("time zones", () => {
  const ZONES = [
    "America/New_York",
    "Europe/Berlin",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
    "America/Sao_Paulo",
  ];
  const values: bigint[] = [
    ...Array.from({ length: 150 }, () => random.integer(4_000_000_000n) * 1_000_000n),
    // Around changes of New York, Berlin and beyond 2100.
    ...[
      "2024-03-10T06:59:59",
      "2024-03-10T07:00:00",
      "2024-11-03T05:30:00",
      "2024-11-03T06:30:00",
      "2024-03-31T01:00:00",
      "2024-10-27T00:59:59",
      "2150-07-01T12:00:00",
      "2150-01-01T12:00:00",
      "2600-07-01T00:00:00",
    ].map((iso) => second(iso) * 1_000_000n),
  ];

  /** Wall clock by Intl, independent of the tables. */
  function wallClock(zone: string, value: bigint) {
    const format = new Intl.DateTimeFormat("en-US", {
      timeZone: zone,
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
      era: "short",
    });
    const floor = value >= 0n ? value / 1_000_000n : -((-value + 999_999n) / 1_000_000n);
    const parts = new Map(format.formatToParts(Number(floor) * 1000).map(({ type, value: text }) => [type, text]));
    return (part: string) => BigInt(parts.get(part as "year") ?? 0);
  }

  for (const zone of ZONES) {
    const type = arrow.timestamp("microsecond", zone);
    const columns = [{ name: "t", type, values }];

    test(`parts in ${zone} are those of its wall clock`, () => {
      for (const fn of ["year", "month", "day", "hour", "minute", "second"] as const) {
        const result = evaluate(call(fn, [column("t", type)], { type: int64 }), { columns });
        expect({ seed, fn, result }).toEqual({ seed, fn, result: values.map((value) => wallClock(zone, value)(fn)) });
      }
    });

    test(`truncation to the day in ${zone} is its midnight, or the first moment of the day`, () => {
      const result = evaluate(call("dateTruncate", [column("t", type)], { type, unit: "day" }), {
        columns,
      }) as bigint[];
      result.forEach((start, i) => {
        const value = values[i] as bigint;
        expect(wallClock(zone, start)("day")).toBe(wallClock(zone, value)("day"));
        expect(wallClock(zone, start - 1n)("day")).not.toBe(wallClock(zone, value)("day"));
      });
    });
  }

  test("a day later is the same wall clock time, a skipped time is as much later", () => {
    const type = arrow.timestamp("second", "America/New_York");
    const add = (iso: string, count: bigint, unit: DateUnit) => {
      const result = evaluate(call("dateAdd", [column("t", type), literal(count, int64)], { type, unit }), {
        columns: [{ name: "t", type, values: [second(iso)] }],
      });
      return new Date(Number(result[0] as bigint) * 1000).toISOString().slice(0, 19);
    };
    expect(add("2024-03-09T17:00:00", 1n, "day")).toBe("2024-03-10T16:00:00");
    expect(add("2024-03-09T17:00:00", 24n, "hour")).toBe("2024-03-10T17:00:00");
    expect(add("2024-03-09T07:30:00", 1n, "day")).toBe("2024-03-10T07:30:00");
    expect(add("2024-11-02T05:30:00", 1n, "day")).toBe("2024-11-03T05:30:00");
    expect(add("2024-01-31T17:00:00", 1n, "month")).toBe("2024-02-29T17:00:00");
  });

  test("offsets and unknown zones", () => {
    const type = arrow.timestamp("second", "+05:30");
    const columns = [{ name: "t", type, values: [0n] as LiteralValue[] }];
    expect(evaluate(call("hour", [column("t", type)], { type: int64 }), { columns })).toEqual([5n]);
    const nowhere = arrow.timestamp("second", "Mars/Olympus");
    expect(() =>
      evaluate(call("hour", [column("t", nowhere)], { type: int64 }), {
        columns: [{ name: "t", type: nowhere, values: [0n] }],
      }),
    ).toThrow(/time zone "Mars\/Olympus" is unknown/);
  });
});
