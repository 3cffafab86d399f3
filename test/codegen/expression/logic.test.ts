import { describe, expect, test } from "vitest";
import type { DataType } from "../../../src/arrow/mod.ts";
import * as arrow from "../../../src/arrow/mod.ts";
import type { LiteralValue, ScalarFunction, TypedExpression } from "../../../src/plan/mod.ts";
import { call, caseOf, column, isIn, literal } from "../expressions.ts";
import { evaluate } from "../harness.ts";

const { bool, int64, int32, float64, utf8 } = arrow;
const THREE = [true, false, null] as const;
/** 1/0 = 1: an error wherever it runs. */
const failing = call(
  "eq",
  [call("divide", [literal(1n, int64), column("zero", int64)], { type: int64 }), literal(1n, int64)],
  { type: bool },
);
const zero = { name: "zero", type: int64, values: [0n] };

function compare(
  type: DataType,
  values: readonly LiteralValue[],
  order: (a: LiteralValue, b: LiteralValue) => number,
): void {
  const pairs = values.flatMap((a) => values.map((b) => [a, b] as const));
  const columns = ["a", "b"].map((name, i) => ({ name, type, values: pairs.map((pair) => pair[i] as LiteralValue) }));
  const operators: [ScalarFunction, (o: number) => boolean][] = [
    ["eq", (o) => o === 0],
    ["ne", (o) => o !== 0],
    ["lt", (o) => o < 0],
    ["le", (o) => o <= 0],
    ["gt", (o) => o > 0],
    ["ge", (o) => o >= 0],
  ];
  for (const [fn, holds] of operators) {
    const expected = pairs.map(([a, b]) => (a === null || b === null ? null : holds(order(a, b))));
    const label = (result: readonly unknown[]) =>
      pairs.map((pair, i) => `${String(pair[0])} ${fn} ${String(pair[1])}: ${result[i]}`);
    expect(label(evaluate(call(fn, [column("a", type), column("b", type)], { type: bool }), { columns }))).toEqual(
      label(expected),
    );
    for (const constant of values) {
      const columnsOfOne = [{ name: "a", type, values }];
      const right = evaluate(call(fn, [column("a", type), literal(constant, type)], { type: bool }), {
        columns: columnsOfOne,
      });
      const left = evaluate(call(fn, [literal(constant, type), column("a", type)], { type: bool }), {
        columns: columnsOfOne,
      });
      const at = (a: LiteralValue, b: LiteralValue) => (a === null || b === null ? null : holds(order(a, b)));
      expect(right).toEqual(values.map((a) => at(a, constant)));
      expect(left).toEqual(values.map((a) => at(constant, a)));
    }
  }
}

const numeric = (a: LiteralValue, b: LiteralValue) =>
  (a as number) < (b as number) ? -1 : (a as number) > (b as number) ? 1 : 0;

describe("comparison", () => {
  test("of integers respects the sign of the type", () => {
    compare(arrow.int8, [-128, -1, 0, 1, 127, null], numeric);
    compare(arrow.uint32, [0, 1, 2147483648, 4294967295, null], numeric);
    compare(arrow.int64, [-(1n << 63n), -1n, 0n, (1n << 63n) - 1n, null], numeric);
    compare(arrow.uint64, [0n, 1n, 1n << 63n, (1n << 64n) - 1n], numeric);
    compare(arrow.date32, [-1, 0, 1, null], numeric);
    compare(bool, [false, true, null], numeric);
  });

  test("of floats is a total order with NaN greatest and -0 equal to 0", () => {
    const order = (a: LiteralValue, b: LiteralValue) => {
      if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
      return numeric(a, b);
    };
    for (const type of [float64, arrow.float32]) {
      compare(type, [Number.NEGATIVE_INFINITY, -1.5, -0, 0, 2.5, Number.POSITIVE_INFINITY, Number.NaN, null], order);
    }
  });

  test("of text is by unsigned bytes, a prefix first", () => {
    const encode = (value: LiteralValue) => Buffer.from(value as string);
    const texts = [
      "",
      "a",
      "b",
      "ab",
      "abcdefgh",
      "abcdefghi",
      "abcdefgx",
      "abcdefghijklmnop",
      "abcdefghijklmnopq",
      "abcdefghijklmnoz",
      "zebra",
      "é",
      "日本語",
      "\u{10000}",
      "\uffff",
      null,
    ];
    compare(utf8, texts, (a, b) => Buffer.compare(encode(a), encode(b)));
  });

  test("of decimals is over all 128 bits", () => {
    const big = 10n ** 38n - 1n;
    compare(arrow.decimal(38, 2), [-big, -(1n << 64n), -1n, 0n, 1n, 1n << 64n, (1n << 64n) + 1n, big, null], numeric);
  });
});

describe("logic", () => {
  test("and, or and not are three-valued", () => {
    const pairs = THREE.flatMap((a) => THREE.map((b) => [a, b] as const));
    const columns = ["a", "b"].map((name, i) => ({
      name,
      type: bool,
      values: pairs.map((pair) => pair[i] as boolean | null),
    }));
    const and = (a: boolean | null, b: boolean | null) =>
      a === false || b === false ? false : a === null || b === null ? null : true;
    const or = (a: boolean | null, b: boolean | null) => (a || b ? true : a === null || b === null ? null : false);
    // Once as cheap operands without a branch, once lazily.
    const lazy = (name: string): TypedExpression =>
      call("coalesce", [column(name, bool), literal(null, bool)], { type: bool });
    for (const of of [(name: string) => column(name, bool), lazy]) {
      expect(evaluate(call("and", [of("a"), of("b")], { type: bool }), { columns })).toEqual(
        pairs.map(([a, b]) => and(a, b)),
      );
      expect(evaluate(call("or", [of("a"), of("b")], { type: bool }), { columns })).toEqual(
        pairs.map(([a, b]) => or(a, b)),
      );
    }
    expect(evaluate(call("not", [column("a", bool)], { type: bool }), { columns })).toEqual(
      pairs.map(([a]) => (a === null ? null : !a)),
    );
  });

  test("the right side of and and or runs only where it matters", () => {
    const columns = [zero, { name: "a", type: bool, values: [false] }];
    expect(evaluate(call("and", [column("a", bool), failing], { type: bool }), { columns })).toEqual([false]);
    expect(
      evaluate(call("or", [call("not", [column("a", bool)], { type: bool }), failing], { type: bool }), { columns }),
    ).toEqual([true]);
    expect(() => evaluate(call("or", [column("a", bool), failing], { type: bool }), { columns })).toThrow(/zero/);
  });

  test("a branch not taken and a later coalesce argument never fail", () => {
    const columns = [zero, { name: "a", type: int64, values: [3n] }];
    const divided = call("divide", [column("a", int64), column("zero", int64)], { type: int64 });
    const isZero = call("eq", [column("zero", int64), literal(0n, int64)], { type: bool });
    expect(evaluate(caseOf([[isZero, literal(7n, int64)]], divided), { columns })).toEqual([7n]);
    expect(evaluate(call("coalesce", [column("a", int64), divided], { type: int64 }), { columns })).toEqual([3n]);
  });
});

describe("case, coalesce and nullIf", () => {
  const values = [1n, 2n, 3n, null];
  const columns = [{ name: "a", type: int64, values }];
  const is = (value: bigint) => call("eq", [column("a", int64), literal(value, int64)], { type: bool });

  test("case takes the first true branch, and null counts as not true", () => {
    const text = caseOf(
      [
        [is(1n), literal("one", utf8)],
        [is(2n), literal("two", utf8)],
      ],
      literal("other", utf8),
    );
    expect(evaluate(text, { columns })).toEqual(["one", "two", "other", "other"]);
    expect(evaluate(caseOf([[is(1n), literal("one", utf8)]], null), { columns })).toEqual(["one", null, null, null]);
    expect(evaluate(caseOf([[is(1n), literal(1.5, float64)]], literal(0, float64)), { columns })).toEqual([
      1.5, 0, 0, 0,
    ]);
  });

  test("coalesce gives the first value that is not null", () => {
    const two = [...columns, { name: "b", type: int64, values: [9n, null, null, null] }];
    const args = [column("b", int64), column("a", int64), literal(0n, int64)];
    expect(evaluate(call("coalesce", args, { type: int64 }), { columns: two })).toEqual([9n, 2n, 3n, 0n]);
    expect(evaluate(call("coalesce", args.slice(0, 2), { type: int64 }), { columns: two })).toEqual([9n, 2n, 3n, null]);
  });

  test("nullIf gives null where the values are equal", () => {
    const expression = call("nullIf", [column("a", int64), literal(2n, int64)], { type: int64 });
    expect(evaluate(expression, { columns })).toEqual([1n, null, 3n, null]);
    const texts = [{ name: "t", type: utf8, values: ["x", "", null] }];
    expect(
      evaluate(call("nullIf", [column("t", utf8), literal("", utf8)], { type: utf8 }), { columns: texts }),
    ).toEqual(["x", null, null]);
  });

  test("isNull and isNotNull are never null, of dictionary columns too", () => {
    for (const dictionary of [false, true]) {
      const texts = [{ name: "t", type: utf8, values: ["x", null], dictionary }];
      expect(evaluate(call("isNull", [column("t", utf8)], { type: bool }), { columns: texts })).toEqual([false, true]);
      expect(evaluate(call("isNotNull", [column("t", utf8)], { type: bool }), { columns: texts })).toEqual([
        true,
        false,
      ]);
    }
  });
});

describe("in", () => {
  const check = (type: DataType, values: readonly LiteralValue[], list: readonly LiteralValue[]) => {
    const same = (a: LiteralValue, b: LiteralValue) =>
      a === b || (Number.isNaN(a) && Number.isNaN(b)) || (a === 0 && b === 0);
    const expected = values.map((value) => {
      if (list.length === 0) return false;
      if (value === null) return null;
      if (list.some((item) => item !== null && same(item, value))) return true;
      return list.includes(null) ? null : false;
    });
    expect(evaluate(isIn(column("a", type), list), { columns: [{ name: "a", type, values }] })).toEqual(expected);
  };

  test("finds numbers in short and long lists", () => {
    const many = Array.from({ length: 100 }, (_, i) => BigInt(i * 3 - 150));
    const values = [...Array.from({ length: 310 }, (_, i) => BigInt(i - 155)), null];
    check(int64, values, [1n, 2n]);
    check(int64, values, [1n, null]);
    check(int64, values, many);
    check(int64, values, [...many, null]);
    check(int64, values, []);
    check(
      int32,
      values.map((value) => (value === null ? null : Number(value))),
      many.map(Number),
    );
    check(
      arrow.uint64,
      [0n, (1n << 64n) - 1n, 1n << 63n, 5n],
      Array.from({ length: 20 }, (_, i) => (1n << 64n) - 1n - BigInt(i)),
    );
    check(float64, [0, -0, Number.NaN, 1.5, 2.5, null], [0, Number.NaN, 1.5, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    check(arrow.float32, [0, -0, Number.NaN, 1.5, 2.5, null], [0, Number.NaN, 1.5, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  });

  test("finds text in short and long lists", () => {
    const words = Array.from({ length: 50 }, (_, i) => "wörd ".repeat(i % 5) + String(i));
    const values = [...words, "none", "", null];
    check(utf8, values, ["", "3", words[7] as string]);
    check(utf8, values, ["AIR", "3", null]);
    check(
      utf8,
      values,
      words.filter((_, i) => i % 2 === 0),
    );
  });
});

describe("the literal null", () => {
  test("is taken by every function, whatever the other operands are", () => {
    const none = literal(null, arrow.nullType);
    const columns = [
      { name: "a", type: int64, values: [1n, null] },
      { name: "t", type: utf8, values: ["x", null] },
    ];
    const of = (expression: TypedExpression) => evaluate(expression, { columns });
    expect(of(call("add", [column("a", int64), none], { type: int64 }))).toEqual([null, null]);
    expect(of(call("eq", [none, column("t", utf8)], { type: bool }))).toEqual([null, null]);
    expect(of(call("concat", [column("t", utf8), none], { type: utf8 }))).toEqual([null, null]);
    expect(of(call("coalesce", [none, column("t", utf8), literal("y", utf8)], { type: utf8 }))).toEqual(["x", "y"]);
    expect(of(call("nullIf", [column("t", utf8), none], { type: utf8 }))).toEqual(["x", null]);
    expect(of(caseOf([[none, column("t", utf8)]], literal("z", utf8)))).toEqual(["z", "z"]);
    expect(of(call("and", [none, literal(false, bool)], { type: bool }))).toEqual([false, false]);
    expect(of(call("isNull", [none], { type: bool }))).toEqual([true, true]);
    expect(of(call("round", [literal(1.5, float64), literal(null, int32)], { type: float64 }))).toEqual([null, null]);
  });
});
