import { typeName } from "../arrow/mod.ts";
import { unreachable } from "../kernel/mod.ts";
import type { Expression, LiteralInput } from "./expression.ts";
import { literalText } from "./literal.ts";
import type { TypedExpression } from "./typed.ts";

/** Expressions as readable text, written or typed: `(distance > 500) and delay is not null`. */

const BINARY: Readonly<Record<string, string>> = {
  add: "+",
  subtract: "-",
  multiply: "*",
  divide: "/",
  modulo: "%",
  addWrapping: "+%",
  subtractWrapping: "-%",
  multiplyWrapping: "*%",
  eq: "=",
  ne: "<>",
  lt: "<",
  le: "<=",
  gt: ">",
  ge: ">=",
  and: "and",
  or: "or",
  like: "like",
};

type Printable = Expression | TypedExpression;

const PLAIN_NAME = /^[\p{L}_][\p{L}\p{N}_]*$/u;

export function nameText(name: string): string {
  return PLAIN_NAME.test(name) ? name : `"${name.replaceAll('"', '""')}"`;
}

export function inputLiteralText(value: LiteralInput): string {
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? "Invalid Date" : `'${value.toISOString()}'`;
  if (typeof value === "string") return `'${value.replaceAll("'", "''")}'`;
  if (value instanceof Uint8Array) return bytesText(value);
  return Object.is(value, -0) ? "-0" : String(value);
}

function bytesText(bytes: Uint8Array): string {
  return `x'${Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("")}'`;
}

function joined(args: readonly Printable[]): string {
  return args.map((a) => printExpression(a)).join(", ");
}

function callText(e: Extract<Printable, { kind: "call" }>, nested: boolean): string {
  const args: readonly Printable[] = e.args;
  const [a, b, c] = args;
  const wrap = (text: string) => (nested ? `(${text})` : text);
  const symbol = BINARY[e.fn];
  if (symbol !== undefined && args.length >= 2) {
    return wrap(args.map((x) => part(x)).join(` ${symbol} `));
  }
  if (a === undefined) return `${e.fn}()`;
  switch (e.fn) {
    case "not":
      return wrap(`not ${part(a)}`);
    case "negate":
      return `-${part(a)}`;
    case "isNull":
      return wrap(`${part(a)} is null`);
    case "isNotNull":
      return wrap(`${part(a)} is not null`);
    case "between":
      return wrap(`${part(a)} between ${b && part(b)} and ${c && part(c)}`);
    default:
      return `${e.fn}(${e.unit ? `${e.unit}, ` : ""}${joined(args)})`;
  }
}

function part(e: Printable): string {
  return printExpression(e, { nested: true });
}

function caseText(e: Extract<Printable, { kind: "case" }>): string {
  const branches = e.branches.map((b) => `when ${printExpression(b.when)} then ${printExpression(b.then)}`);
  const otherwise = e.otherwise === null ? "" : ` else ${printExpression(e.otherwise)}`;
  return `case ${branches.join(" ")}${otherwise} end`;
}

function inText(e: Extract<Printable, { kind: "in" }>, nested: boolean): string {
  const values =
    "type" in e
      ? e.values.map((v) => literalText(v, e.operand.type))
      : e.values.map((v: Expression) => printExpression(v));
  const text = `${part(e.operand)} in (${values.join(", ")})`;
  return nested ? `(${text})` : text;
}

/** `nested`: in brackets where the text would otherwise be read wrong. */
export function printExpression(e: Printable, options: { readonly nested?: boolean } = {}): string {
  const nested = options.nested ?? false;
  switch (e.kind) {
    case "column":
      return `${"side" in e && e.side !== null ? `${e.side}.` : ""}${nameText(e.name)}`;
    case "literal":
      return "type" in e ? literalText(e.value, e.type) : inputLiteralText(e.value);
    case "call":
      return callText(e, nested);
    case "cast":
      return `cast(${printExpression(e.operand)} as ${typeName(e.type)}${e.onError === "null" ? " or null" : ""})`;
    case "case":
      return caseText(e);
    case "in":
      return inText(e, nested);
    case "field":
      return `${part(e.operand)}.${nameText(e.name)}`;
    case "alias":
      return `${printExpression(e.operand, { nested })} as ${nameText(e.name)}`;
    case "aggregate": {
      const argument = e.argument === null ? "*" : printExpression(e.argument);
      return `${e.fn}(${argument}${e.quantile === null ? "" : `, ${e.quantile}`})`;
    }
    default:
      return unreachable(e);
  }
}
