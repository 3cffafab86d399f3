import { expect, test } from "vitest";
import { bytesText, durationText, rateText } from "../../src/cli/quantity.ts";
import { chooseFormat, parseMemory, parseTimeout, parseWorkers } from "../../src/cli/values.ts";

test("sizes take decimal and binary units in any case", () => {
  expect(["512MB", "512mib", "1.5 GiB", "2g", "16777216"].map((text) => parseMemory(text))).toEqual([
    512e6,
    512 * 2 ** 20,
    1.5 * 2 ** 30,
    2 ** 31,
    2 ** 24,
  ]);
});

test("times take ms, s, m and h, and plain numbers are seconds", () => {
  expect(["500ms", "30s", "10m", "1h", "2", "1.5s"].map((text) => parseTimeout(text))).toEqual([
    500, 30e3, 600e3, 36e5, 2e3, 1500,
  ]);
});

test("workers are whole numbers", () => {
  expect(["1", "16", "256"].map(parseWorkers)).toEqual([1, 16, 256]);
  for (const wrong of ["", "-1", "257", "0x2", "2e1", " 2"]) expect(() => parseWorkers(wrong)).toThrow("--workers");
});

test("the format comes from --format, else from the ending, else it is a table", () => {
  expect(chooseFormat(undefined, undefined)).toBe("table");
  expect(chooseFormat("csv", "rows.json")).toBe("csv");
  expect(
    ["a.jsonl", "a.NDJSON", "dir.x/a.csv", "a.arrow", "a.txt"].map((path) => chooseFormat(undefined, path)),
  ).toEqual(["json", "json", "csv", "arrow", "table"]);
  for (const path of ["rows", "a.b/rows", "rows."])
    expect(() => chooseFormat(undefined, path)).toThrow("names no format");
});

test("quantities are short and never round up into the next unit's size", () => {
  expect([0, 999, 999.6, 1_000, 12_345, 999_499, 999_500, 1.2e12].map(bytesText)).toEqual([
    "0 B",
    "999 B",
    "1.0 kB",
    "1.0 kB",
    "12.3 kB",
    "999 kB",
    "1.0 MB",
    "1.2 TB",
  ]);
  expect([0.4, 999.4, 1_000, 59_994, 60_000, 185_000].map(durationText)).toEqual([
    "0 ms",
    "999 ms",
    "1.00 s",
    "59.99 s",
    "1 min 00 s",
    "3 min 05 s",
  ]);
  expect([rateText(3, 42), rateText(50_000, 1_000), rateText(7_100_000, 1_000)]).toEqual([
    "71 rows/s",
    "50 k rows/s",
    "7.1 M rows/s",
  ]);
});
