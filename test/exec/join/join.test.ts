import { describe, expect, test } from "vitest";
import { type DataType, dictionary, field, int32, int64, schema, utf8 } from "../../../src/arrow/mod.ts";
import type { JoinKind } from "../../../src/plan/mod.ts";
import { Random } from "../../differential/random.ts";
import { type JoinOptions, naiveJoin, randomSides, runJoin, type Sides } from "./support.ts";

const KINDS: readonly JoinKind[] = ["inner", "left", "right", "full", "semi", "anti", "cross"];
const BUILD_SIDES = ["left", "right"] as const;

const KEY_TYPES: Readonly<Record<string, DataType>> = {
  bool: { kind: "bool" },
  int8: { kind: "int8" },
  int16: { kind: "int16" },
  int32,
  int64,
  uint8: { kind: "uint8" },
  uint16: { kind: "uint16" },
  uint32: { kind: "uint32" },
  uint64: { kind: "uint64" },
  float32: { kind: "float32" },
  float64: { kind: "float64" },
  decimal: { kind: "decimal", precision: 30, scale: 6 },
  utf8,
  largeUtf8: { kind: "largeUtf8" },
  binary: { kind: "binary" },
  fixedSizeBinary: { kind: "fixedSizeBinary", byteWidth: 3 },
  date32: { kind: "date32" },
  timestamp: { kind: "timestamp", unit: "microsecond", timezone: null },
  "time in seconds": { kind: "time", unit: "second" },
  "time in nanoseconds": { kind: "time", unit: "nanosecond" },
  duration: { kind: "duration", unit: "millisecond" },
  dictionary: dictionary(utf8),
};

const seed = Number(process.env["SEED"] ?? 20_261_123);
console.info(`join tests: SEED=${seed}`);

async function check(sides: Sides, options: JoinOptions & { workers?: number }): Promise<void> {
  expect(await runJoin(sides, options)).toEqual(naiveJoin(sides, options));
}

describe("joins give what comparing every pair of rows gives", () => {
  for (const how of KINDS) {
    for (const buildSide of BUILD_SIDES) {
      for (const workers of [1, 2, 5]) {
        test(`${how} join, built on the ${buildSide}, ${workers} workers`, async () => {
          const random = new Random(seed);
          const sides = randomSides(random, { keyTypes: [int64], leftRows: 200, rightRows: 90 });
          await check(sides, { how, buildSide, workers });
          await check(sides, { how, buildSide, workers, residual: true });
        });
      }
      test(`${how} join, built on the ${buildSide}: with no rows on one side or both`, async () => {
        for (const [leftRows, rightRows] of [[0, 20] as const, [20, 0] as const, [0, 0] as const]) {
          const sides = randomSides(new Random(seed), { keyTypes: [int32, utf8], leftRows, rightRows });
          await check(sides, { how, buildSide });
        }
      });
      test(`${how} join, built on the ${buildSide}: with one heavy key and without nulls`, async () => {
        const random = new Random(seed);
        const sides = randomSides(random, { keyTypes: [utf8], leftRows: 150, rightRows: 70, distinct: 1, nulls: 0 });
        await check(sides, { how, buildSide, workers: 2 });
      });
      test(`${how} join, built on the ${buildSide}: on three keys`, async () => {
        const random = new Random(seed);
        const keyTypes = [int32, utf8, { kind: "float64" } as const];
        const sides = randomSides(random, { keyTypes, leftRows: 150, rightRows: 200, distinct: 3 });
        await check(sides, { how, buildSide, workers: 2, residual: true });
      });
    }
  }
});

describe("keys of every comparable type", () => {
  for (const [name, type] of Object.entries(KEY_TYPES)) {
    test(`a ${name} key`, async () => {
      const random = new Random(seed);
      for (const distinct of [3, 60]) {
        const sides = randomSides(random, { keyTypes: [type], leftRows: 120, rightRows: 80, distinct });
        for (const buildSide of BUILD_SIDES) await check(sides, { how: "full", buildSide });
      }
    });
  }

  test("NaN equals NaN, and -0 equals 0, but rows keep their own", async () => {
    const float = { kind: "float64" } as const;
    const table = (side: string, values: readonly number[]) => ({
      schema: schema([field(`${side}_k0`, float, false)]),
      rows: values.map((value) => [value]),
    });
    const sides = { left: table("l", [Number.NaN, -0, 0, 1]), right: table("r", [0, Number.NaN]), keyCount: 1 };
    for (const buildSide of BUILD_SIDES) {
      expect(await runJoin(sides, { how: "inner", buildSide })).toEqual([
        "l_k0=-0 r_k0=0",
        "l_k0=0 r_k0=0",
        "l_k0=NaN r_k0=NaN",
      ]);
    }
  });

  test("keys at the ends of int64 and uint64, near and far from each other", async () => {
    const [low, high] = [-(2n ** 63n), 2n ** 63n - 1n];
    const top = 2n ** 64n - 1n;
    const pools = [
      [int64, [low, low + 1n, low + 5n]],
      [int64, [high, high - 3n]],
      [int64, [low, 0n, high]],
      [{ kind: "uint64" }, [top, top - 2n, top - 7n]],
      [{ kind: "uint64" }, [2n ** 63n - 1n, 2n ** 63n, 2n ** 63n + 1n]],
      [{ kind: "uint64" }, [0n, top]],
    ] as const;
    for (const [type, values] of pools) {
      const table = (side: string, extra: bigint) => ({
        schema: schema([field(`${side}_k0`, type as DataType, false)]),
        rows: [...values, extra].map((value) => [value]),
      });
      const sides = { left: table("l", 17n), right: table("r", 18n), keyCount: 1 };
      for (const buildSide of BUILD_SIDES) await check(sides, { how: "full", buildSide });
    }
  });
});
