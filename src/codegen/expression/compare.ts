/** Comparison of two values of one type. Floats have a total order: NaN equals NaN and is greatest, -0 equals 0. */
import { isSignedInteger, isTemporal } from "../../arrow/mod.ts";
import { invariant, unreachable } from "../../kernel/mod.ts";
import type { TypedCall, TypedExpression } from "../../plan/mod.ts";
import { type Expr, f32, f64, i32, i64, ifElse } from "../../wasm/mod.ts";
import { bytesEqual, compareBytes } from "../kernels/bytes.ts";
import type { RowScope } from "../scope.ts";
import type { Value } from "../value.ts";
import { literalBytes } from "./literals.ts";
import { boolValue, bytesOf, constantOf, guardedValue, type Int128, keep, strictOperands } from "./support.ts";

export type Comparison = "eq" | "ne" | "lt" | "le" | "gt" | "ge";

const MIRRORED: Readonly<Record<Comparison, Comparison>> = {
  eq: "eq",
  ne: "ne",
  lt: "gt",
  le: "ge",
  gt: "lt",
  ge: "le",
};

export function compileCompare(scope: RowScope, call: TypedCall): Value {
  const op = call.fn as Comparison;
  const { args, isNull } = strictOperands(scope, call);
  const [left, right] = args;
  const [leftExpression, rightExpression] = call.args;
  invariant(left && right && leftExpression && rightExpression, "a comparison has two operands");
  if (left.repr !== "bytes") return boolValue(scope, call.type, isNull, compareValues(scope, op, { left, right }));
  return guardedValue(scope, call.type, isNull, () => {
    const value =
      compareWithLiteral(scope, op, { value: left, literal: rightExpression }) ??
      compareWithLiteral(scope, MIRRORED[op], { value: right, literal: leftExpression }) ??
      compareValues(scope, op, { left, right });
    return { repr: "i32", value };
  });
}

/** Both values must not be null where they are bytes. */
export function compareValues(scope: RowScope, op: Comparison, operands: { left: Value; right: Value }): Expr<"i32"> {
  const { left, right } = operands;
  switch (left.repr) {
    case "i32":
      invariant(right.repr === "i32", "operands of one form");
      return keep(scope, compareI32(op, [left.value, right.value], isSigned(left)), op);
    case "i64":
      invariant(right.repr === "i64", "operands of one form");
      return keep(scope, compareI64(op, [left.value, right.value], isSigned(left)), op);
    case "f32":
      invariant(right.repr === "f32", "operands of one form");
      // Both namespaces have the same comparisons.
      return keep(scope, compareFloat(f32 as unknown as FloatOps, op, [left.value, right.value]), op);
    case "f64":
      invariant(right.repr === "f64", "operands of one form");
      return keep(scope, compareFloat(f64 as unknown as FloatOps, op, [left.value, right.value]), op);
    case "i128":
      invariant(right.repr === "i128" && scaleOf(left) === scaleOf(right), "decimals of one scale");
      if (fitsInt64(left) && fitsInt64(right)) return keep(scope, compareI64(op, [left.low, right.low], true), op);
      return keep(scope, compareI128(op, left, right), op);
    case "bytes":
      return keep(scope, compareText(op, bytesOf(left), bytesOf(right)), op);
    default:
      return unreachable(left);
  }
}

function scaleOf(value: Value): number | null {
  return value.type.kind === "decimal" ? value.type.scale : null;
}

/** Up to 18 digits are in the low word, sign included. */
function fitsInt64(value: Value): boolean {
  return value.type.kind === "decimal" && value.type.precision <= 18;
}

function isSigned(value: Value): boolean {
  return isSignedInteger(value.type) || isTemporal(value.type);
}

function compareI32(op: Comparison, [a, b]: readonly [Expr<"i32">, Expr<"i32">], signed: boolean): Expr<"i32"> {
  if (op === "eq" || op === "ne") return i32[op](a, b);
  return i32[signed ? (`${op}_s` as const) : (`${op}_u` as const)](a, b);
}

function compareI64(op: Comparison, [a, b]: readonly [Expr<"i64">, Expr<"i64">], signed: boolean): Expr<"i32"> {
  if (op === "eq" || op === "ne") return i64[op](a, b);
  return i64[signed ? (`${op}_s` as const) : (`${op}_u` as const)](a, b);
}

type FloatOps = { readonly [K in Comparison]: (a: Expr<"f32" | "f64">, b: Expr<"f32" | "f64">) => Expr<"i32"> };

function compareFloat(
  ops: FloatOps,
  op: Comparison,
  [a, b]: readonly [Expr<"f32" | "f64">, Expr<"f32" | "f64">],
): Expr<"i32"> {
  const isNumber = (x: Expr<"f32" | "f64">) => {
    const constant = constantOf(x);
    return constant !== undefined && !Number.isNaN(constant);
  };
  switch (op) {
    case "eq":
      if (isNumber(a) || isNumber(b)) return ops.eq(a, b);
      return i32.or(ops.eq(a, b), i32.and(ops.ne(a, a), ops.ne(b, b)));
    case "ne":
      return i32.eqz(compareFloat(ops, "eq", [a, b]));
    case "lt":
      if (isNumber(b)) return ops.lt(a, b);
      return i32.and(i32.eqz(ops.ge(a, b)), ops.eq(a, a));
    case "le":
      if (isNumber(b)) return ops.le(a, b);
      return i32.or(ops.le(a, b), ops.ne(b, b));
    case "gt":
      return isNumber(b) ? i32.eqz(ops.le(a, b)) : compareFloat(ops, "lt", [b, a]);
    case "ge":
      return isNumber(b) ? i32.eqz(ops.lt(a, b)) : compareFloat(ops, "le", [b, a]);
    default:
      return unreachable(op);
  }
}

/** 128-bit two's complement. */
export function compareI128(op: Comparison, a: Int128, b: Int128): Expr<"i32"> {
  switch (op) {
    case "eq":
      return i64.eqz(i64.or(i64.xor(a.low, b.low), i64.xor(a.high, b.high)));
    case "ne":
      return i32.eqz(compareI128("eq", a, b));
    case "lt":
      return i32.or(i64.lt_s(a.high, b.high), i32.and(i64.eq(a.high, b.high), i64.lt_u(a.low, b.low)));
    case "ge":
      return i32.eqz(compareI128("lt", a, b));
    case "gt":
      return compareI128("lt", b, a);
    case "le":
      return compareI128("ge", b, a);
    default:
      return unreachable(op);
  }
}

interface Text {
  readonly address: Expr<"i32">;
  readonly bytes: Expr<"i32">;
}

function compareText(op: Comparison, a: Text, b: Text): Expr<"i32"> {
  if (op === "eq") {
    return ifElse(i32.eq(a.bytes, b.bytes), bytesEqual.call(a.address, b.address, a.bytes), 0);
  }
  if (op === "ne") return i32.eqz(compareText("eq", a, b));
  const order = compareBytes.call(a.address, a.bytes, b.address, b.bytes);
  return compareI32(op, [order, i32.const(0)], true);
}

/** Literals up to this many bytes are compared as numbers in place. */
export const INLINE_BYTES_MAX = 16;

function compareWithLiteral(
  scope: RowScope,
  op: Comparison,
  options: { value: Value; literal: TypedExpression },
): Expr<"i32"> | null {
  const { literal } = options;
  if (literal.kind !== "literal" || literal.value === null || (op !== "eq" && op !== "ne")) return null;
  const equal = equalsLiteral(bytesOf(options.value), literalBytes(literal.value));
  if (equal === null) return null;
  return keep(scope, op === "eq" ? equal : i32.eqz(equal), op);
}

/** Whether `text` is `literal`, without a call; null when the literal is too long for that. */
export function equalsLiteral(text: Text, literal: Uint8Array): Expr<"i32"> | null {
  if (literal.length > INLINE_BYTES_MAX) return null;
  const sameLength = i32.eq(text.bytes, literal.length);
  if (literal.length === 0) return sameLength;
  return ifElse(sameLength, startsWithLiteral(text.address, literal), 0);
}

/** Whether the bytes at `address` begin with `literal` (1 to 16 bytes). May read up to 7 bytes more than it has. */
export function startsWithLiteral(address: Expr<"i32">, literal: Uint8Array): Expr<"i32"> {
  if (literal.length === 1) return i32.eq(i32.load8_u(address), literal[0] as number);
  if (literal.length === 2)
    return i32.eq(i32.load16_u(address), (literal[0] as number) | ((literal[1] as number) << 8));
  const parts: Expr<"i64">[] = [];
  for (let from = 0; from < literal.length; from += 8) {
    const part = literal.subarray(from, from + 8);
    const wanted = part.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
    const loaded = i64.load(address, from);
    const masked = part.length === 8 ? loaded : i64.and(loaded, (1n << BigInt(8 * part.length)) - 1n);
    parts.push(i64.xor(masked, wanted));
  }
  return i64.eqz(parts.reduce((a, b) => i64.or(a, b)));
}
