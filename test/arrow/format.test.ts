import { expect, test } from "vitest";
import {
  ArrowError,
  binary,
  type Cell,
  type DataType,
  date32,
  decimal,
  dictionary,
  duration,
  field,
  fixedSizeBinary,
  float64,
  formatCell,
  int32,
  int64,
  list,
  parseType,
  schema,
  struct,
  time,
  timestamp,
  typeEquals,
  typeName,
  utf8,
} from "../../src/arrow/mod.ts";

test("cells are shown as people write them", () => {
  const cases: [DataType, Cell, string][] = [
    [int64, 9007199254740993n, "9007199254740993"],
    [float64, -0, "-0"],
    [float64, Number.NaN, "NaN"],
    [decimal(9, 2), "-0.05", "-0.05"],
    [utf8, "plain", "plain"],
    [utf8, null, "null"],
    [binary, Uint8Array.of(0, 255), "00ff"],
    [date32, 0, "1970-01-01"],
    [date32, 19_782, "2024-02-29"],
    [date32, -719_529, "-000001-12-31"],
    [date32, 2_932_897, "+010000-01-01"],
    [time("millisecond"), 3_723_004, "01:02:03.004"],
    [time("nanosecond"), 1n, "00:00:00.000000001"],
    [timestamp("second"), -1n, "1969-12-31T23:59:59"],
    [timestamp("millisecond", "UTC"), -1n, "1969-12-31T23:59:59.999Z"],
    [timestamp("microsecond", "Europe/Berlin"), 1_719_792_000_000_000n, "2024-07-01T02:00:00+02:00"],
    [timestamp("microsecond", "America/New_York"), 1_704_067_200_500_000n, "2023-12-31T19:00:00.500-05:00"],
    [timestamp("nanosecond", "+05:30"), 1n, "1970-01-01T05:30:00.000000001+05:30"],
    [timestamp("nanosecond"), -(2n ** 63n), "1677-09-21T00:12:43.145224192"],
    [duration("second"), 0n, "PT0S"],
    [duration("millisecond"), 93_784_005n, "P1DT2H3M4.005S"],
    [duration("nanosecond"), -1_500_000_000n, "-PT1.5S"],
    [dictionary(date32), 1, "1970-01-02"],
    [list(utf8), ["a", null], '["a", null]'],
    [struct([field("a", decimal(3, 1)), field("b", list(int32))]), { a: "1.0", b: [1] }, "{a: 1.0, b: [1]}"],
  ];
  for (const [type, cell, text] of cases) expect(formatCell(type, cell), typeName(type)).toBe(text);
});

test("type names are read back, with other names of the same and nothing else", () => {
  const odd = struct([field("a b", int64, false), field('"', timestamp("nanosecond", "Etc/GMT+1"))]);
  expect(parseType(typeName(odd))).toEqual(odd);
  expect(parseType("string")).toEqual(utf8);
  expect(parseType(" list< struct<x : double> > ")).toEqual(list(struct([field("x", float64)])));
  expect(parseType("timestamp")).toEqual(timestamp("microsecond"));
  for (const text of [
    "",
    "int",
    "list<>",
    "decimal(39, 0)",
    "int64 x",
    "dictionary<utf8, int8>",
    "timestamp[h]",
    "list<".repeat(500),
  ]) {
    expect(parseType(text), text).toBeNull();
  }
});

test("types are equal with all their parameters", () => {
  expect(typeEquals(timestamp("second"), timestamp("second", "UTC"))).toBe(false);
  expect(typeEquals(list(int32), list(field("item", int32)))).toBe(true);
  expect(typeEquals(dictionary(utf8), dictionary(utf8, "int8"))).toBe(false);
});

test("types and schemas that cannot be are refused", () => {
  expect(() => decimal(0, 0)).toThrow(ArrowError);
  expect(() => fixedSizeBinary(-1)).toThrow(ArrowError);
  expect(() => dictionary(dictionary(utf8))).toThrow(ArrowError);
  expect(() => schema([field("a", int32), field("a", utf8)])).toThrow(/two columns are named "a"/);
});
