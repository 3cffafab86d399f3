/** Casts among booleans, integers, floats and decimals. Floats become integers by rounding half to even. */
import { type DataType, isFloat, isInteger } from "../../arrow/mod.ts";
import { invariant } from "../../kernel/mod.ts";
import { type Expr, f32, f64, i32, i64 } from "../../wasm/mod.ts";
import { roundHalfAway } from "../kernels/floats.ts";
import { int128FromFloat64 } from "../kernels/wide.ts";
import type { RowScope } from "../scope.ts";
import type { Value, ValueParts } from "../value.ts";
import type { CastTarget, Converter } from "./cast.ts";
import { compareI128 } from "./compare.ts";
import {
  type Decimal,
  type DecimalType,
  decimalOf,
  decimalToFloat64,
  extend,
  fitDecimal,
  isSmall,
  loadWide,
  rescale,
  wideOut,
} from "./decimal_ops.ts";
import { type IntegerRange, integerParts, integerRange, widen } from "./integer_ranges.ts";
import { i32Of, i128Of, keep } from "./support.ts";

export const castFromNumber: Converter = (scope, value, target) => {
  const { type } = value;
  if (type.kind === "bool") return fromInteger(scope, { ...value, type: { kind: "int32" } }, target);
  if (isInteger(type)) return fromInteger(scope, value, target);
  if (isFloat(type)) return fromFloat(scope, value, target);
  return type.kind === "decimal" ? fromDecimal(scope, value, target) : null;
};

function fromInteger(scope: RowScope, value: Value, target: CastTarget): ValueParts | null {
  const { to } = target;
  const from = integerRange(value.type);
  if (to.kind === "bool") {
    const isZero = value.repr === "i64" ? i64.eqz(value.value) : i32.eqz(i32Of(value));
    return { repr: "i32", value: i32.eqz(isZero) };
  }
  if (isInteger(to)) {
    const wide = keep(scope, widen(value), "wide");
    checkRange(wide, { from, to: integerRange(to), target });
    if (value.repr === "i32" && integerRange(to).bits < 64) return { repr: "i32", value: value.value };
    return integerParts(to, wide);
  }
  if (to.kind === "float64") return { repr: "f64", value: floatFromInteger(value, from) };
  if (to.kind === "float32") {
    const wide = widen(value);
    const unsigned = !from.signed && from.bits === 64;
    return { repr: "f32", value: unsigned ? f32.convert_i64_u(wide) : f32.convert_i64_s(wide) };
  }
  if (to.kind !== "decimal") return null;
  return { repr: "i128", ...fitDecimal(scope, decimalFromInteger(scope, value), to, target.failIf) };
}

function floatFromInteger(value: Value, from: IntegerRange): Expr<"f64"> {
  if (value.repr === "i64") return from.signed ? f64.convert_i64_s(value.value) : f64.convert_i64_u(value.value);
  return from.signed ? f64.convert_i32_s(i32Of(value)) : f64.convert_i32_u(i32Of(value));
}

/** An integer as a decimal of scale 0. */
export function decimalFromInteger(scope: RowScope, value: Value): Decimal {
  const range = integerRange(value.type);
  const digits = range.max.toString().length;
  const wide = keep(scope, widen(value), "low");
  if (range.bits === 64 && !range.signed) return { low: wide, high: i64.const(0n), scale: 0, digits };
  return { ...extend(scope, wide), scale: 0, digits };
}

/** Reports an integer outside of the target's range. */
export function checkRange(
  wide: Expr<"i64">,
  options: { from: IntegerRange; to: IntegerRange; target: CastTarget },
): void {
  const { from, to, target } = options;
  const unsigned = !from.signed && from.bits === 64;
  if (to.max < from.max) target.failIf(unsigned ? i64.gt_u(wide, to.max) : i64.gt_s(wide, to.max));
  if (to.min > from.min) target.failIf(i64.lt_s(wide, to.min));
}

function fromFloat(scope: RowScope, value: Value, target: CastTarget): ValueParts | null {
  const { to } = target;
  invariant(value.repr === "f32" || value.repr === "f64", "a float is f32 or f64");
  const wide = keep(scope, value.repr === "f32" ? f64.promote_f32(value.value) : value.value, "float");
  if (to.kind === "bool") return { repr: "i32", value: f64.ne(wide, 0) };
  if (to.kind === "float64") return { repr: "f64", value: wide };
  if (to.kind === "float32") {
    const narrow = keep(scope, f32.demote_f64(wide), "narrow");
    const infinite = f32.eq(f32.abs(narrow), Number.POSITIVE_INFINITY);
    target.failIf(i32.and(infinite, f64.ne(f64.abs(wide), Number.POSITIVE_INFINITY)));
    return { repr: "f32", value: narrow };
  }
  if (isInteger(to)) return integerFromFloat(scope, wide, { ...target, to });
  return to.kind === "decimal" ? decimalFromFloat(scope, wide, { type: to, target }) : null;
}

function integerFromFloat(scope: RowScope, wide: Expr<"f64">, target: CastTarget): ValueParts {
  const { min, max, signed } = integerRange(target.to);
  const nearest = keep(scope, f64.nearest(wide), "nearest");
  // Written so that NaN fails. max + 1 and min are powers of two, so both comparisons are exact.
  const fits = i32.and(f64.ge(nearest, Number(min)), f64.lt(nearest, Number(max + 1n)));
  target.failIf(i32.eqz(fits));
  return integerParts(target.to, signed ? i64.trunc_sat_f64_s(nearest) : i64.trunc_sat_f64_u(nearest));
}

/** Scaled in double arithmetic and rounded half away from zero, as DuckDB does. */
function decimalFromFloat(
  scope: RowScope,
  wide: Expr<"f64">,
  options: { type: DecimalType; target: CastTarget },
): ValueParts {
  const { type, target } = options;
  const scaled = type.scale >= 0 ? f64.mul(wide, 10 ** type.scale) : f64.div(wide, 10 ** -type.scale);
  const rounded = keep(scope, roundHalfAway.call(scaled), "rounded");
  target.failIf(i32.eqz(f64.lt(f64.abs(rounded), 10 ** type.precision)));
  scope.f.emit(int128FromFloat64.call(wideOut(scope), rounded));
  return { repr: "i128", ...loadWide(scope) };
}

function fromDecimal(scope: RowScope, value: Value, target: CastTarget): ValueParts | null {
  const { to } = target;
  const decimal = decimalOf(value);
  if (to.kind === "bool") {
    const { low, high } = i128Of(value);
    return { repr: "i32", value: i32.eqz(i64.eqz(i64.or(low, high))) };
  }
  if (to.kind === "float64") return { repr: "f64", value: decimalToFloat64(scope, decimal) };
  if (to.kind === "float32") return { repr: "f32", value: f32.demote_f64(decimalToFloat64(scope, decimal)) };
  if (to.kind === "decimal") return { repr: "i128", ...fitDecimal(scope, decimal, to, target.failIf) };
  return isInteger(to) ? integerFromDecimal(scope, decimal, { ...target, to }) : null;
}

/** Rounded half away from zero. */
function integerFromDecimal(scope: RowScope, decimal: Decimal, target: CastTarget): ValueParts {
  const whole = rescale(scope, decimal, { scale: 0, onOverflow: target.failIf });
  const { min, max } = integerRange(target.to as DataType);
  const wide = (x: bigint) => ({ low: i64.const(BigInt.asIntN(64, x)), high: i64.const(x >> 64n) });
  if (isSmall(whole)) {
    const limit = 10n ** BigInt(whole.digits);
    if (max < limit) target.failIf(i64.gt_s(whole.low, max));
    if (min > -limit) target.failIf(i64.lt_s(whole.low, min));
  } else {
    target.failIf(i32.or(compareI128("gt", whole, wide(max)), compareI128("lt", whole, wide(min))));
  }
  return integerParts(target.to, whole.low);
}
