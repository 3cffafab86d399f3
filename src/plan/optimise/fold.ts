import { bool, isFloat, isInteger, isString } from "../../arrow/mod.ts";
import { castLiteral } from "../cast_literal.ts";
import { integerLiteral, typedLiteral } from "../literal.ts";
import { typedCall } from "../make.ts";
import type { LiteralValue, ScalarFunction, TypedCall, TypedExpression, TypedLiteral } from "../typed.ts";
import { mapTyped } from "./rewrite.ts";

/**
 * Constants and conditions worked out beforehand. What would fail or needs the engine's own functions stays: the row
 * decides. Simplifying a condition may only leave out evaluations, never add one.
 */
export function fold(e: TypedExpression): TypedExpression {
  const folded = mapTyped(e, fold);
  switch (folded.kind) {
    case "call":
      return foldCall(folded);
    case "cast":
      return folded.operand.kind === "literal" ? (castLiteral(folded.operand, folded.type) ?? folded) : folded;
    case "case":
      return foldCase(folded);
    case "in":
      return foldIn(folded);
    default:
      return folded;
  }
}

const isTrue = (e: TypedExpression): boolean => e.kind === "literal" && e.value === true;
const isFalse = (e: TypedExpression): boolean => e.kind === "literal" && e.value === false;
const isNullLiteral = (e: TypedExpression): e is TypedLiteral => e.kind === "literal" && e.value === null;

const NEGATED: Partial<Record<ScalarFunction, ScalarFunction>> = {
  eq: "ne",
  ne: "eq",
  lt: "ge",
  ge: "lt",
  gt: "le",
  le: "gt",
  isNull: "isNotNull",
  isNotNull: "isNull",
};

function foldCall(e: TypedCall): TypedExpression {
  const [a, b] = e.args;
  if (a === undefined) return e;
  switch (e.fn) {
    case "and":
    case "or":
      return b === undefined ? e : foldLogic(e, a, b);
    case "not":
      return foldNot(e, a);
    case "isNull":
    case "isNotNull":
      return foldNullTest(e, a);
    case "coalesce":
      return foldCoalesce(e);
    default:
      return foldConstant(e);
  }
}

/** `and` with false, `or` with true are decided; the other constant leaves the other operand. */
function foldLogic(e: TypedCall, a: TypedExpression, b: TypedExpression): TypedExpression {
  const [decides, neutral] = e.fn === "and" ? [isFalse, isTrue] : [isTrue, isFalse];
  if (decides(a)) return a;
  if (decides(b)) return b;
  if (neutral(a)) return b;
  if (neutral(b)) return a;
  return isNullLiteral(a) && isNullLiteral(b) ? a : e;
}

function foldNot(e: TypedCall, a: TypedExpression): TypedExpression {
  if (a.kind === "literal") return typedLiteral(a.value === null ? null : !a.value, bool);
  if (a.kind !== "call") return e;
  const negated = NEGATED[a.fn];
  if (negated !== undefined) return Object.freeze({ ...a, fn: negated });
  return a.fn === "not" ? (a.args[0] ?? e) : e;
}

function foldNullTest(e: TypedCall, a: TypedExpression): TypedExpression {
  if (isNullLiteral(a)) return typedLiteral(e.fn === "isNull", bool);
  return a.nullable ? e : typedLiteral(e.fn === "isNotNull", bool);
}

function foldCoalesce(e: TypedCall): TypedExpression {
  const args: TypedExpression[] = [];
  for (const arg of e.args) {
    if (isNullLiteral(arg)) continue;
    args.push(arg);
    if (!arg.nullable) break;
  }
  const [only] = args;
  if (only === undefined) return typedLiteral(null, e.type);
  if (args.length === 1) return only;
  if (args.length === e.args.length) return e;
  return typedCall("coalesce", args, e.type, { nullable: args.every((a) => a.nullable) });
}

/** Null of a function whose null operand makes it null. */
const STRICT_EXCEPT: ReadonlySet<ScalarFunction> = new Set<ScalarFunction>(["nullIf"]);

function foldConstant(e: TypedCall): TypedExpression {
  if (!STRICT_EXCEPT.has(e.fn) && e.args.some(isNullLiteral)) return typedLiteral(null, e.type);
  const values: LiteralValue[] = [];
  for (const arg of e.args) {
    if (arg.kind !== "literal" || arg.value === null) return e;
    values.push(arg.value);
  }
  return evaluate(e, values) ?? e;
}

function evaluate(e: TypedCall, values: readonly LiteralValue[]): TypedLiteral | null {
  const [a, b] = values;
  const type = e.args[0]?.type;
  if (type === undefined || a === undefined || a === null) return null;
  if (isString(type)) return evaluateText(e, a, b);
  if (type.kind === "bool") return b === undefined || b === null ? null : equality(e.fn, a === b);
  if (b === undefined || b === null || a instanceof Uint8Array || b instanceof Uint8Array) return null;
  if (isInteger(type)) {
    const [x, y] = [BigInt(a), BigInt(b)];
    return comparison(e.fn, x < y ? -1 : x > y ? 1 : 0) ?? integerArithmetic(e, x, y);
  }
  if (type.kind === "date32" || type.kind === "timestamp" || type.kind === "decimal") {
    return comparison(e.fn, a < b ? -1 : a > b ? 1 : 0);
  }
  return isFloat(type) ? evaluateFloat(e, Number(a), Number(b)) : null;
}

function equality(fn: ScalarFunction, equal: boolean): TypedLiteral | null {
  if (fn === "eq") return typedLiteral(equal, bool);
  return fn === "ne" ? typedLiteral(!equal, bool) : null;
}

function comparison(fn: ScalarFunction, order: number): TypedLiteral | null {
  switch (fn) {
    case "lt":
      return typedLiteral(order < 0, bool);
    case "le":
      return typedLiteral(order <= 0, bool);
    case "gt":
      return typedLiteral(order > 0, bool);
    case "ge":
      return typedLiteral(order >= 0, bool);
    default:
      return equality(fn, order === 0);
  }
}

function integerArithmetic(e: TypedCall, a: bigint, b: bigint): TypedLiteral | null {
  if (!isInteger(e.type)) return null;
  switch (e.fn) {
    case "add":
      return integerLiteral(a + b, e.type);
    case "subtract":
      return integerLiteral(a - b, e.type);
    case "multiply":
      return integerLiteral(a * b, e.type);
    case "divide":
      return b === 0n ? null : integerLiteral(a / b, e.type);
    case "modulo":
      return b === 0n || b === -1n ? null : integerLiteral(a % b, e.type);
    default:
      return null;
  }
}

/** NaN equals NaN and is the greatest; -0 equals 0. */
function floatOrder(a: number, b: number): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
  return a < b ? -1 : a > b ? 1 : 0;
}

function evaluateFloat(e: TypedCall, a: number, b: number): TypedLiteral | null {
  const compared = comparison(e.fn, floatOrder(a, b));
  if (compared !== null || e.type.kind !== "float64") return compared;
  switch (e.fn) {
    case "add":
      return typedLiteral(a + b, e.type);
    case "subtract":
      return typedLiteral(a - b, e.type);
    case "multiply":
      return typedLiteral(a * b, e.type);
    case "divide":
      return typedLiteral(a / b, e.type);
    default:
      return null;
  }
}

function evaluateText(e: TypedCall, a: LiteralValue, b: LiteralValue | undefined): TypedLiteral | null {
  if (typeof a !== "string") return null;
  if (e.fn === "length") return typedLiteral(BigInt(Array.from(a).length), e.type);
  return typeof b === "string" && e.args.length === 2 ? equality(e.fn, a === b) : null;
}

function foldCase(e: Extract<TypedExpression, { kind: "case" }>): TypedExpression {
  const branches: { readonly when: TypedExpression; readonly then: TypedExpression }[] = [];
  let { otherwise } = e;
  for (const branch of e.branches) {
    if (isFalse(branch.when) || isNullLiteral(branch.when)) continue;
    if (isTrue(branch.when)) {
      otherwise = branch.then;
      break;
    }
    branches.push(branch);
  }
  if (branches.length === 0) return otherwise ?? typedLiteral(null, e.type);
  if (branches.length === e.branches.length && otherwise === e.otherwise) return e;
  return Object.freeze({ ...e, branches: Object.freeze(branches), otherwise });
}

function foldIn(e: Extract<TypedExpression, { kind: "in" }>): TypedExpression {
  const [only] = e.values;
  if (only === undefined) return typedLiteral(false, bool);
  if (isNullLiteral(e.operand)) return typedLiteral(null, bool);
  if (e.values.length > 1) return e;
  return foldCall(typedCall("eq", [e.operand, typedLiteral(only, e.operand.type)], bool));
}
