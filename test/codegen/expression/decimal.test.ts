import { describe, expect, test } from "vitest";
import * as arrow from "../../../src/arrow/mod.ts";
import type { LiteralValue, ScalarFunction } from "../../../src/plan/mod.ts";
import { call, column, literal } from "../expressions.ts";
import { evaluate } from "../harness.ts";
import { SeededRandom } from "../random.ts";

type Type = ReturnType<typeof arrow.decimal>;

const seed = 20240607;

function pairsOf(types: readonly [Type, Type], count: number): [bigint, bigint][] {
  const random = new SeededRandom(seed);
  const limits = types.map(({ precision }) => 10n ** BigInt(precision)) as [bigint, bigint];
  const edges = limits.map((limit) => [0n, 1n, -1n, limit - 1n, 1n - limit]) as [bigint[], bigint[]];
  const pairs = edges[0].flatMap((a) => edges[1].map((b) => [a, b] as [bigint, bigint]));
  for (let i = 0; i < count; i++) pairs.push([random.integer(limits[0]), random.integer(limits[1])]);
  return pairs;
}

function run(
  fn: ScalarFunction,
  types: readonly [Type, Type],
  result: arrow.DataType,
  pairs: readonly [bigint, bigint][],
) {
  const columns = ["a", "b"].map((name, i) => ({
    name,
    type: types[i] as Type,
    values: pairs.map((pair) => pair[i] as bigint),
  }));
  return evaluate(call(fn, [column("a", types[0]), column("b", types[1])], { type: result }), { columns });
}

const at = (value: bigint, from: number, to: number) => value * 10n ** BigInt(to - from);

/** Checks a function against exact arithmetic: rows that fit together, the rest one by one. */
function check(
  fn: ScalarFunction,
  types: readonly [Type, Type],
  result: Type,
  exact: (a: bigint, b: bigint) => bigint | null,
): void {
  const limit = 10n ** BigInt(result.precision);
  const pairs = pairsOf(types, 200);
  const fits = ([a, b]: [bigint, bigint]) => {
    const value = exact(a, b);
    return value !== null && value < limit && value > -limit;
  };
  const good = pairs.filter(fits);
  expect({ seed, result: run(fn, types, result, good) }).toEqual({ seed, result: good.map(([a, b]) => exact(a, b)) });
  for (const pair of pairs.filter((pair) => !fits(pair)).slice(0, 10)) {
    expect(() => run(fn, types, result, [pair]), String(pair)).toThrow(/overflow|zero/i);
  }
}

const TYPES = [
  arrow.decimal(9, 2),
  arrow.decimal(15, 2),
  arrow.decimal(18, 4),
  arrow.decimal(25, 3),
  arrow.decimal(38, 2),
  arrow.decimal(38, 19),
];

describe("decimals", () => {
  for (const type of TYPES) {
    const { precision, scale } = type;
    const name = `decimal(${precision}, ${scale})`;
    const wider = arrow.decimal(Math.min(38, precision + 1), scale);

    test(`add, subtract and modulo of ${name} are exact`, () => {
      for (const result of [type, wider]) {
        check("add", [type, type], result, (a, b) => a + b);
        check("subtract", [type, type], result, (a, b) => a - b);
      }
      check("modulo", [type, type], type, (a, b) => (b === 0n ? null : a % b));
    });

    test(`multiply of ${name} is exact up to 38 digits`, () => {
      const product = arrow.decimal(Math.min(38, 2 * precision), Math.min(38, 2 * scale));
      check("multiply", [type, type], product, (a, b) => a * b);
    });

    test(`divide of ${name} is the double nearest to DuckDB's`, () => {
      const pairs = pairsOf([type, type], 100).filter(([, b]) => b !== 0n);
      const result = run("divide", [type, type], arrow.float64, pairs) as number[];
      pairs.forEach(([a, b], i) => {
        const expected = Number(a) / Number(b);
        expect(Math.abs((result[i] as number) - expected)).toBeLessThanOrEqual(Math.abs(expected) * 1e-15);
      });
      expect(() => run("divide", [type, type], arrow.float64, [[1n, 0n]])).toThrow(/Division by zero/);
    });

    test(`negate, abs, floor, ceil and round of ${name}`, () => {
      const values = pairsOf([type, type], 200).map(([a]) => a);
      const columns = [{ name: "a", type, values }];
      const unary = (fn: ScalarFunction, result: Type, digits?: number) =>
        evaluate(
          call(fn, [column("a", type), ...(digits === undefined ? [] : [literal(digits, arrow.int32)])], {
            type: result,
          }),
          { columns },
        );
      expect(unary("negate", type)).toEqual(values.map((value) => -value));
      expect(unary("abs", type)).toEqual(values.map((value) => (value < 0n ? -value : value)));
      const unit = 10n ** BigInt(scale);
      const whole = arrow.decimal(Math.min(38, precision - scale + 1), 0);
      const floor = (value: bigint) => (value - (((value % unit) + unit) % unit)) / unit;
      expect(unary("floor", whole)).toEqual(values.map(floor));
      expect(unary("ceil", whole)).toEqual(values.map((value) => -floor(-value)));
      const round = (value: bigint, step: bigint) => {
        const magnitude = ((value < 0n ? -value : value) + step / 2n) / step;
        return value < 0n ? -magnitude : magnitude;
      };
      expect(unary("round", whole, 0)).toEqual(values.map((value) => round(value, unit)));
      expect(unary("round", arrow.decimal(Math.min(38, precision), 1), 1)).toEqual(
        values.map((value) => round(value, unit / 10n)),
      );
      const rounded = (value: bigint) => round(value, unit * 100n) * 100n * unit;
      const limit = 10n ** BigInt(precision);
      const fitting = values.filter((value) => rounded(value) < limit && rounded(value) > -limit);
      const back = evaluate(call("round", [column("a", type), literal(-2, arrow.int32)], { type }), {
        columns: [{ name: "a", type, values: fitting }],
      });
      expect(back).toEqual(fitting.map(rounded));
    });
  }

  test("operands of different scales are aligned", () => {
    const types = [arrow.decimal(10, 1), arrow.decimal(20, 5)] as const;
    check("add", types, arrow.decimal(25, 5), (a, b) => at(a, 1, 5) + b);
    check("subtract", types, arrow.decimal(38, 5), (a, b) => at(a, 1, 5) - b);
  });

  test("a null gives null whatever lies under it", () => {
    const type = arrow.decimal(38, 2);
    const big = 10n ** 38n - 1n;
    const columns = [
      { name: "a", type, values: [big, null, 1n] as LiteralValue[] },
      { name: "b", type, values: [null, big, 2n] as LiteralValue[] },
    ];
    for (const fn of ["add", "multiply", "modulo"] as const) {
      const result = evaluate(call(fn, [column("a", type), column("b", type)], { type }), { columns });
      expect(result.slice(0, 2)).toEqual([null, null]);
    }
  });
});
