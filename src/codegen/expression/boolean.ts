/**
 * Three-valued logic. The right side of `and` and `or` runs only where it can matter, so that its errors stay away; a
 * right side that cannot fail and costs little runs always, because a mispredicted branch costs more.
 */
import { isNested, valueType } from "../../arrow/mod.ts";
import type { TypedCall, TypedExpression } from "../../plan/mod.ts";
import { type Expr, i32 } from "../../wasm/mod.ts";
import type { RowScope } from "../scope.ts";
import { reprOf, type Value } from "../value.ts";
import { boolValue, i32Of, keep, type NullFlag, strictOperands } from "./support.ts";

/** `isTrue` and `isNull` are never both 1. */
interface Truth {
  readonly isTrue: Expr<"i32">;
  readonly isNull: NullFlag;
}

export function compileNot(scope: RowScope, call: TypedCall): Value {
  const { args, isNull } = strictOperands(scope, call);
  return boolValue(scope, call.type, isNull, i32.eqz(i32Of(args[0] as Value)));
}

export function compileAnd(scope: RowScope, call: TypedCall): Value {
  return compileLogic(scope, call, {
    matters: ({ isTrue, isNull }) => (isNull === null ? isTrue : i32.or(isTrue, isNull)),
    combine: (left, right) => ({
      isTrue: i32.and(left.isTrue, right.isTrue),
      isNull: orFlags(
        left.isNull === null ? null : i32.and(left.isNull, notFalse(right)),
        right.isNull === null ? null : i32.and(right.isNull, notFalse(left)),
      ),
    }),
  });
}

export function compileOr(scope: RowScope, call: TypedCall): Value {
  return compileLogic(scope, call, {
    matters: ({ isTrue }) => i32.eqz(isTrue),
    combine: (left, right) => {
      const isTrue = i32.or(left.isTrue, right.isTrue);
      const anyNull = orFlags(left.isNull, right.isNull);
      return { isTrue, isNull: anyNull === null ? null : i32.and(anyNull, i32.eqz(isTrue)) };
    },
  });
}

interface Logic {
  /** Whether the next operand can change the result so far. */
  readonly matters: (left: Truth) => Expr<"i32">;
  readonly combine: (left: Truth, right: Truth) => Truth;
}

function compileLogic(scope: RowScope, call: TypedCall, logic: Logic): Value {
  const [first, ...rest] = call.args;
  if (first === undefined) return boolValue(scope, call.type, null, i32.const(call.fn === "and" ? 1 : 0));
  let truth = truthOf(scope, scope.evaluate(first));
  for (const arg of rest) {
    truth = isCheap(arg)
      ? keepTruth(scope, logic.combine(truth, truthOf(scope, scope.evaluate(arg))))
      : lazily(scope, truth, { arg, logic });
  }
  return boolValue(scope, call.type, truth.isNull, truth.isTrue);
}

function lazily(scope: RowScope, left: Truth, options: { arg: TypedExpression; logic: Logic }): Truth {
  const { f } = scope;
  const isTrue = f.local("i32", "isTrue");
  const isNull = f.local("i32", "isNull");
  let canBeNull = left.isNull !== null;
  f.set(isTrue, left.isTrue);
  f.set(isNull, left.isNull ?? 0);
  scope.if(options.logic.matters(left), () => {
    const both = options.logic.combine(left, truthOf(scope, scope.evaluate(options.arg)));
    f.set(isTrue, both.isTrue);
    f.set(isNull, both.isNull ?? 0);
    if (both.isNull !== null) canBeNull = true;
  });
  return { isTrue, isNull: canBeNull ? isNull : null };
}

function truthOf(scope: RowScope, value: Value): Truth {
  const bit = i32Of(value);
  if (value.isNull === null) return { isTrue: bit, isNull: null };
  return { isTrue: keep(scope, i32.and(bit, i32.eqz(value.isNull)), "isTrue"), isNull: value.isNull };
}

function keepTruth(scope: RowScope, truth: Truth): Truth {
  const isTrue = keep(scope, truth.isTrue, "isTrue");
  return { isTrue, isNull: truth.isNull === null ? null : keep(scope, truth.isNull, "isNull") };
}

function notFalse(truth: Truth): Expr<"i32"> {
  return truth.isNull === null ? truth.isTrue : i32.or(truth.isTrue, truth.isNull);
}

function orFlags(a: NullFlag, b: NullFlag): NullFlag {
  if (a === null) return b;
  return b === null ? a : i32.or(a, b);
}

const CHEAP_CALLS: ReadonlySet<string> = new Set([
  "eq",
  "ne",
  "lt",
  "le",
  "gt",
  "ge",
  "not",
  "isNull",
  "isNotNull",
  "isNan",
  "and",
  "or",
]);

/** Cannot fail and takes a few instructions. */
export function isCheap(expression: TypedExpression): boolean {
  if (isNested(expression.type)) return false;
  if (expression.kind === "literal") return true;
  const register = reprOf(valueType(expression.type));
  if (register === "bytes" || register === "i128") return false;
  if (expression.kind === "column") return true;
  return expression.kind === "call" && CHEAP_CALLS.has(expression.fn) && expression.args.every(isCheap);
}
