import type { CallExpression, CallName, Expression } from "../expression.ts";
import { call } from "../expression.ts";
import type { ScalarFunction, TypedExpression } from "../typed.ts";
import { bindDateArithmetic, bindDatePart, bindDateTruncate } from "./call_dates.ts";
import { bindCoalesce, bindComparison, bindIsNan, bindLogic, bindNot, bindNullIf, bindNullTest } from "./call_logic.ts";
import { bindArithmetic, bindFloatFunction, bindRounding, bindUnaryNumber, bindWrapping } from "./call_numbers.ts";
import {
  bindConcat,
  bindLength,
  bindPattern,
  bindReplace,
  bindSlice,
  bindTextTest,
  bindTextToText,
} from "./call_text.ts";
import type { BindScope } from "./scope.ts";
import type { Operand } from "./unify.ts";

/** A call whose arguments are bound, not yet brought to common types. */
export interface BoundCall {
  readonly call: CallExpression;
  readonly fn: ScalarFunction;
  readonly operands: readonly Operand[];
  readonly scope: BindScope;
}

type CallBinder = (bound: BoundCall) => TypedExpression;

interface Signature {
  readonly bind: CallBinder;
  readonly least: number;
  readonly most: number;
}

function signature(bind: CallBinder, least: number, most: number = least): Signature {
  return { bind, least, most };
}

const ANY_COUNT = 1000;

const SIGNATURES: Readonly<Record<ScalarFunction, Signature>> = {
  add: signature(bindArithmetic, 2),
  subtract: signature(bindArithmetic, 2),
  multiply: signature(bindArithmetic, 2),
  divide: signature(bindArithmetic, 2),
  modulo: signature(bindArithmetic, 2),
  negate: signature(bindUnaryNumber, 1),
  abs: signature(bindUnaryNumber, 1),
  addWrapping: signature(bindWrapping, 2),
  subtractWrapping: signature(bindWrapping, 2),
  multiplyWrapping: signature(bindWrapping, 2),
  round: signature(bindRounding, 2),
  floor: signature(bindRounding, 1),
  ceil: signature(bindRounding, 1),
  sqrt: signature(bindFloatFunction, 1),
  pow: signature(bindFloatFunction, 2),
  ln: signature(bindFloatFunction, 1),
  exp: signature(bindFloatFunction, 1),
  eq: signature(bindComparison, 2),
  ne: signature(bindComparison, 2),
  lt: signature(bindComparison, 2),
  le: signature(bindComparison, 2),
  gt: signature(bindComparison, 2),
  ge: signature(bindComparison, 2),
  and: signature(bindLogic, 2),
  or: signature(bindLogic, 2),
  not: signature(bindNot, 1),
  isNull: signature(bindNullTest, 1),
  isNotNull: signature(bindNullTest, 1),
  isNan: signature(bindIsNan, 1),
  coalesce: signature(bindCoalesce, 1, ANY_COUNT),
  nullIf: signature(bindNullIf, 2),
  lower: signature(bindTextToText, 1),
  upper: signature(bindTextToText, 1),
  length: signature(bindLength, 1),
  contains: signature(bindTextTest, 2),
  startsWith: signature(bindTextTest, 2),
  endsWith: signature(bindTextTest, 2),
  like: signature(bindPattern, 2),
  regexMatch: signature(bindPattern, 2),
  slice: signature(bindSlice, 2, 3),
  concat: signature(bindConcat, 1, ANY_COUNT),
  replace: signature(bindReplace, 3),
  trim: signature(bindTextToText, 1),
  trimStart: signature(bindTextToText, 1),
  trimEnd: signature(bindTextToText, 1),
  year: signature(bindDatePart, 1),
  quarter: signature(bindDatePart, 1),
  month: signature(bindDatePart, 1),
  day: signature(bindDatePart, 1),
  hour: signature(bindDatePart, 1),
  minute: signature(bindDatePart, 1),
  second: signature(bindDatePart, 1),
  dayOfWeek: signature(bindDatePart, 1),
  dayOfYear: signature(bindDatePart, 1),
  dateTruncate: signature(bindDateTruncate, 1),
  dateAdd: signature(bindDateArithmetic, 2),
  dateDiff: signature(bindDateArithmetic, 2),
};

function countText({ least, most }: Signature): string {
  if (most === ANY_COUNT) return `at least ${least}`;
  return least === most ? String(least) : `${least} to ${most}`;
}

export function bindCall(
  e: CallExpression,
  scope: BindScope,
  bindPart: (part: Expression) => TypedExpression,
): TypedExpression {
  if (e.fn === "between") return bindPart(betweenAsComparisons(e, scope));
  const found = (SIGNATURES as Readonly<Record<CallName, Signature | undefined>>)[e.fn];
  if (found === undefined) throw scope.fail("argument", e, `there is no function ${e.fn}.`);
  if (e.args.length < found.least || e.args.length > found.most) {
    throw scope.fail("argument", e, `${e.fn} takes ${countText(found)} argument(s), not ${e.args.length}.`);
  }
  const operands = e.args.map((expression) => ({ expression, typed: bindPart(expression) }));
  return found.bind({ call: e, fn: e.fn, operands, scope });
}

function betweenAsComparisons(e: CallExpression, scope: BindScope): Expression {
  const [value, low, high] = e.args;
  if (value === undefined || low === undefined || high === undefined || e.args.length > 3) {
    throw scope.fail("argument", e, `between takes a value and two limits, not ${e.args.length} argument(s).`);
  }
  return call("and", [call("ge", [value, low]), call("le", [value, high])]);
}

export function isScalarFunction(name: unknown): name is ScalarFunction {
  return typeof name === "string" && Object.hasOwn(SIGNATURES, name);
}
