import { expect, test } from "vitest";
import { segmentMatcher } from "../../src/connectors/glob.ts";

test.each([
  ["flights-*.parquet", "flights-3m.parquet", true],
  ["flights-*.parquet", "flights.parquet", false],
  ["a+b(1).csv", "a+b(1).csv", true],
  ["part-?.csv", "part-7.csv", true],
  ["part-?.csv", "part-77.csv", false],
  ["[a-c]x.csv", "bx.csv", true],
  ["[!a-c]x.csv", "bx.csv", false],
  ["[ab-]x.csv", "-x.csv", true],
  ["*", ".hidden", false],
  [".h*", ".hidden", true],
  ["$x^.csv", "$x^.csv", true],
])("%s against %s is %s", (pattern, name, matches) => {
  expect(segmentMatcher(pattern)(name)).toBe(matches);
});
