/** Compiles typed expressions to WebAssembly over the values of a row. */
import { unreachable } from "../../kernel/mod.ts";
import type { ScalarFunction, TypedCall, TypedExpression, TypedField } from "../../plan/mod.ts";
import { CodegenError } from "../error.ts";
import type { ExpressionCompiler, RowScope } from "../scope.ts";
import type { Value } from "../value.ts";
import { compileArithmetic } from "./arithmetic.ts";
import { compileAnd, compileNot, compileOr } from "./boolean.ts";
import { compileCase } from "./case.ts";
import { compileCast } from "./cast.ts";
import { compileCompare } from "./compare.ts";
import { compileDateAdd, compileDateDiff, compileDatePart, compileDateTruncate } from "./dates.ts";
import { compileRemembered, memoColumn } from "./dictionary_memo.ts";
import { expressionText } from "./expression_text.ts";
import { compileFloat64Function } from "./floats.ts";
import { compileIn } from "./in.ts";
import { compileLike } from "./like.ts";
import { literalValue } from "./literals.ts";
import { compileCoalesce, compileIsNan, compileIsNotNull, compileIsNull, compileNullIf } from "./nulls.ts";
import {
  compileCaseChange,
  compileConcat,
  compileLength,
  compileRegexMatch,
  compileReplace,
  compileSlice,
  compileTrim,
} from "./strings.ts";
import { type CallCompiler, nullValue } from "./support.ts";
import { compileTextTest } from "./text_tests.ts";

const CALLS: Readonly<Record<ScalarFunction, CallCompiler>> = {
  add: compileArithmetic,
  subtract: compileArithmetic,
  multiply: compileArithmetic,
  divide: compileArithmetic,
  modulo: compileArithmetic,
  negate: compileArithmetic,
  abs: compileArithmetic,
  addWrapping: compileArithmetic,
  subtractWrapping: compileArithmetic,
  multiplyWrapping: compileArithmetic,
  round: compileArithmetic,
  floor: compileArithmetic,
  ceil: compileArithmetic,
  sqrt: compileFloat64Function,
  pow: compileFloat64Function,
  ln: compileFloat64Function,
  exp: compileFloat64Function,
  eq: compileCompare,
  ne: compileCompare,
  lt: compileCompare,
  le: compileCompare,
  gt: compileCompare,
  ge: compileCompare,
  and: compileAnd,
  or: compileOr,
  not: compileNot,
  isNull: compileIsNull,
  isNotNull: compileIsNotNull,
  isNan: compileIsNan,
  coalesce: compileCoalesce,
  nullIf: compileNullIf,
  lower: compileCaseChange,
  upper: compileCaseChange,
  length: compileLength,
  contains: compileTextTest,
  startsWith: compileTextTest,
  endsWith: compileTextTest,
  like: compileLike,
  regexMatch: compileRegexMatch,
  slice: compileSlice,
  concat: compileConcat,
  replace: compileReplace,
  trim: compileTrim,
  trimStart: compileTrim,
  trimEnd: compileTrim,
  year: compileDatePart,
  quarter: compileDatePart,
  month: compileDatePart,
  day: compileDatePart,
  hour: compileDatePart,
  minute: compileDatePart,
  second: compileDatePart,
  dayOfWeek: compileDatePart,
  dayOfYear: compileDatePart,
  dateTruncate: compileDateTruncate,
  dateAdd: compileDateAdd,
  dateDiff: compileDateDiff,
};

/** Code for `expression` in the current row. All expressions of the value are locals or constants. */
export const compileExpression: ExpressionCompiler = (scope: RowScope, expression: TypedExpression): Value => {
  const origin = memoColumn(scope, expression);
  if (origin === null) return compileNow(scope, expression);
  return compileRemembered(scope, expression, { origin, compute: () => compileNow(scope, expression) });
};

function compileNow(scope: RowScope, expression: TypedExpression): Value {
  switch (expression.kind) {
    case "column":
      return scope.column(expression.name);
    case "literal":
      return literalValue(scope, expression.type, expression.value);
    case "call":
      if (isAlwaysNull(expression)) return nullValue(expression.type);
      return CALLS[expression.fn](scope, expression);
    case "cast":
      return compileCast(scope, expression);
    case "case":
      return compileCase(scope, expression);
    case "in":
      return compileIn(scope, expression);
    case "field":
      return compileField(scope, expression);
    default:
      return unreachable(expression);
  }
}

/** Functions that may have a value where an operand is null. */
const LENIENT: ReadonlySet<ScalarFunction> = new Set(["and", "or", "isNull", "isNotNull", "coalesce", "nullIf"]);

/** A strict function of the literal null, which has no register form of the other operands' type. */
function isAlwaysNull(expression: TypedCall): boolean {
  if (LENIENT.has(expression.fn)) return false;
  return expression.args.some((arg) => arg.type.kind === "null" || (arg.kind === "literal" && arg.value === null));
}

/** A field of a struct column of the input. */
function compileField(scope: RowScope, expression: TypedField): Value {
  const binding = scope.bindingOf(expression);
  if (binding !== null) return binding.load();
  throw new CodegenError(
    "unsupported",
    `Cannot compile ${expressionText(expression)}: fields can be taken of struct columns, not of computed structs.`,
  );
}
