import { isFloat } from "../../arrow/mod.ts";
import { invariant } from "../../kernel/mod.ts";
import type { TypedCall, TypedExpression } from "../../plan/mod.ts";
import { f32, f64, i32 } from "../../wasm/mod.ts";
import type { RowScope } from "../scope.ts";
import type { Value } from "../value.ts";
import { compareValues } from "./compare.ts";
import { boolValue, keep, nullValue, slotOf, strictOperands, whereNotNull } from "./support.ts";

export function compileIsNull(scope: RowScope, call: TypedCall): Value {
  return boolValue(scope, call.type, null, nullFlag(scope, call) ?? i32.const(0));
}

export function compileIsNotNull(scope: RowScope, call: TypedCall): Value {
  const flag = nullFlag(scope, call);
  return boolValue(scope, call.type, null, flag === null ? i32.const(1) : i32.eqz(flag));
}

/** Of a dictionary or nested column only the flag is loaded, not the value. */
function nullFlag(scope: RowScope, call: TypedCall): Value["isNull"] {
  const arg = call.args[0] as TypedExpression;
  const origin = arg.kind === "column" ? scope.origin(arg.name) : null;
  if (origin !== null) return origin.isNull?.() ?? null;
  return scope.evaluate(arg).isNull;
}

export function compileIsNan(scope: RowScope, call: TypedCall): Value {
  const { args, isNull } = strictOperands(scope, call);
  const [value] = args;
  invariant(value !== undefined, "isNan of nothing");
  if (!isFloat(value.type)) return boolValue(scope, call.type, isNull, i32.const(0));
  if (value.repr === "f32") return boolValue(scope, call.type, isNull, f32.ne(value.value, value.value));
  invariant(value.repr === "f64", "a float is f32 or f64");
  return boolValue(scope, call.type, isNull, f64.ne(value.value, value.value));
}

/** The first value that is not null; later arguments run only where all before are null. */
export function compileCoalesce(scope: RowScope, call: TypedCall): Value {
  // A literal null is never the answer, and need not have the type of the others.
  const [first, ...rest] = call.args.filter((arg) => arg.kind !== "literal" || arg.value !== null);
  if (first === undefined) return nullValue(call.type);
  const value = scope.evaluate(first);
  if (value.isNull === null || rest.length === 0) return value;
  const { f } = scope;
  const slot = slotOf(scope, call.type, "coalesce");
  const isNull = f.local("i32", "coalesce_null");
  f.set(isNull, value.isNull);
  let canBeNull = false;
  whereNotNull(scope, value.isNull, () => slot.set(value));
  const from = (index: number): void => {
    const arg = rest[index];
    if (arg === undefined) {
      canBeNull = true;
      return;
    }
    scope.if(isNull, () => {
      const next = scope.evaluate(arg);
      slot.set(next);
      f.set(isNull, next.isNull ?? 0);
      if (next.isNull !== null) from(index + 1);
    });
  };
  from(0);
  return { type: call.type, isNull: canBeNull ? isNull : null, ...slot.parts };
}

export function compileNullIf(scope: RowScope, call: TypedCall): Value {
  const [left, right] = call.args.map((arg) => scope.evaluate(arg));
  invariant(left !== undefined && right !== undefined, "nullIf has two arguments");
  if (left.type.kind === "null") return nullValue(call.type);
  if (right.type.kind === "null") return left;
  const equal = compareValues(scope, "eq", { left, right });
  const isEqual = right.isNull === null ? equal : i32.and(equal, i32.eqz(right.isNull));
  const isNull = left.isNull === null ? isEqual : i32.or(isEqual, left.isNull);
  return { ...left, type: call.type, isNull: keep(scope, isNull, "nullIf") };
}
