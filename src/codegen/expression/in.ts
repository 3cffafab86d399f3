/**
 * `IN` over literals: a few are compared one after the other, many are looked up in a table that is part of the
 * literals: numbers sorted for binary search, text hashed.
 */
import { type DataType, isFloat, isSignedInteger, isTemporal } from "../../arrow/mod.ts";
import type { LiteralValue, TypedIn } from "../../plan/mod.ts";
import { type Expr, f32, f64, i32, i64, ifElse, select } from "../../wasm/mod.ts";
import { hashText, inSorted, inTextSet, textSetBytes } from "../kernels/lookup.ts";
import type { RowScope } from "../scope.ts";
import type { Value } from "../value.ts";
import { compareValues, equalsLiteral } from "./compare.ts";
import { widen } from "./integer_ranges.ts";
import { literalBytes, literalValue } from "./literals.ts";
import { anyNull, bytesOf, constantOf, keep, nullValue, slotOf, whereNotNull } from "./support.ts";

/** Up to so many literals are compared one by one. */
const CHAIN_VALUES_MAX = 8;

export function compileIn(scope: RowScope, expression: TypedIn): Value {
  const operand = scope.evaluate(expression.operand);
  const literals = expression.values.filter((value): value is Exclude<LiteralValue, null> => value !== null);
  const hasNull = literals.length < expression.values.length;
  if (expression.values.length === 0) return { type: expression.type, isNull: null, repr: "i32", value: i32.const(0) };
  if (operand.isNull !== null && constantOf(operand.isNull) === 1) return nullValue(expression.type);
  const slot = slotOf(scope, expression.type, "in");
  whereNotNull(scope, operand.isNull, () => {
    slot.set({ repr: "i32", value: membership(scope, operand, literals) });
  });
  const found = slot.parts.repr === "i32" ? slot.parts.value : i32.const(0);
  const notFound = hasNull ? keep(scope, i32.eqz(found), "notFound") : null;
  return { type: expression.type, isNull: anyNull(scope, [operand.isNull, notFound]), ...slot.parts };
}

function membership(scope: RowScope, operand: Value, literals: readonly Exclude<LiteralValue, null>[]): Expr<"i32"> {
  if (literals.length === 0) return i32.const(0);
  const few = literals.length <= CHAIN_VALUES_MAX;
  switch (operand.repr) {
    case "bytes":
      return few && literals.every((value) => literalBytes(value).length <= 16)
        ? textChain(operand, literals)
        : textLookup(scope, operand, literals);
    case "i128":
      return chain(scope, operand, literals);
    default:
      return few ? chain(scope, operand, literals) : numberLookup(scope, operand, literals);
  }
}

function chain(scope: RowScope, operand: Value, literals: readonly Exclude<LiteralValue, null>[]): Expr<"i32"> {
  const equal = literals.map((value) => {
    const right = literalValue(scope, operand.type, value);
    return compareValues(scope, "eq", { left: operand, right });
  });
  return equal.reduce((a, b) => i32.or(a, b));
}

function textChain(operand: Value, literals: readonly Exclude<LiteralValue, null>[]): Expr<"i32"> {
  const equal = literals.map((value) => equalsLiteral(bytesOf(operand), literalBytes(value)) ?? i32.const(0));
  return equal.reduceRight((rest, next) => ifElse(next, i32.const(1), rest));
}

function textLookup(scope: RowScope, operand: Value, literals: readonly Exclude<LiteralValue, null>[]): Expr<"i32"> {
  const table = textSetBytes(literals.map(literalBytes));
  const { address, bytes } = bytesOf(operand);
  const at = scope.contextWord(scope.program.literal(table));
  return inTextSet.call(at, address, bytes, hashText.call(address, bytes));
}

function numberLookup(scope: RowScope, operand: Value, literals: readonly Exclude<LiteralValue, null>[]): Expr<"i32"> {
  const keys = BigInt64Array.from(new Set(literals.map((value) => sortKey(operand.type, value)))).sort();
  const table = scope.contextWord(scope.program.literal(new Uint8Array(keys.buffer)));
  return inSorted.call(table, i32.const(keys.length), keyOf(operand));
}

/** The int64 that stands for a number: itself, or the bits of a float with one NaN and one zero. */
function keyOf(operand: Value): Expr<"i64"> {
  if (operand.repr === "f64" || operand.repr === "f32") {
    const wide = operand.repr === "f64" ? operand.value : f64.promote_f32(operand.value);
    const sameZero = f64.add(wide, 0);
    const isNan = operand.repr === "f64" ? f64.ne(operand.value, operand.value) : f32.ne(operand.value, operand.value);
    return select(isNan, i64.const(floatBits(Number.NaN)), i64.reinterpret_f64(sameZero));
  }
  if (operand.repr === "i64") return operand.value;
  const signed = isSignedInteger(operand.type) || isTemporal(operand.type);
  return signed && operand.repr === "i32" ? i64.extend_i32_s(operand.value) : widen(operand);
}

function sortKey(type: DataType, value: Exclude<LiteralValue, null>): bigint {
  if (isFloat(type)) {
    const number = Number(value) + 0;
    return floatBits(type.kind === "float32" ? Math.fround(number) : number);
  }
  return BigInt.asIntN(64, typeof value === "boolean" ? BigInt(value) : BigInt(value as bigint | number));
}

function floatBits(value: number): bigint {
  const bits = new BigInt64Array(1);
  new Float64Array(bits.buffer)[0] = Number.isNaN(value) ? Number.NaN : value;
  return bits[0] as bigint;
}
