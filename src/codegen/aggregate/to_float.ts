import { isSignedInteger, isTemporal } from "../../arrow/mod.ts";
import { invariant, unreachable } from "../../kernel/mod.ts";
import { type Expr, f64, i64, ifElse } from "../../wasm/mod.ts";
import type { RowScope } from "../scope.ts";
import type { Value } from "../value.ts";

/** A number as float64, rounded to nearest; a decimal by its scale. */
export function toFloat(scope: RowScope, value: Value): Expr<"f64"> {
  const signed = isSignedInteger(value.type) || isTemporal(value.type);
  switch (value.repr) {
    case "i32":
      return signed ? f64.convert_i32_s(value.value) : f64.convert_i32_u(value.value);
    case "i64":
      return signed ? f64.convert_i64_s(value.value) : f64.convert_i64_u(value.value);
    case "f32":
      return f64.promote_f32(value.value);
    case "f64":
      return value.value;
    case "i128":
      invariant(value.type.kind === "decimal", "only decimals have 128 bits");
      return scaled(int128ToFloat(scope, value), value.type.scale);
    case "bytes":
      return invariant(false, "bytes are no number") as never;
    default:
      return unreachable(value);
  }
}

/** `x` × 10^-scale; powers of ten up to 10^22 are exact as float64, so that one division rounds once. */
export function scaled(x: Expr<"f64">, scale: number): Expr<"f64"> {
  if (scale === 0) return x;
  return scale > 0 ? f64.div(x, Number(`1e${scale}`)) : f64.mul(x, Number(`1e${-scale}`));
}

/** A signed 128-bit integer as float64: exact when it fits in 64 bits, else within one unit in the last place. */
export function int128ToFloat(
  scope: RowScope,
  value: { readonly low: Expr<"i64">; readonly high: Expr<"i64"> },
): Expr<"f64"> {
  const { f } = scope;
  const low = f.local("i64", "low");
  const high = f.local("i64", "high");
  f.set(low, value.low);
  f.set(high, value.high);
  const wide = f64.add(f64.mul(f64.convert_i64_s(high), 2 ** 64), f64.convert_i64_u(low));
  return ifElse(i64.eq(high, i64.shr_s(low, 63n)), f64.convert_i64_s(low), wide);
}
