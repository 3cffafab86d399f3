/**
 * Integer arithmetic. Small widths are computed exactly in a wider register and range-checked; 64 bits by the sign
 * of operands and result. All failures are checked for the value in hand, so a null's garbage never fails.
 */
import { invariant, unreachable } from "../../kernel/mod.ts";
import type { TypedCall, TypedExpression } from "../../plan/mod.ts";
import { type Expr, i32, i64, select } from "../../wasm/mod.ts";
import { mulOverflowsSigned, mulOverflowsUnsigned, roundSigned, roundUnsigned } from "../kernels/integers.ts";
import type { RowScope } from "../scope.ts";
import type { Value, ValueParts } from "../value.ts";
import type { Arithmetic } from "./arithmetic.ts";
import { convertInteger, type IntegerRange, integerParts, integerRange, widen } from "./integer_ranges.ts";
import {
  anyNull,
  constantOf,
  failIf,
  guardedValue,
  i32Of,
  i64Of,
  keep,
  type NullFlag,
  strictOperands,
  valueOf,
} from "./support.ts";

interface Operation {
  readonly call: TypedCall;
  readonly range: IntegerRange;
  readonly isNull: NullFlag;
}

type Exact = "add" | "subtract" | "multiply";

export function compileInteger(scope: RowScope, call: TypedCall, fn: Arithmetic): Value {
  const { args, isNull } = strictOperands(scope, call);
  const [a, b] = args;
  invariant(a !== undefined, `${fn} of nothing`);
  const range = integerRange(a.type);
  const operation: Operation = { call, range, isNull };
  const result = (parts: ValueParts): Value => valueOf(scope, call.type, isNull, parts);
  switch (fn) {
    case "add":
    case "subtract":
    case "multiply":
      return result(checked(scope, operation, { fn, a, b: second(b) }));
    case "addWrapping":
    case "subtractWrapping":
    case "multiplyWrapping":
      return result(wrapping(range, fn, [a, second(b)]));
    case "divide":
    case "modulo":
      return division(scope, operation, { fn, a, b: second(b) });
    case "negate":
      return result(checked(scope, operation, { fn: "subtract", a: zeroOf(a), b: a }));
    case "abs":
      return result(absolute(scope, operation, a));
    case "floor":
    case "ceil":
      return convertInteger(scope, call, a);
    case "round":
      return rounded(scope, operation, a);
    default:
      return unreachable(fn);
  }
}

function second(b: Value | undefined): Value {
  invariant(b !== undefined, "a second operand");
  return b;
}

function zeroOf(value: Value): Value {
  const parts: ValueParts =
    value.repr === "i64" ? { repr: "i64", value: i64.const(0n) } : { repr: "i32", value: i32.const(0) };
  return { type: value.type, isNull: null, ...parts };
}

function checked(scope: RowScope, operation: Operation, operands: { fn: Exact; a: Value; b: Value }): ValueParts {
  const { range } = operation;
  if (range.bits === 64) return checked64(scope, operation, operands);
  const { fn, a, b } = operands;
  if (range.bits < 32) {
    const value = keep(scope, applyI32(fn, i32Of(a), i32Of(b)), fn);
    overflowIf(scope, operation, i32.ne(value, truncated(range, value)));
    return { repr: "i32", value };
  }
  const wide = keep(scope, applyI64(fn, widen(a), widen(b)), fn);
  const value = keep(scope, i32.wrap_i64(wide), fn);
  const back = range.signed ? i64.extend_i32_s(value) : i64.extend_i32_u(value);
  overflowIf(scope, operation, i64.ne(wide, back));
  return { repr: "i32", value };
}

function checked64(scope: RowScope, operation: Operation, operands: { fn: Exact; a: Value; b: Value }): ValueParts {
  const { fn } = operands;
  const a = i64Of(operands.a);
  const b = i64Of(operands.b);
  const value = keep(scope, applyI64(fn, a, b), fn);
  const { signed } = operation.range;
  switch (fn) {
    case "add": {
      const overflow = signed ? isNegative(i64.and(i64.xor(a, value), i64.xor(b, value))) : i64.lt_u(value, a);
      overflowIf(scope, operation, overflow);
      break;
    }
    case "subtract": {
      const overflow = signed ? isNegative(i64.and(i64.xor(a, b), i64.xor(a, value))) : i64.lt_u(a, b);
      overflowIf(scope, operation, overflow);
      break;
    }
    case "multiply": {
      const mayOverflow = i32.eqz(i64.eqz(i64.shr_u(i64.or(fold(a, signed), fold(b, signed)), 32n)));
      const kernel = signed ? mulOverflowsSigned : mulOverflowsUnsigned;
      scope.if(mayOverflow, () => overflowIf(scope, operation, kernel.call(a, b, value)));
      break;
    }
    default:
      unreachable(fn);
  }
  return { repr: "i64", value };
}

/** Below 2^32 exactly when `x` fits in 32 bits of its signedness: then no product of two can overflow. */
function fold(x: Expr<"i64">, signed: boolean): Expr<"i64"> {
  if (!signed) return x;
  const constant = constantOf(x);
  if (constant !== undefined) return i64.const(BigInt.asUintN(64, BigInt(constant) + 0x8000_0000n));
  return i64.add(x, 0x8000_0000n);
}

function isNegative(x: Expr<"i64">): Expr<"i32"> {
  return i64.lt_s(x, 0n);
}

function overflowIf(scope: RowScope, operation: Operation, condition: Expr<"i32">): void {
  failIf(scope, condition, { code: "integerOverflow", expression: operation.call, isNull: operation.isNull });
}

function applyI32(fn: Exact, a: Expr<"i32">, b: Expr<"i32">): Expr<"i32"> {
  return fn === "add" ? i32.add(a, b) : fn === "subtract" ? i32.sub(a, b) : i32.mul(a, b);
}

function applyI64(fn: Exact, a: Expr<"i64">, b: Expr<"i64">): Expr<"i64"> {
  return fn === "add" ? i64.add(a, b) : fn === "subtract" ? i64.sub(a, b) : i64.mul(a, b);
}

/** The low bits of `value` as a number of the width. */
export function truncated(range: IntegerRange, value: Expr<"i32">): Expr<"i32"> {
  if (range.bits === 8) return range.signed ? i32.extend8_s(value) : i32.and(value, 0xff);
  if (range.bits === 16) return range.signed ? i32.extend16_s(value) : i32.and(value, 0xffff);
  return value;
}

const UNWRAPPED = { addWrapping: "add", subtractWrapping: "subtract", multiplyWrapping: "multiply" } as const;

function wrapping(range: IntegerRange, fn: keyof typeof UNWRAPPED, [a, b]: readonly [Value, Value]): ValueParts {
  if (range.bits === 64) return { repr: "i64", value: applyI64(UNWRAPPED[fn], i64Of(a), i64Of(b)) };
  return { repr: "i32", value: truncated(range, applyI32(UNWRAPPED[fn], i32Of(a), i32Of(b))) };
}

function division(
  scope: RowScope,
  operation: Operation,
  operands: { fn: "divide" | "modulo"; a: Value; b: Value },
): Value {
  const { call, range, isNull } = operation;
  const { fn, a, b } = operands;
  return guardedValue(scope, call.type, isNull, () => {
    const checks: Operation = { ...operation, isNull: null };
    checkDivisor(scope, call, b);
    if (range.bits === 64) {
      const [x, y] = [i64Of(a), i64Of(b)];
      const minusOne = range.signed && maybe(y, -1n);
      const overflows = i32.and(i64.eq(x, -(1n << 63n)), i64.eq(y, -1n));
      if (minusOne && fn === "divide") overflowIf(scope, checks, overflows);
      if (fn === "divide") return { repr: "i64", value: range.signed ? i64.div_s(x, y) : i64.div_u(x, y) };
      return { repr: "i64", value: range.signed ? i64.rem_s(x, y) : i64.rem_u(x, y) };
    }
    const [x, y] = [i32Of(a), i32Of(b)];
    if (fn === "modulo") return { repr: "i32", value: range.signed ? i32.rem_s(x, y) : i32.rem_u(x, y) };
    const overflows = i32.and(i32.eq(x, Number(range.min)), i32.eq(y, -1));
    if (range.signed && maybe(y, -1)) overflowIf(scope, checks, overflows);
    return { repr: "i32", value: range.signed ? i32.div_s(x, y) : i32.div_u(x, y) };
  });
}

function maybe(x: Expr<"i32"> | Expr<"i64">, value: number | bigint): boolean {
  const constant = constantOf(x);
  return constant === undefined || constant === value;
}

function checkDivisor(scope: RowScope, call: TypedCall, b: Value): void {
  const constant = constantOf(b.repr === "i64" ? b.value : i32Of(b));
  if (constant !== undefined && Number(constant) !== 0) return;
  const isZero = b.repr === "i64" ? i64.eqz(b.value) : i32.eqz(i32Of(b));
  failIf(scope, isZero, { code: "divisionByZero", expression: call });
}

function absolute(scope: RowScope, operation: Operation, a: Value): ValueParts {
  const { range } = operation;
  if (!range.signed) return a;
  if (range.bits === 64) {
    const x = i64Of(a);
    overflowIf(scope, operation, i64.eq(x, range.min));
    return { repr: "i64", value: select(isNegative(x), i64.sub(0n, x), x) };
  }
  const x = i32Of(a);
  overflowIf(scope, operation, i32.eq(x, Number(range.min)));
  return { repr: "i32", value: select(i32.lt_s(x, 0), i32.sub(0, x), x) };
}

/** Digits after the point to keep: round's second argument, 0 when absent. */
export function roundDigits(call: TypedCall): number {
  const digits: TypedExpression | undefined = call.args[1];
  if (digits === undefined) return 0;
  invariant(digits.kind === "literal" && digits.value !== null, "round has a literal number of digits");
  return Number(digits.value);
}

function rounded(scope: RowScope, operation: Operation, a: Value): Value {
  const { call, range } = operation;
  const digits = roundDigits(call);
  if (digits >= 0) return convertInteger(scope, call, a);
  const isNull = anyNull(scope, [a.isNull]);
  const step = digits < -20 ? 0n : 10n ** BigInt(-digits);
  // Even the largest magnitude is below half a step.
  if (step === 0n || step > 2n * -range.min + 2n * range.max) return zeroWide(scope, call, isNull);
  if (step >= 1n << 63n) return zeroOrOverflow(scope, operation, { a, step });
  return guardedValue(scope, call.type, isNull, () => {
    const x = keep(scope, widen(a), "x");
    const kernel = range.signed ? roundSigned : roundUnsigned;
    const value = keep(scope, kernel.call(x, i64.const(step)), "rounded");
    const wrapped = range.signed
      ? i32.and(isNegative(i64.xor(x, value)), i32.eqz(i64.eqz(value)))
      : i32.and(i64.lt_u(value, x), i64.gt_u(i64.sub(x, value), step));
    const outside = range.bits === 64 ? wrapped : outsideRange(value, range);
    failIf(scope, outside, { code: "integerOverflow", expression: call });
    return integerParts(call.type, value);
  });
}

function zeroWide(scope: RowScope, call: TypedCall, isNull: NullFlag): Value {
  return valueOf(scope, call.type, isNull, integerParts(call.type, i64.const(0n)));
}

/** Steps of 10^19 and more: the result is 0, or does not fit. */
function zeroOrOverflow(scope: RowScope, operation: Operation, options: { a: Value; step: bigint }): Value {
  const { call, range, isNull } = operation;
  const x = widen(options.a);
  const half = options.step / 2n;
  if (!range.signed && half <= range.max) {
    const fits = options.step <= range.max;
    const atLeastHalf = i64.ge_u(x, half);
    if (fits) overflowIf(scope, operation, i64.ge_u(x, options.step + half));
    else overflowIf(scope, operation, atLeastHalf);
    const value = fits ? select(atLeastHalf, i64.const(options.step), 0n) : i64.const(0n);
    return valueOf(scope, call.type, isNull, integerParts(call.type, value));
  }
  if (range.signed && half <= range.max) {
    const far = i32.or(i64.ge_s(x, half), i64.le_s(x, -half));
    overflowIf(scope, operation, far);
  }
  return zeroWide(scope, call, isNull);
}

function outsideRange(value: Expr<"i64">, range: IntegerRange): Expr<"i32"> {
  return i32.or(i64.lt_s(value, range.min), i64.gt_s(value, range.max));
}
