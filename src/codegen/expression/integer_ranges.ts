import { type DataType, isInteger } from "../../arrow/mod.ts";
import { invariant } from "../../kernel/mod.ts";
import type { TypedExpression } from "../../plan/mod.ts";
import { type Expr, i32, i64 } from "../../wasm/mod.ts";
import type { RowScope } from "../scope.ts";
import type { Value } from "../value.ts";
import { i32Of, valueOf } from "./support.ts";

export interface IntegerRange {
  readonly signed: boolean;
  readonly bits: 8 | 16 | 32 | 64;
  readonly min: bigint;
  readonly max: bigint;
}

export function integerRange(type: DataType): IntegerRange {
  invariant(isInteger(type), `${type.kind} where an integer is wanted`);
  const signed = type.kind.startsWith("int");
  const bits = Number(type.kind.replace(/\D/g, "")) as 8 | 16 | 32 | 64;
  if (!signed) return { signed, bits, min: 0n, max: (1n << BigInt(bits)) - 1n };
  return { signed, bits, min: -(1n << BigInt(bits - 1)), max: (1n << BigInt(bits - 1)) - 1n };
}

/** An integer in 64 bits, extended by its own signedness (uint64 as its bits). */
export function widen(value: Value): Expr<"i64"> {
  if (value.repr === "i64") return value.value;
  const small = i32Of(value);
  return value.type.kind === "uint32" ? i64.extend_i32_u(small) : i64.extend_i32_s(small);
}

/** `value` in the register form of an integer type that surely holds it. */
export function convertInteger(scope: RowScope, expression: TypedExpression, value: Value): Value {
  const { bits } = integerRange(expression.type);
  const { isNull } = value;
  if ((bits === 64) === (value.repr === "i64")) return { ...value, type: expression.type };
  if (bits === 64) return valueOf(scope, expression.type, isNull, { repr: "i64", value: widen(value) });
  return valueOf(scope, expression.type, isNull, { repr: "i32", value: i32.wrap_i64(widen(value)) });
}

/** An int64 expression known to fit, as the parts of integer type `type`. */
export function integerParts(
  type: DataType,
  value: Expr<"i64">,
): { repr: "i32"; value: Expr<"i32"> } | { repr: "i64"; value: Expr<"i64"> } {
  if (integerRange(type).bits === 64) return { repr: "i64", value };
  return { repr: "i32", value: i32.wrap_i64(value) };
}
