/**
 * Expressions over two 64-bit lanes: columns, literals, float64 arithmetic, comparisons, three-valued logic, null tests.
 * What can fail, and what has no lanes (strings, decimals, integer arithmetic), has no vector form.
 */
import type { TypedCall, TypedExpression, TypedLiteral } from "../../../plan/mod.ts";
import { type Expr, f64x2, i64x2, v128 } from "../../../wasm/mod.ts";
import { expressionKey } from "../../expression_key.ts";
import { vectorBytes } from "./vector_column.ts";
import { kept, type Pair, type VectorCode, type VectorForm, type VectorValue } from "./vector_value.ts";

/** What a column name stands for at some point of the pipeline. */
export type VectorScope = (name: string) => VectorCode | null;

const FLOAT_OPS = { add: f64x2.add, subtract: f64x2.sub, multiply: f64x2.mul, divide: f64x2.div } as const;

type Comparison = "eq" | "ne" | "lt" | "le" | "gt" | "ge";
const COMPARISONS: ReadonlySet<string> = new Set<Comparison>(["eq", "ne", "lt", "le", "gt", "ge"]);

/** The vector form of `expression`; null when it has none. `scopeName` tells scopes apart. */
export function vectorExpression(
  expression: TypedExpression,
  scope: VectorScope,
  scopeName: string,
): VectorCode | null {
  const code = formOf(expression, scope, scopeName);
  if (code === null) return null;
  const key = `${scopeName} ${expressionKey(expression)}`;
  return {
    form: code.form,
    emit(pair) {
      const known = pair.known.get(key);
      if (known !== undefined) return known;
      const { value, isNull } = code.emit(pair);
      const held = { value: kept(pair, value), isNull: isNull === null ? null : kept(pair, isNull) };
      pair.known.set(key, held);
      return held;
    },
  };
}

function formOf(expression: TypedExpression, scope: VectorScope, scopeName: string): VectorCode | null {
  switch (expression.kind) {
    case "column":
      return scope(expression.name);
    case "literal":
      return literalCode(expression);
    case "call": {
      const args: VectorCode[] = [];
      for (const arg of expression.args) {
        const code = vectorExpression(arg, scope, scopeName);
        if (code === null) return null;
        args.push(code);
      }
      return callCode(expression, args);
    }
    case "cast":
    case "case":
    case "in":
    case "field":
      return null;
  }
}

function literalCode({ type, value }: TypedLiteral): VectorCode | null {
  if (vectorBytes(type) === undefined || value === null) return null;
  const bytes = new DataView(new ArrayBuffer(16));
  const isFloat = type.kind === "float64" || type.kind === "float32";
  for (const at of [0, 8]) {
    if (isFloat) bytes.setFloat64(at, type.kind === "float32" ? Math.fround(Number(value)) : Number(value), true);
    else bytes.setBigInt64(at, BigInt(value as number | bigint), true);
  }
  const constant = v128.const(new Uint8Array(bytes.buffer));
  return { form: isFloat ? "f64" : "i64", emit: () => ({ value: constant, isNull: null }) };
}

function callCode(call: TypedCall, args: readonly VectorCode[]): VectorCode | null {
  const { fn } = call;
  if (fn === "and" || fn === "or") return args.length > 0 && allMasks(args) ? logicCode(fn, args) : null;
  if (fn === "not") return args.length === 1 && allMasks(args) ? notCode(args[0] as VectorCode) : null;
  if (fn === "isNull" || fn === "isNotNull") return nullTest(fn, args);
  const [left, right] = args;
  if (left === undefined || right === undefined || args.length !== 2) return null;
  if (COMPARISONS.has(fn)) return comparison(fn as Comparison, call, [left, right]);
  if (fn in FLOAT_OPS && call.type.kind === "float64" && left.form === "f64" && right.form === "f64") {
    const op = FLOAT_OPS[fn as keyof typeof FLOAT_OPS];
    return binary("f64", [left, right], op);
  }
  return null;
}

function allMasks(args: readonly VectorCode[]): boolean {
  return args.every(({ form }) => form === "mask");
}

/** Null where an operand is; masks are cleared there. */
function binary(
  form: VectorForm,
  [left, right]: readonly [VectorCode, VectorCode],
  op: (a: Expr<"v128">, b: Expr<"v128">) => Expr<"v128">,
): VectorCode {
  return {
    form,
    emit(pair) {
      const [a, b] = [left.emit(pair), right.emit(pair)];
      const isNull = either(pair, a.isNull, b.isNull);
      const value = op(a.value, b.value);
      return { value: form === "mask" && isNull !== null ? v128.andnot(value, isNull) : value, isNull };
    },
  };
}

function either(pair: Pair, a: Expr<"v128"> | null, b: Expr<"v128"> | null): Expr<"v128"> | null {
  if (a === null || a === b) return b;
  return b === null ? a : kept(pair, v128.or(a, b));
}

function comparison(op: Comparison, call: TypedCall, args: readonly [VectorCode, VectorCode]): VectorCode | null {
  const [left, right] = args;
  if (left.form !== right.form || left.form === "mask") return null;
  if (left.form === "i64") {
    const ops = { eq: i64x2.eq, ne: i64x2.ne, lt: i64x2.lt_s, le: i64x2.le_s, gt: i64x2.gt_s, ge: i64x2.ge_s };
    return binary("mask", args, ops[op]);
  }
  const numbers = call.args.map(isNumber) as [boolean, boolean];
  return binary("mask", args, (a, b) =>
    compareFloats(op, { value: a, isNumber: numbers[0] }, { value: b, isNumber: numbers[1] }),
  );
}

/** A literal that is not NaN. */
function isNumber(expression: TypedExpression): boolean {
  return expression.kind === "literal" && !Number.isNaN(expression.value);
}

interface Floats {
  readonly value: Expr<"v128">;
  readonly isNumber: boolean;
}

/** The total order of floats: NaN equals NaN and is greatest. */
function compareFloats(op: Comparison, a: Floats, b: Floats): Expr<"v128"> {
  const isNan = ({ value }: Floats) => f64x2.ne(value, value);
  switch (op) {
    case "eq": {
      const equal = f64x2.eq(a.value, b.value);
      return a.isNumber || b.isNumber ? equal : v128.or(equal, v128.and(isNan(a), isNan(b)));
    }
    case "ne":
      return v128.not(compareFloats("eq", a, b));
    case "lt":
      if (b.isNumber) return f64x2.lt(a.value, b.value);
      if (a.isNumber) return v128.not(f64x2.le(b.value, a.value));
      return v128.andnot(f64x2.eq(a.value, a.value), f64x2.ge(a.value, b.value));
    case "le":
      if (b.isNumber) return f64x2.le(a.value, b.value);
      return v128.not(compareFloats("lt", b, a));
    case "gt":
      return compareFloats("lt", b, a);
    case "ge":
      return b.isNumber ? v128.not(f64x2.lt(a.value, b.value)) : v128.not(compareFloats("lt", a, b));
  }
}

function logicCode(fn: "and" | "or", args: readonly VectorCode[]): VectorCode {
  const combine = fn === "and" ? conjunction : disjunction;
  return {
    form: "mask",
    emit: (pair) => args.map((arg) => arg.emit(pair)).reduce((a, b) => combine(pair, a, b)),
  };
}

function conjunction(pair: Pair, a: VectorValue, b: VectorValue): VectorValue {
  const value = kept(pair, v128.and(a.value, b.value));
  if (a.isNull === null && b.isNull === null) return { value, isNull: null };
  // Null where one is null and the other is true or null.
  const open = ({ value: isTrue, isNull }: VectorValue) => (isNull === null ? isTrue : v128.or(isTrue, isNull));
  return { value, isNull: kept(pair, v128.andnot(v128.and(open(a), open(b)), value)) };
}

function disjunction(pair: Pair, a: VectorValue, b: VectorValue): VectorValue {
  const value = kept(pair, v128.or(a.value, b.value));
  const isNull = either(pair, a.isNull, b.isNull);
  return { value, isNull: isNull === null ? null : kept(pair, v128.andnot(isNull, value)) };
}

function notCode(arg: VectorCode): VectorCode {
  return {
    form: "mask",
    emit(pair) {
      const { value, isNull } = arg.emit(pair);
      return { value: v128.not(isNull === null ? value : v128.or(value, isNull)), isNull };
    },
  };
}

function nullTest(fn: "isNull" | "isNotNull", args: readonly VectorCode[]): VectorCode | null {
  const [arg] = args;
  if (arg === undefined) return null;
  return {
    form: "mask",
    emit(pair) {
      const isNull = arg.emit(pair).isNull ?? v128.const(Array.from({ length: 16 }, () => 0));
      return { value: fn === "isNull" ? isNull : v128.not(isNull), isNull: null };
    },
  };
}
