/**
 * Operations on decimals between two types. A `Decimal` knows how many digits its value can have: up to 18 it fits in
 * one int64 and is computed there; checks that the digits rule out are left away.
 */
import { type DataType, DECIMAL_PRECISION_MAX } from "../../arrow/mod.ts";
import { invariant } from "../../kernel/mod.ts";
import { type Expr, f64, i32, i64, ifElse } from "../../wasm/mod.ts";
import {
  divide128,
  float64From128,
  float64FromDecimal,
  mulHighSigned,
  multiply128,
  ROUNDING,
  type Rounding,
} from "../kernels/wide.ts";
import type { RowScope } from "../scope.ts";
import type { Value } from "../value.ts";
import { compareI128 } from "./compare.ts";
import { type Int128, i128Of, keep } from "./support.ts";

export type DecimalType = Extract<DataType, { kind: "decimal" }>;

export interface Decimal extends Int128 {
  readonly scale: number;
  /** |unscaled value| < 10^digits. */
  readonly digits: number;
}

/** Digits that always fit in an int64. */
export const SMALL_DIGITS_MAX = 18;

/** Is told of every condition under which the result is wrong. */
export type OnOverflow = (condition: Expr<"i32">) => void;

export function decimalOf(value: Value): Decimal {
  const { type } = value;
  invariant(type.kind === "decimal", "a decimal operand");
  return { ...i128Of(value), scale: type.scale, digits: type.precision };
}

export function isSmall(value: Decimal): boolean {
  return value.digits <= SMALL_DIGITS_MAX;
}

export function powerOfTen(exponent: number): Int128 {
  const power = 10n ** BigInt(exponent);
  return { low: i64.const(BigInt.asIntN(64, power)), high: i64.const(power >> 64n) };
}

/** Where kernels store wide results. */
export function wideOut(scope: RowScope): Expr<"i32"> {
  const offsets = [0, 1, 2, 3].map((i) => scope.program.context.wide(`wide.${i}`));
  invariant((offsets[3] as number) - (offsets[0] as number) === 24, "wide words lie side by side");
  return i32.add(scope.ctx, offsets[0] as number);
}

export function loadWide(scope: RowScope): Int128 {
  const offset = scope.program.context.wide("wide.0");
  return {
    low: keep(scope, i64.load(scope.ctx, offset), "low"),
    high: keep(scope, i64.load(scope.ctx, offset + 8), "high"),
  };
}

/** An int64 as a wide value. */
export function extend(scope: RowScope, value: Expr<"i64">): Int128 {
  const low = keep(scope, value, "low");
  return { low, high: keep(scope, i64.shr_s(low, 63n), "high") };
}

export function multiplyDecimals(scope: RowScope, a: Decimal, b: Decimal, onOverflow: OnOverflow): Decimal {
  const digits = a.digits + b.digits;
  const scale = a.scale + b.scale;
  if (digits <= SMALL_DIGITS_MAX) return { ...extend(scope, i64.mul(a.low, b.low)), scale, digits };
  if (isSmall(a) && isSmall(b)) {
    const low = keep(scope, i64.mul(a.low, b.low), "low");
    const offset = (x: Expr<"i64">) => i64.add(x, 0x8000_0000n);
    const bothIn32 = i64.eqz(i64.shr_u(i64.or(offset(a.low), offset(b.low)), 32n));
    const high = ifElse(bothIn32, i64.shr_s(low, 63n), mulHighSigned.call(a.low, b.low));
    return { low, high: keep(scope, high, "high"), scale, digits };
  }
  const overflow = multiply128.call(wideOut(scope), a.low, a.high, b.low, b.high);
  if (digits <= DECIMAL_PRECISION_MAX) scope.f.emit(overflow);
  else onOverflow(keep(scope, overflow, "overflow"));
  return { ...loadWide(scope), scale, digits };
}

/** The same number with `scale` digits after the point. */
export function rescale(
  scope: RowScope,
  value: Decimal,
  options: { scale: number; rounding?: Rounding; onOverflow: OnOverflow },
): Decimal {
  const up = options.scale - value.scale;
  if (up === 0) return value;
  if (up > 0) return scaleUp(scope, value, { by: up, onOverflow: options.onOverflow });
  return scaleDown(scope, value, { by: -up, rounding: options.rounding ?? "halfAway" });
}

function scaleUp(scope: RowScope, value: Decimal, options: { by: number; onOverflow: OnOverflow }): Decimal {
  const { by } = options;
  const scale = value.scale + by;
  if (by > DECIMAL_PRECISION_MAX) {
    options.onOverflow(i32.eqz(i64.eqz(i64.or(value.low, value.high))));
    return { low: i64.const(0n), high: i64.const(0n), scale, digits: 1 };
  }
  const power: Decimal = { ...powerOfTen(by), scale: by, digits: by + 1 };
  const product = multiplyDecimals(scope, value, power, options.onOverflow);
  return { ...product, scale, digits: value.digits + by };
}

export function scaleDown(scope: RowScope, value: Decimal, options: { by: number; rounding: Rounding }): Decimal {
  const { by, rounding } = options;
  const scale = value.scale - by;
  if (by > DECIMAL_PRECISION_MAX && rounding !== "floor" && rounding !== "ceil") {
    return { low: i64.const(0n), high: i64.const(0n), scale, digits: 1 };
  }
  const power = powerOfTen(Math.min(by, DECIMAL_PRECISION_MAX));
  scope.f.emit(divide128.call(wideOut(scope), value.low, value.high, power.low, power.high, ROUNDING[rounding]));
  return { ...loadWide(scope), scale, digits: Math.max(0, value.digits - by) + 1 };
}

/** Reports a value of more than `precision` digits. */
export function checkDigits(value: Decimal, precision: number, onOverflow: OnOverflow): void {
  if (value.digits <= precision) return;
  const limit = 10n ** BigInt(precision);
  const wide = (x: bigint): Int128 => ({ low: i64.const(BigInt.asIntN(64, x)), high: i64.const(x >> 64n) });
  onOverflow(i32.or(compareI128("ge", value, wide(limit)), compareI128("le", value, wide(-limit))));
}

/** `value` in the form of `type`: rescaled, half away from zero, and checked. */
export function fitDecimal(scope: RowScope, value: Decimal, type: DecimalType, onOverflow: OnOverflow): Int128 {
  const scaled = rescale(scope, value, { scale: type.scale, onOverflow });
  checkDigits(scaled, type.precision, onOverflow);
  return { low: scaled.low, high: scaled.high };
}

export function decimalToFloat64(scope: RowScope, value: Decimal): Expr<"f64"> {
  const { scale } = value;
  const whole = isSmall(value) ? f64.convert_i64_s(value.low) : float64From128.call(value.low, value.high);
  if (scale === 0) return keep(scope, whole, "float");
  if (scale < 0) return keep(scope, f64.mul(whole, 10 ** -scale), "float");
  if (value.digits <= 15) return keep(scope, f64.div(whole, 10 ** scale), "float");
  const power = powerOfTen(scale);
  const call = float64FromDecimal.call(
    wideOut(scope),
    value.low,
    value.high,
    power.low,
    power.high,
    f64.const(10 ** scale),
  );
  return keep(scope, call, "float");
}
