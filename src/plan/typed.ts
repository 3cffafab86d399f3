import type { DataType } from "../arrow/mod.ts";

/**
 * Typed expressions: what the binder makes of a user's expression and what code generation reads. Canonical: operands
 * of arithmetic and comparison already have one common type (the binder has put casts in; products of decimals excepted), columns are known to exist,
 * and every node knows its type and whether it can be null. Dictionary types never occur: a dictionary column has the
 * type of its values here.
 */

/** Scalar functions with fixed SQL null behaviour: null in, null out, except where noted. */
export type ScalarFunction =
  // numbers (int*, uint*, float*, decimal). Integer overflow is an error; *Wrapping wrap around.
  | "add"
  | "subtract"
  /** Of decimals: each operand keeps its own precision and scale, the result's scale is their sum. */
  | "multiply"
  /** Truncating for integers (zero is an error); float64 for decimals (zero is an error); IEEE for floats. */
  | "divide"
  /** Sign of the dividend; zero is an error except for floats (NaN). */
  | "modulo"
  | "negate"
  | "abs"
  | "addWrapping"
  | "subtractWrapping"
  | "multiplyWrapping"
  /** round(x, digits literal int32): half away from zero. */
  | "round"
  | "floor"
  | "ceil"
  // float64 only
  | "sqrt"
  | "pow"
  | "ln"
  | "exp"
  // comparison of two operands of one type; total order for floats: NaN equals NaN and is greatest, -0 equals 0
  | "eq"
  | "ne"
  | "lt"
  | "le"
  | "gt"
  | "ge"
  // three-valued logic
  | "and"
  | "or"
  | "not"
  // nulls
  | "isNull"
  | "isNotNull"
  | "isNan"
  | "coalesce"
  /** nullIf(a, b): null where a = b. */
  | "nullIf"
  // strings, positions and lengths in code points
  | "lower"
  | "upper"
  | "length"
  | "contains"
  | "startsWith"
  | "endsWith"
  /** like(text, pattern literal): % and _, escape \. */
  | "like"
  /** regexMatch(text, pattern literal): true where any part matches (JavaScript syntax, flag u). */
  | "regexMatch"
  /** slice(text, start int64 0-based, negative from the end; count int64 or absent for the rest). */
  | "slice"
  | "concat"
  /** replace(text, from, to): every occurrence, literal. */
  | "replace"
  | "trim"
  | "trimStart"
  | "trimEnd"
  // dates and timestamps; a timestamp with a time zone is taken apart in that zone
  | "year"
  | "quarter"
  | "month"
  | "day"
  | "hour"
  | "minute"
  | "second"
  /** ISO: Monday is 1, Sunday is 7. */
  | "dayOfWeek"
  | "dayOfYear"
  /** dateTruncate(x), `unit` on the node. */
  | "dateTruncate"
  /** dateAdd(x, count int64), `unit` on the node; months clamp to the last day. */
  | "dateAdd"
  /** dateDiff(a, b): number of `unit` borders crossed from a to b. */
  | "dateDiff";

export type DateUnit =
  | "year"
  | "quarter"
  | "month"
  | "week"
  | "day"
  | "hour"
  | "minute"
  | "second"
  | "millisecond"
  | "microsecond"
  | "nanosecond";

/**
 * Value of a literal by its type: int64, uint64, timestamp, duration, time, decimal (unscaled) as bigint; other
 * integers, date32 and floats as number; utf8 as string; binary as bytes.
 */
export type LiteralValue = null | boolean | number | bigint | string | Uint8Array;

interface TypedBase {
  readonly type: DataType;
  readonly nullable: boolean;
}

export interface TypedColumn extends TypedBase {
  readonly kind: "column";
  readonly name: string;
}

export interface TypedLiteral extends TypedBase {
  readonly kind: "literal";
  readonly value: LiteralValue;
}

export interface TypedCall extends TypedBase {
  readonly kind: "call";
  readonly fn: ScalarFunction;
  readonly args: readonly TypedExpression[];
  readonly unit?: DateUnit;
}

/** `onError: "null"` gives null where the value does not fit; else it is an error. */
export interface TypedCast extends TypedBase {
  readonly kind: "cast";
  readonly operand: TypedExpression;
  readonly onError: "fail" | "null";
}

/** Searched case: the first branch whose condition is true; null when none is and there is no `otherwise`. */
export interface TypedCase extends TypedBase {
  readonly kind: "case";
  readonly branches: readonly { readonly when: TypedExpression; readonly then: TypedExpression }[];
  readonly otherwise: TypedExpression | null;
}

/** SQL `IN` with literals: null when not found and a literal (or the operand) is null. */
export interface TypedIn extends TypedBase {
  readonly kind: "in";
  readonly operand: TypedExpression;
  readonly values: readonly LiteralValue[];
}

/** Field of a struct. */
export interface TypedField extends TypedBase {
  readonly kind: "field";
  readonly operand: TypedExpression;
  readonly name: string;
}

export type TypedExpression = TypedColumn | TypedLiteral | TypedCall | TypedCast | TypedCase | TypedIn | TypedField;
