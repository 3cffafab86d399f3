import { type DataType, isFloat, isInteger, isString, typeEquals } from "../../arrow/mod.ts";
import { commonType } from "../common_type.ts";
import type { ScalarFunction, TypedCall, TypedExpression } from "../typed.ts";
import { typedParts } from "./rewrite.ts";

/**
 * Whether evaluating the expression can be an error for some row. A rule may evaluate such an expression on fewer rows
 * than written, never on more.
 */
export function canFail(e: TypedExpression): boolean {
  if (e.kind === "call" && callCanFail(e)) return true;
  if (e.kind === "cast" && e.onError === "fail" && !castIsTotal(e.operand.type, e.type)) return true;
  return typedParts(e).some(canFail);
}

/** Never an error, whatever the operands. */
const TOTAL: ReadonlySet<ScalarFunction> = new Set<ScalarFunction>([
  ...(["addWrapping", "subtractWrapping", "multiplyWrapping", "sqrt", "pow", "ln", "exp"] as const),
  ...(["eq", "ne", "lt", "le", "gt", "ge", "and", "or", "not"] as const),
  ...(["isNull", "isNotNull", "isNan", "coalesce", "nullIf"] as const),
  ...(["length", "contains", "startsWith", "endsWith", "like"] as const),
  ...(["year", "quarter", "month", "day", "hour", "minute", "second", "dayOfWeek", "dayOfYear"] as const),
]);

/** An error for integers and decimals (overflow, zero), never for floats. */
const TOTAL_FOR_FLOATS: ReadonlySet<ScalarFunction> = new Set<ScalarFunction>([
  "add",
  "subtract",
  "multiply",
  "divide",
  "modulo",
  "negate",
  "abs",
  "round",
  "floor",
  "ceil",
]);

function callCanFail(e: TypedCall): boolean {
  if (TOTAL.has(e.fn)) return false;
  return !(TOTAL_FOR_FLOATS.has(e.fn) && e.args.every((a) => isFloat(a.type) || a.kind === "literal"));
}

function castIsTotal(from: DataType, to: DataType): boolean {
  if (typeEquals(from, to) || from.kind === "null") return true;
  if (isString(from) && isString(to)) return true;
  if (isInteger(from) && isFloat(to)) return true;
  if (from.kind === "decimal" && isFloat(to)) return true;
  if (from.kind === "float32" && to.kind === "float64") return true;
  if (!isInteger(from) || !(isInteger(to) || to.kind === "decimal")) return false;
  const common = commonType(from, to);
  return common !== null && typeEquals(common, to);
}
