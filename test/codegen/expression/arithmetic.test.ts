import { describe, expect, test } from "vitest";
import type { DataType, IntKind } from "../../../src/arrow/mod.ts";
import * as arrow from "../../../src/arrow/mod.ts";
import type { LiteralValue, ScalarFunction } from "../../../src/plan/mod.ts";
import { call, column, literal } from "../expressions.ts";
import { evaluate } from "../harness.ts";

const KINDS: readonly IntKind[] = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"];

function rangeOf(kind: IntKind) {
  const bits = BigInt(kind.replace(/\D/g, ""));
  if (kind.startsWith("uint")) return { bits, min: 0n, max: (1n << bits) - 1n, signed: false };
  return { bits, min: -(1n << (bits - 1n)), max: (1n << (bits - 1n)) - 1n, signed: true };
}

const stored = (kind: IntKind, value: bigint): LiteralValue => (kind.endsWith("64") ? value : Number(value));

function edges(kind: IntKind): bigint[] {
  const { min, max, bits } = rangeOf(kind);
  const half = 1n << (bits / 2n);
  const candidates = [
    min,
    min + 1n,
    min / 2n,
    -half,
    -2n,
    -1n,
    0n,
    1n,
    2n,
    3n,
    7n,
    half - 1n,
    half,
    half + 1n,
    max / 2n,
    max / 3n,
    max - 1n,
    max,
  ];
  return [...new Set(candidates.filter((value) => value >= min && value <= max))];
}

/** The exact result, or null where it is an error. */
function exact(fn: ScalarFunction, a: bigint, b: bigint): bigint | null {
  switch (fn) {
    case "add":
    case "addWrapping":
      return a + b;
    case "subtract":
    case "subtractWrapping":
      return a - b;
    case "multiply":
    case "multiplyWrapping":
      return a * b;
    case "divide":
      return b === 0n ? null : a / b;
    case "modulo":
      return b === 0n ? null : a % b;
    default:
      throw new Error(fn);
  }
}

function attempt(fn: ScalarFunction, type: DataType, values: readonly LiteralValue[]): LiteralValue {
  const columns = values.map((value, i) => ({ name: "ab"[i] as string, type, values: [value] }));
  const args = columns.map(({ name }) => column(name, type));
  try {
    return evaluate(call(fn, args, { type }), { columns })[0] as LiteralValue;
  } catch {
    return "error";
  }
}

describe("integers", () => {
  for (const kind of KINDS) {
    const { min, max, bits, signed } = rangeOf(kind);
    const type = { kind };
    const wrap = (value: bigint) => (signed ? BigInt.asIntN(Number(bits), value) : BigInt.asUintN(Number(bits), value));

    for (const fn of ["add", "subtract", "multiply", "divide", "modulo"] as const) {
      test(`${fn} of ${kind} is exact or an error at every edge`, () => {
        const pairs = edges(kind).flatMap((a) => edges(kind).map((b) => [a, b] as const));
        const fits = (value: bigint | null) => value !== null && value >= min && value <= max;
        const good = pairs.filter(([a, b]) => fits(exact(fn, a, b)));
        const columns = ["a", "b"].map((name, i) => ({
          name,
          type,
          values: good.map((pair) => stored(kind, pair[i] as bigint)),
        }));
        const result = evaluate(call(fn, [column("a", type), column("b", type)], { type }), { columns });
        expect(result).toEqual(good.map(([a, b]) => stored(kind, exact(fn, a, b) as bigint)));
        const bad = pairs.filter(([a, b]) => !fits(exact(fn, a, b)));
        for (const [a, b] of bad.slice(0, 12)) {
          expect([a, b, attempt(fn, type, [stored(kind, a), stored(kind, b)])]).toEqual([a, b, "error"]);
        }
      });
    }

    test(`wrapping arithmetic of ${kind} keeps the low bits`, () => {
      for (const fn of ["addWrapping", "subtractWrapping", "multiplyWrapping"] as const) {
        const pairs = edges(kind).flatMap((a) => edges(kind).map((b) => [a, b] as const));
        const columns = ["a", "b"].map((name, i) => ({
          name,
          type,
          values: pairs.map((pair) => stored(kind, pair[i] as bigint)),
        }));
        const result = evaluate(call(fn, [column("a", type), column("b", type)], { type }), { columns });
        expect(result).toEqual(pairs.map(([a, b]) => stored(kind, wrap(exact(fn, a, b) as bigint))));
      }
    });

    test(`abs and negate of ${kind} fail only where the result does not fit`, () => {
      for (const value of edges(kind)) {
        const negated = -value;
        const positive = value < 0n ? -value : value;
        const fits = (x: bigint) => (x >= min && x <= max ? stored(kind, x) : "error");
        expect(attempt("negate", type, [stored(kind, value)])).toEqual(fits(negated));
        expect(attempt("abs", type, [stored(kind, value)])).toEqual(fits(positive));
      }
    });

    test(`round of ${kind} to tens and hundreds goes half away from zero`, () => {
      for (const digits of [-1, -2, -4, -9, -18, -19, -20, -25, 0, 3]) {
        for (const value of edges(kind)) {
          const step = 10n ** BigInt(Math.max(0, -digits));
          const magnitude = (((value < 0n ? -value : value) + step / 2n) / step) * step;
          const expected = value < 0n ? -magnitude : magnitude;
          const fits = expected >= min && expected <= max ? stored(kind, expected) : "error";
          const expression = call("round", [column("a", type), literal(digits, arrow.int32)], { type });
          let got: LiteralValue = "error";
          try {
            got = evaluate(expression, {
              columns: [{ name: "a", type, values: [stored(kind, value)] }],
            })[0] as LiteralValue;
          } catch {}
          expect([digits, value, got]).toEqual([digits, value, fits]);
        }
      }
    });
  }

  test("a null operand gives null and never an error", () => {
    const type = arrow.int64;
    const columns = [
      { name: "a", type, values: [null, 1n, null, 5n] },
      { name: "b", type, values: [0n, null, null, 2n] },
    ];
    const args = [column("a", type), column("b", type)];
    expect(evaluate(call("divide", args, { type }), { columns })).toEqual([null, null, null, 2n]);
    expect(evaluate(call("multiply", args, { type }), { columns })).toEqual([null, null, null, 10n]);
  });

  test("the error names the expression and the row", () => {
    const type = arrow.int32;
    const columns = [{ name: "x", type, values: [1, 2147483647] }];
    const expression = call("add", [column("x", type), literal(1, type)], { type });
    expect(() => evaluate(expression, { columns })).toThrow(/Integer overflow.*\(x \+ 1\), row 1/);
  });
});

describe("floats", () => {
  const type = arrow.float64;
  const unary = (fn: ScalarFunction, values: number[], result: DataType = type) =>
    evaluate(call(fn, [column("a", type)], { type: result }), { columns: [{ name: "a", type, values }] });
  const binary = (fn: ScalarFunction, a: number, b: number, of: DataType = type) =>
    evaluate(call(fn, [column("a", of), column("b", of)], { type: of }), {
      columns: [
        { name: "a", type: of, values: [a] },
        { name: "b", type: of, values: [b] },
      ],
    })[0];

  test("division by zero is IEEE", () => {
    expect(binary("divide", 1, 0)).toBe(Number.POSITIVE_INFINITY);
    expect(binary("divide", 0, 0)).toBeNaN();
    expect(binary("modulo", 5.5, 2)).toBe(1.5);
    expect(binary("modulo", -5.5, 2, arrow.float32)).toBe(-1.5);
    expect(binary("modulo", 1, 0)).toBeNaN();
  });

  test("round goes half away from zero, also just below a half", () => {
    expect(unary("round", [0.5, -0.5, 2.5, 0.49999999999999994, 4503599627370497, 1e300, -1.4])).toEqual([
      1, -1, 3, 0, 4503599627370497, 1e300, -1,
    ]);
    expect(unary("round", [Number.NaN, Number.POSITIVE_INFINITY])).toEqual([Number.NaN, Number.POSITIVE_INFINITY]);
    const digits = (count: number, x: number) =>
      evaluate(call("round", [column("a", type), literal(count, arrow.int32)], { type }), {
        columns: [{ name: "a", type, values: [x] }],
      })[0];
    expect(digits(2, 3.14159)).toBe(3.14);
    expect(digits(-2, 1250)).toBe(1300);
    expect(digits(300, 1e300)).toBe(1e300);
  });

  test("functions", () => {
    expect(unary("sqrt", [4, -1, -0])).toEqual([2, Number.NaN, -0]);
    expect(unary("ln", [Math.E, 0, -1])).toEqual([1, Number.NEGATIVE_INFINITY, Number.NaN]);
    expect(unary("exp", [0, 1])).toEqual([1, Math.E]);
    expect(binary("pow", 2, 10)).toBe(1024);
    expect(binary("pow", 1, Number.NaN)).toBe(1);
    expect(binary("pow", -3, 2)).toBe(9);
    expect(unary("floor", [-1.5])).toEqual([-2]);
    expect(unary("ceil", [-1.5])).toEqual([-1]);
    expect(unary("negate", [0])).toEqual([-0]);
    expect(unary("abs", [-0, -3])).toEqual([0, 3]);
    expect(unary("isNan", [Number.NaN, 1], arrow.bool)).toEqual([true, false]);
  });
});
