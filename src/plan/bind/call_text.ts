import { bool, type DataType, int64, isInteger, isString, largeUtf8, utf8 } from "../../arrow/mod.ts";
import { typedCall } from "../make.ts";
import type { TypedExpression } from "../typed.ts";
import type { BoundCall } from "./call.ts";
import { describeTyped } from "./scope.ts";
import { flexibleValue, type Operand, operandAs } from "./unify.ts";

function textOperands(bound: BoundCall, operands: readonly Operand[]): { type: DataType; args: TypedExpression[] } {
  for (const operand of operands) {
    const { type } = operand.typed;
    if (isString(type) || type.kind === "null") continue;
    const rule = `${bound.fn} needs text, but ${describeTyped(operand.expression, operand.typed)}. Use .cast("utf8").`;
    throw bound.scope.fail("type", bound.call, rule);
  }
  const type = operands.some((o) => o.typed.type.kind === "largeUtf8") ? largeUtf8 : utf8;
  return { type, args: operands.map((o) => operandAs(o, type)) };
}

/** lower, upper, trim, trimStart, trimEnd. */
export function bindTextToText(bound: BoundCall): TypedExpression {
  const { type, args } = textOperands(bound, bound.operands);
  return typedCall(bound.fn, args, type);
}

export function bindConcat(bound: BoundCall): TypedExpression {
  return bindTextToText(bound);
}

export function bindReplace(bound: BoundCall): TypedExpression {
  return bindTextToText(bound);
}

export function bindLength(bound: BoundCall): TypedExpression {
  return typedCall("length", textOperands(bound, bound.operands).args, int64);
}

/** contains, startsWith, endsWith. */
export function bindTextTest(bound: BoundCall): TypedExpression {
  return typedCall(bound.fn, textOperands(bound, bound.operands).args, bool);
}

/** like, regexMatch: the pattern is a literal, so that it is compiled once. */
export function bindPattern(bound: BoundCall): TypedExpression {
  const [, pattern] = bound.operands as readonly [Operand, Operand];
  const value = flexibleValue(pattern);
  if (typeof value !== "string") {
    throw bound.scope.fail("argument", bound.call, `the pattern of ${bound.fn} must be a string literal.`);
  }
  if (bound.fn === "regexMatch") checkRegex(bound, value);
  else if (/(^|[^\\])(\\\\)*\\$/.test(value)) {
    throw bound.scope.fail(
      "argument",
      bound.call,
      String.raw`the pattern ends with the escape character \. Write \\ for it.`,
    );
  }
  return typedCall(bound.fn, textOperands(bound, bound.operands).args, bool);
}

function checkRegex(bound: BoundCall, pattern: string): void {
  try {
    new RegExp(pattern, "u");
  } catch (error) {
    throw bound.scope.fail(
      "argument",
      bound.call,
      `the pattern is no regular expression: ${(error as Error).message}.`,
    );
  }
}

export function bindSlice(bound: BoundCall): TypedExpression {
  const [text, ...positions] = bound.operands as readonly [Operand, ...Operand[]];
  for (const { typed, expression } of positions) {
    if (isInteger(typed.type) || typed.type.kind === "null") continue;
    const rule = `positions of slice are integers, but ${describeTyped(expression, typed)}.`;
    throw bound.scope.fail("type", bound.call, rule);
  }
  const { type, args } = textOperands(bound, [text]);
  return typedCall("slice", [...args, ...positions.map((p) => operandAs(p, int64))], type);
}
