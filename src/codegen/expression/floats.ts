/** IEEE arithmetic: infinities and NaN instead of errors. */
import { invariant, unreachable } from "../../kernel/mod.ts";
import type { TypedCall } from "../../plan/mod.ts";
import { type Expr, f32, f64, i32, ifElse, select } from "../../wasm/mod.ts";
import { hostExp, hostFmod, hostLn, hostPow } from "../host_functions.ts";
import { roundHalfAway } from "../kernels/floats.ts";
import type { RowScope } from "../scope.ts";
import type { Value } from "../value.ts";
import type { Arithmetic } from "./arithmetic.ts";
import { roundDigits } from "./integers.ts";
import { f64Of, guardedValue, keep, strictOperands, valueOf } from "./support.ts";

type Float = "f32" | "f64";
type Unary = (x: Expr<Float>) => Expr<Float>;
type Binary = (x: Expr<Float>, y: Expr<Float>) => Expr<Float>;
type FloatOps = Readonly<Record<"add" | "sub" | "mul" | "div", Binary>> &
  Readonly<Record<"neg" | "abs" | "floor" | "ceil", Unary>>;

export function compileFloat(scope: RowScope, call: TypedCall, fn: Arithmetic): Value {
  const { args, isNull } = strictOperands(scope, call);
  const [a, b] = args;
  invariant(a !== undefined && (a.repr === "f32" || a.repr === "f64"), "a float is f32 or f64");
  const x: Expr<Float> = a.value;
  // The operands have one type; both namespaces have the same operations.
  const y = (b as { readonly value: Expr<Float> } | undefined)?.value as Expr<Float>;
  const ops = (a.repr === "f32" ? f32 : f64) as unknown as FloatOps;
  const result = (value: Expr<Float>): Value =>
    valueOf(scope, call.type, isNull, { repr: a.repr, value } as Parameters<typeof valueOf>[3]);
  switch (fn) {
    case "add":
    case "addWrapping":
      return result(ops.add(x, y));
    case "subtract":
    case "subtractWrapping":
      return result(ops.sub(x, y));
    case "multiply":
    case "multiplyWrapping":
      return result(ops.mul(x, y));
    case "divide":
      return result(ops.div(x, y));
    case "modulo":
      return guardedValue(scope, call.type, isNull, () => narrow(a.repr, hostFmod.call(promote(x), promote(y)), scope));
    case "negate":
      return result(ops.neg(x));
    case "abs":
      return result(ops.abs(x));
    case "floor":
      return result(ops.floor(x));
    case "ceil":
      return result(ops.ceil(x));
    case "round":
      return valueOf(
        scope,
        call.type,
        isNull,
        narrow(a.repr, rounded(scope, keep(scope, promote(x)), roundDigits(call)), scope),
      );
    default:
      return unreachable(fn);
  }
}

function promote(x: Expr<Float>): Expr<"f64"> {
  return x.type === "f32" ? f64.promote_f32(x as Expr<"f32">) : (x as Expr<"f64">);
}

function narrow(repr: Float, x: Expr<"f64">, scope: RowScope) {
  if (repr === "f64") return { repr, value: keep(scope, x) } as const;
  return { repr, value: keep(scope, f32.demote_f64(x)) } as const;
}

/** As DuckDB: scales by a power of ten, rounds half away from zero, scales back. */
function rounded(scope: RowScope, x: Expr<"f64">, digits: number): Expr<"f64"> {
  if (digits === 0) return roundHalfAway.call(x);
  const power = 10 ** Math.abs(digits);
  if (!Number.isFinite(power)) return digits > 0 ? x : f64.const(0);
  const scaled = digits > 0 ? f64.mul(x, power) : f64.div(x, power);
  const back = digits > 0 ? f64.div(roundHalfAway.call(scaled), power) : f64.mul(roundHalfAway.call(scaled), power);
  const value = keep(scope, back, "rounded");
  const finite = f64.lt(f64.abs(value), Number.POSITIVE_INFINITY);
  return select(finite, value, digits > 0 ? x : f64.const(0));
}

/** sqrt, ln, exp, pow: float64 only. sqrt and ln of negative numbers are NaN, ln(0) is -infinity. */
export function compileFloat64Function(scope: RowScope, call: TypedCall): Value {
  const { args, isNull } = strictOperands(scope, call);
  const [a, b] = args;
  invariant(a !== undefined, `${call.fn} of nothing`);
  const x = f64Of(a);
  if (call.fn === "sqrt") return valueOf(scope, call.type, isNull, { repr: "f64", value: f64.sqrt(x) });
  return guardedValue(scope, call.type, isNull, () => {
    if (call.fn === "ln") return { repr: "f64", value: keep(scope, hostLn.call(x)) };
    if (call.fn === "exp") return { repr: "f64", value: keep(scope, hostExp.call(x)) };
    invariant(b !== undefined && call.fn === "pow", `${call.fn} is no function of float64`);
    const y = f64Of(b);
    const power = ifElse(f64.eq(y, 2), f64.mul(x, x), hostPow.call(x, y));
    return { repr: "f64", value: keep(scope, ifElse(i32.and(f64.eq(y, 1), f64.eq(x, x)), x, power)) };
  });
}
