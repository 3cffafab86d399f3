/**
 * Casts. A converter computes the value and tells the conditions under which it does not fit; what happens then is
 * decided here, once: an error, or null.
 */
import { type DataType, isBinary, isFloat, isInteger, isString, typeEquals, valueType } from "../../arrow/mod.ts";
import type { TypedCast } from "../../plan/mod.ts";
import { type Expr, i32 } from "../../wasm/mod.ts";
import { CodegenError } from "../error.ts";
import type { RowScope } from "../scope.ts";
import type { Value, ValueParts } from "../value.ts";
import { castFromNumber } from "./cast_numbers.ts";
import { castFromText, castToText } from "./cast_text.ts";
import { castFromTime } from "./cast_time.ts";
import { expressionText } from "./expression_text.ts";
import { constantOf, failIf, keepParts, nullValue, slotOf, whereNotNull } from "./support.ts";

/** What a converter is given besides the value. */
export interface CastTarget {
  readonly to: DataType;
  /** Reports that the value does not fit. Code after it still runs, with any result. */
  readonly failIf: (condition: Expr<"i32">) => void;
}

/** Emits the conversion of a value that is not null; null when there is none between these types. */
export type Converter = (scope: RowScope, value: Value, target: CastTarget) => ValueParts | null;

export function compileCast(scope: RowScope, expression: TypedCast): Value {
  const operand = scope.evaluate(expression.operand);
  const to = valueType(expression.type);
  if (operand.type.kind === "null" || isAlwaysNull(operand)) return nullValue(to);
  if (typeEquals(operand.type, to) || (isString(operand.type) && isString(to))) return { ...operand, type: to };
  return expression.onError === "fail"
    ? failingCast(scope, expression, operand)
    : nullingCast(scope, expression, operand);
}

function isAlwaysNull(value: Value): boolean {
  return value.isNull !== null && constantOf(value.isNull) === 1;
}

function failingCast(scope: RowScope, expression: TypedCast, operand: Value): Value {
  const to = valueType(expression.type);
  const { isNull } = operand;
  // A branch around a cheap conversion would cost more than the conversion.
  const inline = isNull === null || isCheap(operand.type, to);
  const fail = (condition: Expr<"i32">) =>
    failIf(scope, condition, { code: "castFailed", expression, isNull: inline ? isNull : null });
  const target: CastTarget = { to, failIf: fail };
  if (inline) return { type: to, isNull, ...keepParts(scope, convert(scope, expression, { operand, target })) };
  const slot = slotOf(scope, to, "cast");
  whereNotNull(scope, isNull, () => slot.set(convert(scope, expression, { operand, target })));
  return { type: to, isNull, ...slot.parts };
}

function nullingCast(scope: RowScope, expression: TypedCast, operand: Value): Value {
  const { f } = scope;
  const to = valueType(expression.type);
  const slot = slotOf(scope, to, "cast");
  const failed = f.local("i32", "cast_null");
  let canFail = false;
  const target: CastTarget = {
    to,
    failIf: (condition) => {
      canFail = true;
      f.set(failed, i32.or(failed, condition));
    },
  };
  f.set(failed, operand.isNull ?? 0);
  whereNotNull(scope, operand.isNull, () => slot.set(convert(scope, expression, { operand, target })));
  return { type: to, isNull: canFail ? failed : operand.isNull, ...slot.parts };
}

function isCheap(from: DataType, to: DataType): boolean {
  const number = (type: DataType) => isInteger(type) || isFloat(type) || type.kind === "bool";
  return number(from) && number(to);
}

function convert(scope: RowScope, expression: TypedCast, options: { operand: Value; target: CastTarget }): ValueParts {
  const { operand, target } = options;
  const parts = converterOf(operand.type, target.to)(scope, operand, target);
  if (parts !== null) return parts;
  const text = expressionText(expression);
  throw new CodegenError(
    "unsupported",
    `Cannot compile ${text}: there is no cast from ${operand.type.kind} to ${target.to.kind}.`,
  );
}

function converterOf(from: DataType, to: DataType): Converter {
  if (isString(from) || isBinary(from)) return castFromText;
  if (isString(to)) return castToText;
  const isTime = ["date32", "timestamp", "time", "duration"];
  if (isTime.includes(from.kind) || isTime.includes(to.kind)) return castFromTime;
  return castFromNumber;
}
