/** Decimal arithmetic: exact, or an error past the digits of the result's type. Division is float64. */
import type { DataType } from "../../arrow/mod.ts";
import { invariant, unreachable } from "../../kernel/mod.ts";
import type { TypedCall } from "../../plan/mod.ts";
import { f64, i32, i64, select } from "../../wasm/mod.ts";
import { remainder128 } from "../kernels/wide.ts";
import type { RowScope } from "../scope.ts";
import type { Value, ValueParts } from "../value.ts";
import type { Arithmetic } from "./arithmetic.ts";
import {
  checkDigits,
  type Decimal,
  type DecimalType,
  decimalOf,
  decimalToFloat64,
  extend,
  fitDecimal,
  isSmall,
  loadWide,
  multiplyDecimals,
  type OnOverflow,
  rescale,
  SMALL_DIGITS_MAX,
  scaleDown,
  wideOut,
} from "./decimal_ops.ts";
import { roundDigits } from "./integers.ts";
import { failIf, guardedValue, type Int128, keep, type NullFlag, strictOperands, valueOf } from "./support.ts";

export function compileDecimal(scope: RowScope, call: TypedCall, fn: Arithmetic): Value {
  const { args, isNull } = strictOperands(scope, call);
  const [a, b] = args.filter(({ type }) => type.kind === "decimal").map(decimalOf);
  invariant(a !== undefined, `${fn} of nothing`);
  // Without calls and traps the code runs for nulls too; what overflows there is not reported.
  const cheap =
    isSmall(a) && (b === undefined || isSmall(b)) && (fn === "add" || fn === "subtract" || fn === "multiply");
  if (cheap) {
    const parts = compute(scope, { call, fn, a, b, onOverflow: reporter(scope, call, isNull) });
    return valueOf(scope, call.type, isNull, parts);
  }
  return guardedValue(scope, call.type, isNull, () =>
    compute(scope, { call, fn, a, b, onOverflow: reporter(scope, call, null) }),
  );
}

function reporter(scope: RowScope, call: TypedCall, isNull: NullFlag): OnOverflow {
  return (condition) => failIf(scope, condition, { code: "decimalOverflow", expression: call, isNull });
}

interface Operation {
  readonly call: TypedCall;
  readonly fn: Arithmetic;
  readonly a: Decimal;
  readonly b: Decimal | undefined;
  readonly onOverflow: OnOverflow;
}

function compute(scope: RowScope, operation: Operation): ValueParts {
  const { call, fn, a, b, onOverflow } = operation;
  const fit = (value: Decimal): ValueParts => wide(fitDecimal(scope, value, resultType(call.type), onOverflow));
  switch (fn) {
    case "add":
    case "addWrapping":
      return fit(addDecimals(scope, a, { b: second(b), onOverflow }));
    case "subtract":
    case "subtractWrapping":
      return fit(addDecimals(scope, a, { b: negated(scope, second(b)), onOverflow }));
    case "multiply":
    case "multiplyWrapping":
      return fit(multiplyDecimals(scope, a, second(b), onOverflow));
    case "divide":
      failIfZero(scope, call, second(b));
      return {
        repr: "f64",
        value: keep(scope, f64.div(decimalToFloat64(scope, a), decimalToFloat64(scope, second(b)))),
      };
    case "modulo":
      failIfZero(scope, call, second(b));
      return fit(remainder(scope, a, { b: second(b), onOverflow }));
    case "negate":
      return fit(negated(scope, a));
    case "abs":
      return fit(absolute(scope, a));
    case "round":
      return fit(
        a.scale <= roundDigits(call) ? a : roundTo(scope, a, { scale: roundDigits(call), rounding: "halfAway" }),
      );
    case "floor":
    case "ceil":
      return fit(a.scale <= 0 ? a : roundTo(scope, a, { scale: 0, rounding: fn }));
    default:
      return unreachable(fn);
  }
}

function wide(value: Int128): ValueParts {
  return { repr: "i128", ...value };
}

function resultType(type: DataType): DecimalType {
  invariant(type.kind === "decimal", "the result is a decimal");
  return type;
}

function second(b: Decimal | undefined): Decimal {
  invariant(b !== undefined, "a second operand");
  return b;
}

function addDecimals(scope: RowScope, left: Decimal, options: { b: Decimal; onOverflow: OnOverflow }): Decimal {
  const { onOverflow } = options;
  const scale = Math.max(left.scale, options.b.scale);
  const a = rescale(scope, left, { scale, onOverflow });
  const b = rescale(scope, options.b, { scale, onOverflow });
  const digits = Math.max(a.digits, b.digits) + 1;
  if (isSmall(a) && isSmall(b)) return { ...extend(scope, i64.add(a.low, b.low)), scale, digits };
  const low = keep(scope, i64.add(a.low, b.low), "low");
  const carry = i64.extend_i32_u(i64.lt_u(low, a.low));
  const high = keep(scope, i64.add(i64.add(a.high, b.high), carry), "high");
  if (digits > 38) onOverflow(i64.lt_s(i64.and(i64.xor(a.high, high), i64.xor(b.high, high)), 0n));
  return { low, high, scale, digits };
}

function negated(scope: RowScope, a: Decimal): Decimal {
  if (isSmall(a)) return { ...extend(scope, i64.sub(0n, a.low)), scale: a.scale, digits: a.digits };
  const low = keep(scope, i64.sub(0n, a.low), "low");
  const high = keep(scope, i64.sub(i64.sub(0n, a.high), i64.extend_i32_u(i32.eqz(i64.eqz(a.low)))), "high");
  return { ...a, low, high };
}

function absolute(scope: RowScope, a: Decimal): Decimal {
  const minus = negated(scope, a);
  const negative = i64.lt_s(a.high, 0n);
  return {
    ...a,
    low: keep(scope, select(negative, minus.low, a.low), "low"),
    high: keep(scope, select(negative, minus.high, a.high), "high"),
  };
}

function failIfZero(scope: RowScope, call: TypedCall, b: Decimal): void {
  failIf(scope, i64.eqz(i64.or(b.low, b.high)), { code: "divisionByZero", expression: call });
}

function remainder(scope: RowScope, left: Decimal, options: { b: Decimal; onOverflow: OnOverflow }): Decimal {
  const { onOverflow } = options;
  const scale = Math.max(left.scale, options.b.scale);
  const a = rescale(scope, left, { scale, onOverflow });
  const b = rescale(scope, options.b, { scale, onOverflow });
  const digits = Math.min(a.digits, b.digits);
  if (Math.max(a.digits, b.digits) <= SMALL_DIGITS_MAX) {
    return { ...extend(scope, i64.rem_s(a.low, b.low)), scale, digits };
  }
  checkDigits(a, 38, onOverflow);
  checkDigits(b, 38, onOverflow);
  scope.f.emit(remainder128.call(wideOut(scope), a.low, a.high, b.low, b.high));
  return { ...loadWide(scope), scale, digits };
}

function roundTo(
  scope: RowScope,
  a: Decimal,
  options: { scale: number; rounding: "halfAway" | "floor" | "ceil" },
): Decimal {
  return scaleDown(scope, a, { by: a.scale - options.scale, rounding: options.rounding });
}
