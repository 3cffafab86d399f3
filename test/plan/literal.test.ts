import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { date32, decimal, float32, int8, int64, timestamp, typeName, uint64 } from "../../src/arrow/mod.ts";
import { castLiteral } from "../../src/plan/cast_literal.ts";
import { adaptLiteral, literalText, literalType, narrowestDecimal, parseDecimal } from "../../src/plan/literal.ts";
import { editDistance, nearestName } from "../../src/plan/suggest.ts";
import {
  civilFromDays,
  dateText,
  daysFromCivil,
  parseDate,
  parseTime,
  parseTimestamp,
  timestampText,
} from "../../src/plan/temporal.ts";

const value = (...args: Parameters<typeof adaptLiteral>) => {
  const literal = adaptLiteral(...args);
  return literal?.kind === "literal" ? literal.value : literal;
};

describe("dates as text", () => {
  test("days and dates are each other's inverse over the whole int32 range", () => {
    fc.assert(
      fc.property(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), (days) => {
        const { year, month, day } = civilFromDays(days);
        expect(daysFromCivil(year, month, day)).toBe(days);
        if (Math.abs(year) < 100_000) expect(parseDate(dateText(days))).toBe(days);
      }),
    );
  });

  test("dates agree with JavaScript's", () => {
    fc.assert(
      fc.property(fc.integer({ min: -100_000, max: 100_000 }), (days) => {
        const text = new Date(days * 86_400_000).toISOString().slice(0, 10);
        if (/^\d{4}-/.test(text)) expect(dateText(days)).toBe(text);
      }),
    );
  });

  test.each(["2021-02-29", "2020-13-01", "2020-00-01", "2020-01-00", "20200101", "2020-1-1", "", "2020-01-01x"])(
    "%s is no date",
    (text) => expect(parseDate(text)).toBeNull(),
  );

  test("timestamps are read with fractions and offsets", () => {
    expect(parseTimestamp("1970-01-01T00:00:00.000000001Z")).toEqual({ localNanos: 1n, offsetSeconds: 0 });
    expect(parseTimestamp("1970-01-02 01:30-02:30")).toEqual({ localNanos: 91_800_000_000_000n, offsetSeconds: -9000 });
    expect(parseTimestamp("1969-12-31 23:59:59.5")?.localNanos).toBe(-500_000_000n);
    expect(parseTimestamp("1970-01-01 24:00")).toBeNull();
    expect(parseTime("12:61")).toBeNull();
  });

  test("timestamps before the epoch are printed as they are", () => {
    expect(timestampText(-1n, "microsecond")).toBe("1969-12-31 23:59:59.999999");
    expect(timestampText(0n, "second")).toBe("1970-01-01 00:00:00");
  });
});

describe("literals of a type", () => {
  test("numbers fit or do not, never approximately", () => {
    expect(value(127, int8)).toBe(127);
    expect(value(128, int8)).toBeNull();
    expect(value(1.5, int8)).toBeNull();
    expect(value(0.1, float32)).toBeNull();
    expect(value(2n ** 63n, int64)).toBeNull();
    expect(value(2n ** 64n - 1n, uint64)).toBe(2n ** 64n - 1n);
    expect(value(0.05, decimal(12, 2))).toBe(5n);
    expect(value(0.005, decimal(12, 2))).toBeNull();
    expect(value("-12.50", decimal(4, 2))).toBe(-1250n);
    expect(value("123.45", decimal(4, 2))).toBeNull();
  });

  test("texts and Dates become dates and timestamps", () => {
    expect(value("2000-03-01", date32)).toBe(11_017);
    expect(value(new Date(1500), timestamp("second"))).toBeNull();
    expect(value(new Date(1500), timestamp("nanosecond"))).toBe(1_500_000_000n);
    expect(value("1970-01-01 01:00+01:00", timestamp("second", "Europe/Berlin"))).toBe(0n);
    expect(value("1970-01-01 00:00:01", timestamp("second", "UTC"))).toBe(1n);
  });

  test("by themselves whole numbers are int64, others float64", () => {
    expect([1, 1.5, 2 ** 53, -0, 1n, 2n ** 63n, 2n ** 70n].map((v) => typeName(literalType(v)))).toEqual(
      "int64|float64|float64|float64|int64|uint64|decimal(22, 0)".split("|"),
    );
  });

  test("decimal texts are exact", () => {
    expect(parseDecimal("1e-7")).toEqual({ unscaled: 1n, scale: 7 });
    expect(parseDecimal("1.5e3")).toEqual({ unscaled: 1500n, scale: 0 });
    expect(parseDecimal(".")).toBeNull();
    expect(narrowestDecimal("1e39")).toBeNull();
    expect(literalText(-5n, decimal(12, 2))).toBe("-0.05");
  });

  test("casts beforehand are exact or left to the run", () => {
    const half = { kind: "literal", value: 1.5, type: { kind: "float64" }, nullable: false } as const;
    expect(castLiteral(half, int64)).toBeNull();
    const day = { kind: "literal", value: 2 ** 31 - 1, type: date32, nullable: false } as const;
    expect(castLiteral(day, timestamp("microsecond"))).toBeNull();
    expect(castLiteral(day, timestamp("second"))?.value).toBe((2n ** 31n - 1n) * 86_400n);
  });
});

describe("suggestions", () => {
  test("a swap of neighbours is one edit", () => {
    expect(editDistance("delay", "dleay")).toBe(1);
    expect(editDistance("", "abc")).toBe(3);
  });

  test("only near names are suggested", () => {
    expect(nearestName("dealy", ["distance", "delay"])).toBe("delay");
    expect(nearestName("xyz", ["distance", "delay"])).toBeNull();
    expect(nearestName("DELAY", ["distance", "delay"])).toBe("delay");
  });
});
