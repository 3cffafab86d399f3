import { unreachable } from "../../kernel/mod.ts";
import type { TypedExpression } from "../../plan/mod.ts";

/** For messages; longer text is cut. */
const TEXT_CHARACTERS_MAX = 200;

const INFIX: Readonly<Record<string, string>> = {
  add: "+",
  subtract: "-",
  multiply: "*",
  divide: "/",
  modulo: "%",
  eq: "=",
  ne: "<>",
  lt: "<",
  le: "<=",
  gt: ">",
  ge: ">=",
  and: "and",
  or: "or",
};

/** An expression as a person would write it. */
export function expressionText(expression: TypedExpression): string {
  const text = textOf(expression);
  return text.length <= TEXT_CHARACTERS_MAX ? text : `${text.slice(0, TEXT_CHARACTERS_MAX)}…`;
}

function textOf(expression: TypedExpression): string {
  switch (expression.kind) {
    case "column":
      return expression.name;
    case "literal":
      return literalText(expression.value);
    case "call": {
      const args = expression.args.map(textOf);
      const infix = INFIX[expression.fn];
      if (infix !== undefined && args.length > 1) return `(${args.join(` ${infix} `)})`;
      return `${expression.fn}(${[...(expression.unit === undefined ? [] : [expression.unit]), ...args].join(", ")})`;
    }
    case "cast":
      return `cast(${textOf(expression.operand)} as ${expression.type.kind})`;
    case "case": {
      const branches = expression.branches.map(({ when, then }) => `when ${textOf(when)} then ${textOf(then)}`);
      const otherwise = expression.otherwise === null ? "" : ` else ${textOf(expression.otherwise)}`;
      return `case ${branches.join(" ")}${otherwise} end`;
    }
    case "in":
      return `${textOf(expression.operand)} in (${expression.values.slice(0, 8).map(literalText).join(", ")})`;
    case "field":
      return `${textOf(expression.operand)}.${expression.name}`;
    default:
      return unreachable(expression);
  }
}

function literalText(value: unknown): string {
  if (typeof value === "string") return `'${value}'`;
  if (value instanceof Uint8Array) return `binary of ${value.length} bytes`;
  return String(value);
}
