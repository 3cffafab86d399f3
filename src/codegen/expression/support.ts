/** What the families of expressions share: locals, null flags, guards, failures. */
import type { DataType } from "../../arrow/mod.ts";
import { invariant, unreachable } from "../../kernel/mod.ts";
import type { TypedCall, TypedExpression } from "../../plan/mod.ts";
import { type Expr, f32, f64, i32, i64, type Operand, type ValType } from "../../wasm/mod.ts";
import type { FailureCode } from "../program.ts";
import type { RowScope } from "../scope.ts";
import { type Repr, reprOf, type Value, type ValueParts } from "../value.ts";
import { expressionText } from "./expression_text.ts";

/** Compiles calls of one function. */
export type CallCompiler = (scope: RowScope, call: TypedCall) => Value;

/** Null flag of a value: null when it is never null. */
export type NullFlag = Expr<"i32"> | null;

/** `value` in a local, or as it is when it may be repeated already. */
export function keep<T extends ValType>(scope: RowScope, value: Expr<T>, name = "value"): Expr<T> {
  if (value.kind === "local" || value.kind === "const") return value;
  const local = scope.f.local(value.type, name);
  scope.f.set(local, value as Expr<NoInfer<T>>);
  return local as Expr<T>;
}

/** The number that a constant expression is; undefined for all others. */
export function constantOf(value: Expr<ValType>): number | bigint | undefined {
  if (value.kind !== "const") return undefined;
  // Constant nodes hold their value under this name; v128 is never asked for.
  return (value as Expr<ValType> & { readonly value: number | bigint }).value;
}

/** 1 where any of the flags is. */
export function anyNull(scope: RowScope, flags: readonly NullFlag[]): NullFlag {
  const present = flags.filter((flag) => flag !== null && constantOf(flag) !== 0) as Expr<"i32">[];
  const always = present.find((flag) => constantOf(flag) !== undefined);
  if (always !== undefined) return i32.const(1);
  const distinct = [...new Set(present)];
  if (distinct.length === 0) return null;
  return keep(
    scope,
    distinct.reduce((a, b) => i32.or(a, b)),
    "null",
  );
}

/** Runs `body`'s code only where `isNull` is 0. */
export function whereNotNull(scope: RowScope, isNull: NullFlag, body: () => void): void {
  if (isNull === null) body();
  else if (constantOf(isNull) === undefined) scope.if(i32.eqz(isNull), body);
}

/** The operands of a function that is null where any of them is. */
export function strictOperands(scope: RowScope, call: TypedCall): { args: Value[]; isNull: NullFlag } {
  const args = call.args.map((arg) => scope.evaluate(arg));
  return {
    args,
    isNull: anyNull(
      scope,
      args.map((arg) => arg.isNull),
    ),
  };
}

/** Fails where `condition` is 1 and the value is not null. */
export function failIf(
  scope: RowScope,
  condition: Expr<"i32">,
  options: { code: FailureCode; expression: TypedExpression; isNull?: NullFlag },
): void {
  const { code, expression, isNull = null } = options;
  if (isNull !== null && constantOf(isNull) === 1) return;
  const fails = isNull === null ? condition : i32.and(condition, i32.eqz(isNull));
  scope.if(fails, () => scope.fail(code, expressionText(expression)));
}

export function i32Of(value: ValueParts): Expr<"i32"> {
  invariant(value.repr === "i32", `an i32 where there is ${value.repr}`);
  return value.value;
}

export function i64Of(value: ValueParts): Expr<"i64"> {
  invariant(value.repr === "i64", `an i64 where there is ${value.repr}`);
  return value.value;
}

export function f64Of(value: ValueParts): Expr<"f64"> {
  invariant(value.repr === "f64", `an f64 where there is ${value.repr}`);
  return value.value;
}

export function bytesOf(value: ValueParts): { readonly address: Expr<"i32">; readonly bytes: Expr<"i32"> } {
  invariant(value.repr === "bytes", `bytes where there is ${value.repr}`);
  return value;
}

export type Int128 = { readonly low: Expr<"i64">; readonly high: Expr<"i64"> };

export function i128Of(value: ValueParts): Int128 {
  invariant(value.repr === "i128", `an i128 where there is ${value.repr}`);
  return value;
}

/** Register parts with every expression kept. */
export function keepParts(scope: RowScope, parts: ValueParts, name = "value"): ValueParts {
  switch (parts.repr) {
    case "i32":
      return { repr: "i32", value: keep(scope, parts.value, name) };
    case "i64":
      return { repr: "i64", value: keep(scope, parts.value, name) };
    case "f32":
      return { repr: "f32", value: keep(scope, parts.value, name) };
    case "f64":
      return { repr: "f64", value: keep(scope, parts.value, name) };
    case "i128":
      return {
        repr: "i128",
        low: keep(scope, parts.low, `${name}_low`),
        high: keep(scope, parts.high, `${name}_high`),
      };
    case "bytes":
      return {
        repr: "bytes",
        address: keep(scope, parts.address, `${name}_at`),
        bytes: keep(scope, parts.bytes, `${name}_bytes`),
      };
    default:
      return unreachable(parts);
  }
}

export function valueOf(scope: RowScope, type: DataType, isNull: NullFlag, parts: ValueParts): Value {
  return { type, isNull, ...keepParts(scope, parts) };
}

export function boolValue(scope: RowScope, type: DataType, isNull: NullFlag, value: Expr<"i32">): Value {
  return valueOf(scope, type, isNull, { repr: "i32", value });
}

/** Locals that several branches set. */
export interface Slot {
  readonly parts: ValueParts;
  readonly set: (parts: ValueParts) => void;
}

export function slotOf(scope: RowScope, type: DataType, name = "result"): Slot {
  return reprSlot(scope, reprOf(type), name);
}

export function reprSlot(scope: RowScope, repr: Repr, name = "result"): Slot {
  const { f } = scope;
  switch (repr) {
    case "i32":
    case "i64":
    case "f32":
    case "f64": {
      const value = f.local(repr, name);
      const set = (parts: ValueParts) => {
        invariant(parts.repr === repr, `${parts.repr} for a slot of ${repr}`);
        f.set(value, parts.value as Operand<ValType> as never);
      };
      // The local was made with this very type.
      return { parts: { repr, value } as unknown as ValueParts, set };
    }
    case "i128": {
      const low = f.local("i64", `${name}_low`);
      const high = f.local("i64", `${name}_high`);
      const set = (parts: ValueParts) => {
        const from = i128Of(parts);
        f.set(low, from.low);
        f.set(high, from.high);
      };
      return { parts: { repr, low, high }, set };
    }
    case "bytes": {
      const address = f.local("i32", `${name}_at`);
      const bytes = f.local("i32", `${name}_bytes`);
      const set = (parts: ValueParts) => {
        const from = bytesOf(parts);
        f.set(address, from.address);
        f.set(bytes, from.bytes);
      };
      return { parts: { repr, address, bytes }, set };
    }
    default:
      return unreachable(repr);
  }
}

/** A value computed only where it is not null; `compute` gives its parts. */
export function guardedValue(scope: RowScope, type: DataType, isNull: NullFlag, compute: () => ValueParts): Value {
  if (isNull === null) return valueOf(scope, type, null, compute());
  const slot = slotOf(scope, type);
  whereNotNull(scope, isNull, () => slot.set(compute()));
  return { type, isNull, ...slot.parts };
}

/** Some value of `type`, for where it is null. */
export function zeroParts(type: DataType): ValueParts {
  const repr = reprOf(type);
  switch (repr) {
    case "i32":
      return { repr, value: i32.const(0) };
    case "i64":
      return { repr, value: i64.const(0n) };
    case "f32":
      return { repr, value: f32.const(0) };
    case "f64":
      return { repr, value: f64.const(0) };
    case "i128":
      return { repr, low: i64.const(0n), high: i64.const(0n) };
    case "bytes":
      return { repr, address: i32.const(0), bytes: i32.const(0) };
    default:
      return unreachable(repr);
  }
}

export function nullValue(type: DataType): Value {
  return { type, isNull: i32.const(1), ...zeroParts(type) };
}
