import { beforeAll, describe, expect, test } from "vitest";
import type { DataType, IntKind } from "../../../src/arrow/mod.ts";
import * as arrow from "../../../src/arrow/mod.ts";
import type { LiteralValue } from "../../../src/plan/mod.ts";
import { Oracle } from "../duckdb.ts";
import { cast, column } from "../expressions.ts";
import { evaluate } from "../harness.ts";
import { SeededRandom } from "../random.ts";

const { utf8, float64, float32, int64, int32, bool, date32 } = arrow;
const seed = 424242;
const random = new SeededRandom(seed);
const KINDS: readonly IntKind[] = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"];
const stored = (kind: IntKind, value: bigint): LiteralValue => (kind.endsWith("64") ? value : Number(value));

function rangeOf(kind: IntKind) {
  const bits = BigInt(kind.replace(/\D/g, ""));
  return kind.startsWith("uint")
    ? ([0n, (1n << bits) - 1n] as const)
    : ([-(1n << (bits - 1n)), (1n << (bits - 1n)) - 1n] as const);
}

/** Null where the cast fails; that the failing form fails too is checked for the first such value. */
function castAll(from: DataType, to: DataType, values: readonly LiteralValue[]): LiteralValue[] {
  const columns = [{ name: "a", type: from, values }];
  const result = evaluate(cast(column("a", from), to, "null"), { columns });
  const good = values.filter((value, i) => value === null || result[i] !== null);
  const kept = evaluate(cast(column("a", from), to), {
    columns: [{ name: "a", type: from, values: good }],
    rowCount: good.length,
  });
  expect(kept).toEqual(result.filter((value, i) => values[i] === null || value !== null));
  const bad = values.find((value, i) => value !== null && result[i] === null);
  if (bad !== undefined)
    expect(() =>
      evaluate(cast(column("a", from), to), { columns: [{ name: "a", type: from, values: [bad] }] }),
    ).toThrow(/Cast failed/);
  return result;
}

let duckdb: Oracle;
beforeAll(async () => {
  duckdb = await Oracle.open();
});

describe("numbers", () => {
  for (const from of KINDS) {
    test(`${from} becomes every other integer type where it fits`, () => {
      const [min, max] = rangeOf(from);
      const edges = KINDS.flatMap((kind) => [...rangeOf(kind)]).flatMap((edge) => [edge - 1n, edge, edge + 1n]);
      const values = [...new Set([0n, 1n, ...edges])].filter((value) => value >= min && value <= max);
      for (const to of KINDS) {
        const [low, high] = rangeOf(to);
        const expected = values.map((value) => (value >= low && value <= high ? stored(to, value) : null));
        expect({
          to,
          result: castAll(
            { kind: from },
            { kind: to },
            values.map((value) => stored(from, value)),
          ),
        }).toEqual({ to, result: expected });
      }
      expect(
        castAll(
          { kind: from },
          float64,
          values.map((value) => stored(from, value)),
        ),
      ).toEqual(values.map(Number));
      expect(castAll({ kind: from }, utf8, [...values.map((value) => stored(from, value)), null])).toEqual([
        ...values.map(String),
        null,
      ]);
      expect(castAll(utf8, { kind: from }, [...values.map(String), String(max + 1n), String(min - 1n)])).toEqual([
        ...values.map((value) => stored(from, value)),
        null,
        null,
      ]);
      expect(
        castAll(
          { kind: from },
          bool,
          values.map((value) => stored(from, value)),
        ),
      ).toEqual(values.map((value) => value !== 0n));
      const type = arrow.decimal(20, 2);
      expect(
        castAll(
          { kind: from },
          type,
          values.map((value) => stored(from, value)),
        ),
      ).toEqual(values.map((value) => (value > -(10n ** 18n) && value < 10n ** 18n ? value * 100n : null)));
    });
  }

  test("floats become integers by rounding half to even, or not at all", () => {
    const values = [
      0.5,
      1.5,
      2.5,
      -0.5,
      -1.5,
      127.4,
      127.5,
      -128.5,
      -129,
      1e300,
      Number.NaN,
      Number.POSITIVE_INFINITY,
      255.5,
      9.3e18,
      -9.3e18,
      1.8e19,
    ];
    expect(castAll(float64, arrow.int8, values)).toEqual([
      0,
      2,
      2,
      0,
      -2,
      127,
      null,
      -128,
      null,
      null,
      null,
      null,
      null,
      null,
      null,
      null,
    ]);
    expect(castAll(float64, arrow.uint8, values)).toEqual([
      0,
      2,
      2,
      0,
      null,
      127,
      128,
      null,
      null,
      null,
      null,
      null,
      null,
      null,
      null,
      null,
    ]);
    expect(castAll(float64, int64, [9223372036854774784, 9223372036854775808, -9223372036854775808])).toEqual([
      9223372036854774784n,
      null,
      -9223372036854775808n,
    ]);
    expect(castAll(float64, arrow.uint64, [18446744073709549568, 18446744073709551616])).toEqual([
      18446744073709549568n,
      null,
    ]);
    expect(castAll(float64, float32, [1.1, 1e300, Number.POSITIVE_INFINITY, Number.NaN])).toEqual([
      Math.fround(1.1),
      null,
      Number.POSITIVE_INFINITY,
      Number.NaN,
    ]);
    expect(castAll(float32, float64, [1.5, Number.NaN])).toEqual([1.5, Number.NaN]);
    expect(castAll(float64, bool, [0, -0, 0.1])).toEqual([false, false, true]);
    expect(castAll(bool, float64, [true, false, null])).toEqual([1, 0, null]);
    expect(castAll(bool, int32, [true, false, null])).toEqual([1, 0, null]);
  });

  test("decimals change scale by rounding half away from zero", () => {
    const values = [0n, 1n, 149n, 150n, -150n, -149n, 10n ** 37n, -(10n ** 38n) + 1n];
    const round = (value: bigint) => (value < 0n ? -((-value + 50n) / 100n) : (value + 50n) / 100n);
    expect(castAll(arrow.decimal(38, 2), arrow.decimal(38, 0), values)).toEqual(values.map(round));
    expect(castAll(arrow.decimal(38, 2), arrow.decimal(5, 1), [12345n, 999995n, 99999n, -99999n])).toEqual([
      1235n,
      null,
      10000n,
      -10000n,
    ]);
    expect(castAll(arrow.decimal(38, 2), arrow.decimal(38, 20), [1n, 10n ** 30n])).toEqual([10n ** 18n, null]);
    expect(castAll(arrow.decimal(9, 2), int32, [150n, -150n, 249n])).toEqual([2, -2, 2]);
    expect(castAll(arrow.decimal(38, 0), int64, [(1n << 63n) - 1n, 1n << 63n, -(1n << 63n)])).toEqual([
      (1n << 63n) - 1n,
      null,
      -(1n << 63n),
    ]);
    expect(castAll(arrow.decimal(9, 2), arrow.uint8, [25549n, 25550n, -40n, -50n])).toEqual([255, null, 0, null]);
  });

  test("decimals and doubles convert as in DuckDB", async () => {
    const type = arrow.decimal(38, 6);
    const values = Array.from({ length: 300 }, () => random.integer(10n ** 38n));
    const text = (value: bigint) =>
      `${value < 0n ? "-" : ""}${(value < 0n ? -value : value)
        .toString()
        .padStart(7, "0")
        .replace(/(\d{6})$/, ".$1")}`;
    const rows = values.map((value) => [`'${text(value)}'::decimal(38, 6)`]);
    expect({ seed, result: castAll(type, float64, values) }).toEqual({
      seed,
      result: await duckdb.evaluate("d::double", { columns: ["d"], rows }),
    });
    expect(castAll(type, utf8, values)).toEqual(await duckdb.evaluate("d::varchar", { columns: ["d"], rows }));
    expect(castAll(utf8, type, values.map(text))).toEqual(values);
    const floats = Array.from(
      { length: 200 },
      () => (Number(random.integer(1n << 60n)) / 2 ** random.below(70)) * (random.below(2) ? 1 : 1000),
    );
    const expected = await duckdb.evaluate("(try_cast(f as decimal(20, 4)))::varchar", {
      columns: ["f"],
      rows: floats.map((value) => [`${value}::double`]),
    });
    const got = castAll(float64, arrow.decimal(20, 4), floats).map((value) => (value === null ? null : Number(value)));
    expect({ seed, got }).toEqual({
      seed,
      got: expected.map((value) => (value === null ? null : Math.round(Number(value as string) * 1e4))),
    });
  });

  test("text becomes numbers only when all of it is one", () => {
    expect(
      castAll(utf8, int32, [
        " 42 ",
        "+7",
        "-0",
        "",
        " ",
        "-",
        "4 2",
        "1.5",
        "1e3",
        "0x10",
        "９",
        "2147483648",
        "-2147483648",
        "00012",
      ]),
    ).toEqual([42, 7, -0 + 0, null, null, null, null, null, null, null, null, null, -2147483648, 12]);
    expect(castAll(utf8, float64, ["1.5", "-.5e-3", "nan", "-Infinity", "1e400", "abc", "", "0x10", " 7. "])).toEqual([
      1.5,
      -0.0005,
      Number.NaN,
      Number.NEGATIVE_INFINITY,
      Number.POSITIVE_INFINITY,
      null,
      null,
      null,
      7,
    ]);
    expect(castAll(utf8, bool, ["true", "F", "yes", "0", "maybe", null])).toEqual([
      true,
      false,
      true,
      false,
      null,
      null,
    ]);
    expect(
      castAll(utf8, arrow.decimal(5, 2), ["1.005", "-1.005", "999.995", "1e2", ".", "-.5", "12e400", "abc"]),
    ).toEqual([101n, -101n, null, 10000n, null, -50n, null, null]);
    expect(castAll(float64, utf8, [1, 0.1, 1e21, -0, Number.NaN, Number.NEGATIVE_INFINITY, 1e-7])).toEqual([
      "1.0",
      "0.1",
      "1e+21",
      "-0.0",
      "nan",
      "-inf",
      "1e-7",
    ]);
    expect(castAll(float32, utf8, [Math.fround(0.1), 16777216])).toEqual(["0.1", "16777216.0"]);
    expect(castAll(bool, utf8, [true, false, null])).toEqual(["true", "false", null]);
  });

  test("binary is text only where it is UTF-8", () => {
    const bytes = (...list: number[]) => new Uint8Array(list);
    expect(castAll(arrow.binary, utf8, [bytes(0x61), bytes(0xc3, 0xa9), bytes(0xff), bytes()])).toEqual([
      "a",
      "é",
      null,
      "",
    ]);
    expect(castAll(utf8, arrow.binary, ["é"])).toEqual([bytes(0xc3, 0xa9)]);
    expect(castAll(utf8, arrow.fixedSizeBinary(2), ["é", "abc"])).toEqual([bytes(0xc3, 0xa9), null]);
  });
});

describe("dates and times", () => {
  const micro = arrow.timestamp("microsecond");

  test("text and dates convert both ways as in DuckDB", async () => {
    const days = [
      0,
      -1,
      19_782,
      2_932_896,
      -719_162,
      ...Array.from({ length: 200 }, () => Number(random.integer(700_000n))),
    ];
    const texts = castAll(date32, utf8, days);
    expect({ seed, texts }).toEqual({
      seed,
      texts: await duckdb.evaluate("d::varchar", {
        columns: ["d"],
        rows: days.map((day) => [`(date '1970-01-01' + ${day})`]),
      }),
    });
    expect(castAll(utf8, date32, texts)).toEqual(days);
    const times = [
      0n,
      -1n,
      1n,
      86_399_999_999n,
      ...Array.from({ length: 200 }, () => random.integer(60_000_000_000_000_000n)),
    ];
    const timeTexts = castAll(micro, utf8, times);
    expect({ seed, timeTexts }).toEqual({
      seed,
      timeTexts: await duckdb.evaluate("t::varchar", {
        columns: ["t"],
        rows: times.map((time) => [`make_timestamp(${time}::bigint)`]),
      }),
    });
    expect(castAll(utf8, micro, timeTexts)).toEqual(times);
  });

  test("text that is no date of the calendar is refused", () => {
    expect(
      castAll(utf8, date32, [
        "2024-02-29",
        "2023-02-29",
        "2023-13-01",
        "2023-00-10",
        "x",
        "",
        "2024-1-2",
        " 1970-01-02 ",
        "-0001-01-01",
        "2024-02-29T10:00:00Z",
      ]),
    ).toEqual([19782, null, null, null, null, null, 19724, 1, -719893, 19782]);
    expect(
      castAll(utf8, micro, [
        "1970-01-01T00:00:01.5Z",
        "1970-01-01 01:00:00+01:00",
        "1970-01-01 24:00:00",
        "1970-01-01",
        "1970-01-01 00:00",
      ]),
    ).toEqual([1_500_000n, 0n, null, 0n, 0n]);
    expect(castAll(utf8, arrow.timestamp("nanosecond"), ["1970-01-01 00:00:00.123456789", "2500-01-01"])).toEqual([
      123456789n,
      null,
    ]);
    expect(castAll(utf8, arrow.time("millisecond"), ["01:02:03.004", "25:00:00", "00:00"])).toEqual([
      3_723_004,
      null,
      0,
    ]);
    expect(castAll(arrow.time("microsecond"), utf8, [3_723_004_000n])).toEqual(["01:02:03.004"]);
  });

  test("timestamps change unit exactly, rounding down, or fail", () => {
    const nano = arrow.timestamp("nanosecond");
    expect(castAll(nano, micro, [1_999n, -1n, null])).toEqual([1n, -1n, null]);
    expect(castAll(micro, nano, [1n, 9_223_372_036_854_775n, 9_223_372_036_854_776n])).toEqual([
      1000n,
      9_223_372_036_854_775_000n,
      null,
    ]);
    expect(castAll(micro, date32, [-1n, 0n, 86_400_000_000n])).toEqual([-1, 0, 1]);
    expect(castAll(date32, nano, [1, 200_000])).toEqual([86_400_000_000_000n, null]);
    expect(castAll(micro, arrow.time("second"), [-1n, 3_600_000_000n])).toEqual([86_399, 3600]);
    expect(castAll(arrow.duration("second"), arrow.duration("millisecond"), [5n, -5n])).toEqual([5000n, -5000n]);
    expect(castAll(micro, int64, [5n])).toEqual([5n]);
    expect(castAll(micro, arrow.int16, [5n, 70_000n])).toEqual([5, null]);
    expect(castAll(int32, date32, [5])).toEqual([5]);
    expect(castAll(int64, date32, [5n, 1n << 40n])).toEqual([5, null]);
    expect(castAll(int32, arrow.time("second"), [5, 86_400, -1])).toEqual([5, null, null]);
  });

  test("a change of zone keeps the instant, losing or gaining a zone keeps the wall clock", () => {
    const berlin = arrow.timestamp("second", "Europe/Berlin");
    const tokyo = arrow.timestamp("millisecond", "Asia/Tokyo");
    const local = arrow.timestamp("second");
    const noon = 1_720_000_800n;
    expect(castAll(berlin, tokyo, [noon])).toEqual([noon * 1000n]);
    expect(castAll(berlin, local, [noon])).toEqual([noon + 7200n]);
    expect(castAll(local, berlin, [noon + 7200n])).toEqual([noon]);
    expect(castAll(berlin, utf8, [noon])).toEqual(["2024-07-03 12:00:00+02"]);
    expect(castAll(utf8, berlin, ["2024-07-03 12:00:00", "2024-07-03 12:00:00+05:00"])).toEqual([noon, noon - 10_800n]);
    expect(castAll(berlin, date32, [1_720_044_000n])).toEqual([19_908]);
    expect(castAll(date32, berlin, [19_908])).toEqual([1_720_044_000n]);
  });
});
