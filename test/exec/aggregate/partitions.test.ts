import { describe, expect, test } from "vitest";
import {
  Arena,
  type DataType,
  dictionary,
  field,
  float64,
  int32,
  int64,
  schema,
  utf8,
} from "../../../src/arrow/mod.ts";
import { randomSource } from "./random.ts";
import { referenceAggregation } from "./reference.ts";
import { type AggregateCase, runAggregation, sortedTexts } from "./support.ts";

const [ROWS, GROUPS] = [75_000, 60_000];
const random = randomSource(20_251_123);

/** More groups than fit in a cache, few rows a group: what is not grouped at once goes to partitions. */
function rowsOf(key: (group: number) => string | number | bigint | null) {
  return Array.from({ length: ROWS }, (_, i) => ({
    k: key((i * 7_919) % GROUPS),
    f: random.chance(0.1) ? null : [Number.NaN, -0, 0, 1.5, -2.25][random.below(5)],
    v: random.chance(0.2) ? null : BigInt(random.below(1_000)) - 500n,
    s: random.chance(0.2) ? null : "a text of some length".slice(0, random.below(20)) + (i % 7),
  }));
}

const text = (group: number) => (group % 1_000 === 0 ? null : `${group}`.padStart(4 + (group % 9), "-"));

async function expectLikeReference(
  given: Pick<AggregateCase, "keys" | "aggregates"> & {
    readonly keyType: DataType;
    readonly key: (group: number) => string | number | bigint | null;
  },
): Promise<void> {
  const of = schema([field("k", given.keyType), field("f", float64), field("v", int64), field("s", utf8)]);
  const rows = rowsOf(given.key);
  const expected = sortedTexts(referenceAggregation({ ...given, schema: of, rows }));
  for (const workers of [1, 2]) {
    const result = sortedTexts(await runAggregation({ ...given, schema: of, rows, workers }));
    expect(result.length).toBe(expected.length);
    expect(result.filter((row, i) => row !== expected[i])).toEqual([]);
  }
}

describe("rows that go to partitions", () => {
  test("keep keys and arguments that are strings", async () => {
    const aggregates = [
      ["sum", "v"],
      ["min", "s"],
    ] as const;
    await expectLikeReference({ keyType: utf8, key: text, keys: ["k"], aggregates });
  });

  test("keep their position, and all numbers as they are", async () => {
    const aggregates = [
      ["first", "v"],
      ["last", "v"],
    ] as const;
    const key = (group: number) => (group === 5 ? null : group - 1_000);
    await expectLikeReference({ keyType: int32, key, keys: ["k", "f"], aggregates });
  });

  test("give every value to quantiles", async () => {
    const aggregates = [
      ["quantile", "v", 0.5],
      ["avg", "f"],
      ["count", "v"],
    ] as const;
    await expectLikeReference({ keyType: int64, key: (group) => BigInt(group) << 40n, keys: ["k"], aggregates });
  });

  test("may have keys from a large dictionary", async () => {
    const aggregates = [
      ["count", null],
      ["sum", "v"],
    ] as const;
    await expectLikeReference({ keyType: dictionary(utf8), key: text, keys: ["k"], aggregates });
  });

  test("go to a table again when partitions have taken their share of memory", async () => {
    const of = schema([field("k", int64, false), field("v", int64)]);
    const arena = Arena.create({ limitBytes: 24 * 2 ** 20 });
    const rows = Array.from({ length: 200_000 }, (_, i) => ({ k: BigInt(i % 180_000), v: BigInt(i) }));
    const aggregates = [["max", "v"]] as const;
    const result = await runAggregation({ schema: of, rows, keys: ["k"], aggregates, arena });
    expect(result.length).toBe(180_000);
    const wrong = result.filter(({ k, max_v }) => max_v !== ((k as bigint) < 20_000n ? (k as bigint) + 180_000n : k));
    expect(wrong).toEqual([]);
  });
});
