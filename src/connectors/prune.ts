import type { DataType } from "../arrow/mod.ts";
import type { LiteralValue, ScalarFunction, TypedExpression } from "../plan/mod.ts";
import { compareBytes } from "./bytes.ts";

/**
 * Decides from bounds whether a predicate may be true for any row. Every answer is an over-approximation: an outcome is
 * left out only when no row can have it.
 */

/** Integers, dates, times and decimals (unscaled) as bigint, floats as number, texts and bytes as bytes. */
export type Bound = bigint | number | Uint8Array;

/** What is known of a column's values in some rows. */
export interface ColumnBounds {
  readonly type: DataType;
  /** At most every value; null when unknown. */
  readonly least: Bound | null;
  /** At least every value; null when unknown. Of floats it says nothing about NaN, which is greater. */
  readonly greatest: Bound | null;
  /** Null when unknown. */
  readonly nullCount: number | null;
  readonly rowCount: number;
}

export type BoundsOf = (column: string) => ColumnBounds | null;

/** Outcomes of a predicate over some rows, as a set of bits. */
const TRUE = 1;
const FALSE = 2;
const NULL = 4;
const ANY = TRUE | FALSE | NULL;

/** False only when the predicate is true for no row. */
export function mayMatch(predicate: TypedExpression, bounds: BoundsOf): boolean {
  return (outcomes(predicate, bounds) & TRUE) !== 0;
}

function outcomes(expression: TypedExpression, bounds: BoundsOf): number {
  switch (expression.kind) {
    case "literal":
      if (expression.value === null) return NULL;
      return typeof expression.value === "boolean" ? (expression.value ? TRUE : FALSE) : ANY;
    case "call":
      return callOutcomes(expression.fn, expression.args, bounds);
    case "in":
      return inOutcomes(expression.operand, expression.values, bounds);
    default:
      return ANY;
  }
}

function callOutcomes(fn: ScalarFunction, args: readonly TypedExpression[], bounds: BoundsOf): number {
  const [a, b] = args;
  if (a === undefined) return ANY;
  switch (fn) {
    case "and":
      return args.map((arg) => outcomes(arg, bounds)).reduce(andOutcomes);
    case "or":
      return not(args.map((arg) => not(outcomes(arg, bounds))).reduce(andOutcomes));
    case "not":
      return not(outcomes(a, bounds));
    case "isNull":
    case "isNotNull": {
      const found = nullOutcomes(a, bounds);
      return fn === "isNull" ? found : not(found);
    }
    case "eq":
    case "ne":
    case "lt":
    case "le":
    case "gt":
    case "ge":
      return b === undefined ? ANY : compareOutcomes(fn, a, { other: b, bounds });
    case "startsWith":
      return b === undefined ? ANY : prefixOutcomes(a, b, bounds);
    default:
      return ANY;
  }
}

function not(set: number): number {
  return ((set & TRUE) !== 0 ? FALSE : 0) | ((set & FALSE) !== 0 ? TRUE : 0) | (set & NULL);
}

/** Three-valued: false wins, then null. */
function andOutcomes(a: number, b: number): number {
  let set = 0;
  if (((a | b) & FALSE) !== 0) set |= FALSE;
  if ((a & TRUE) !== 0 && (b & TRUE) !== 0) set |= TRUE;
  if (((a & NULL) !== 0 && (b & (TRUE | NULL)) !== 0) || ((b & NULL) !== 0 && (a & TRUE) !== 0)) set |= NULL;
  return set;
}

function nullOutcomes(operand: TypedExpression, bounds: BoundsOf): number {
  const known = operand.kind === "column" ? bounds(operand.name) : null;
  if (known === null || known.nullCount === null) return ANY & ~NULL;
  if (known.nullCount === 0) return FALSE;
  return known.nullCount >= known.rowCount ? TRUE : TRUE | FALSE;
}

type Comparison = "eq" | "ne" | "lt" | "le" | "gt" | "ge";
const MIRRORED: Record<Comparison, Comparison> = { eq: "eq", ne: "ne", lt: "gt", le: "ge", gt: "lt", ge: "le" };

function compareOutcomes(
  fn: Comparison,
  a: TypedExpression,
  rest: { other: TypedExpression; bounds: BoundsOf },
): number {
  const { other, bounds } = rest;
  if (other.kind === "literal")
    return rangeOutcomes(fn, operandBounds(a, bounds), literalBound(other.value, other.type));
  if (a.kind === "literal") {
    return rangeOutcomes(MIRRORED[fn], operandBounds(other, bounds), literalBound(a.value, a.type));
  }
  return ANY;
}

/** null for a literal that is null, undefined for one that is not compared here. */
function literalBound(value: LiteralValue, type: DataType): Bound | null | undefined {
  if (value === null) return null;
  if (typeof value === "string") return new TextEncoder().encode(value);
  if (typeof value === "boolean") return value ? 1n : 0n;
  if (typeof value === "number" && isExact(type)) return Number.isInteger(value) ? BigInt(value) : undefined;
  return value;
}

/** Types whose bounds are bigint. */
function isExact(type: DataType): boolean {
  return !["float32", "float64", "utf8", "largeUtf8", "binary", "largeBinary", "fixedSizeBinary"].includes(type.kind);
}

function operandBounds(operand: TypedExpression, bounds: BoundsOf): ColumnBounds | null {
  if (operand.kind === "column") return bounds(operand.name);
  if (operand.kind !== "cast" || operand.operand.kind !== "column") return null;
  const inner = bounds(operand.operand.name);
  return inner === null ? null : castBounds(inner, operand.type);
}

const INTEGER = /^u?int(8|16|32|64)$/;

/** Bounds after a cast that keeps order and makes no nulls; null for other casts. */
function castBounds(inner: ColumnBounds, type: DataType): ColumnBounds | null {
  const from = inner.type.kind;
  const convert = (change: (bound: Bound) => Bound): ColumnBounds => {
    const { least, greatest } = inner;
    return {
      ...inner,
      type,
      least: least === null ? null : change(least),
      greatest: greatest === null ? null : change(greatest),
    };
  };
  if (INTEGER.test(from) && INTEGER.test(type.kind)) return convert((bound) => bound);
  if (INTEGER.test(from) && type.kind === "float64") return convert(Number);
  if (INTEGER.test(from) && type.kind === "decimal") {
    const factor = 10n ** BigInt(type.scale);
    return convert((bound) => (bound as bigint) * factor);
  }
  if (from === "float32" && type.kind === "float64") return convert((bound) => bound);
  return null;
}

function rangeOutcomes(fn: Comparison, known: ColumnBounds | null, value: Bound | null | undefined): number {
  if (value === null) return NULL;
  if (known === null || value === undefined) return ANY;
  const nulls = known.nullCount === 0 ? 0 : NULL;
  if (known.nullCount !== null && known.nullCount >= known.rowCount) return NULL;
  const { least } = known;
  const isFloat = known.type.kind === "float32" || known.type.kind === "float64";
  if (isFloat && Number.isNaN(value as number)) return ANY;
  // A NaN may stand above the greatest value.
  const greatest = isFloat ? null : known.greatest;
  const low = least === null ? null : compareBounds(least, value);
  const high = greatest === null ? null : compareBounds(greatest, value);
  if (low === undefined || high === undefined) return ANY;
  const below = low === null || low < 0;
  const above = high === null || high > 0;
  const equal = (low === null || low <= 0) && (high === null || high >= 0);
  const yes = { eq: equal, ne: below || above, lt: below, le: below || equal, gt: above, ge: above || equal }[fn];
  const no = { eq: true, ne: equal, lt: above || equal, le: above, gt: below || equal, ge: below }[fn];
  // Bounds of texts may be cut short: that all are equal is never sure.
  const surelyEqualOnly = fn === "ne" && !(value instanceof Uint8Array);
  return (yes || (fn === "ne" && !surelyEqualOnly) ? TRUE : 0) | (no ? FALSE : 0) | nulls;
}

/** undefined when the two cannot be compared. */
function compareBounds(a: Bound, b: Bound): number | undefined {
  if (a instanceof Uint8Array || b instanceof Uint8Array) {
    return a instanceof Uint8Array && b instanceof Uint8Array ? compareBytes(a, b) : undefined;
  }
  if (Number.isNaN(a as number) || Number.isNaN(b as number)) return undefined;
  return a < b ? -1 : a > b ? 1 : 0;
}

function inOutcomes(operand: TypedExpression, values: readonly LiteralValue[], bounds: BoundsOf): number {
  const known = operandBounds(operand, bounds);
  let set = values.includes(null) ? NULL : 0;
  let any = false;
  for (const value of values) {
    if (value === null) continue;
    const found = rangeOutcomes("eq", known, literalBound(value, operand.type));
    any ||= (found & TRUE) !== 0;
    set |= found & NULL;
  }
  return set | FALSE | (any ? TRUE : 0);
}

function prefixOutcomes(operand: TypedExpression, literal: TypedExpression, bounds: BoundsOf): number {
  const known = operand.kind === "column" ? bounds(operand.name) : null;
  if (known === null || literal.kind !== "literal" || typeof literal.value !== "string") return ANY;
  const prefix = new TextEncoder().encode(literal.value);
  const { least, greatest } = known;
  const tooHigh = least instanceof Uint8Array && compareBytes(least.subarray(0, prefix.length), prefix) > 0;
  const tooLow = greatest instanceof Uint8Array && compareBytes(greatest.subarray(0, prefix.length), prefix) < 0;
  return tooHigh || tooLow ? FALSE | NULL : ANY;
}

/** Columns that the predicate reads. */
export function columnsOf(expression: TypedExpression, found: Set<string> = new Set()): Set<string> {
  switch (expression.kind) {
    case "column":
      found.add(expression.name);
      break;
    case "call":
      for (const arg of expression.args) columnsOf(arg, found);
      break;
    case "cast":
    case "in":
    case "field":
      columnsOf(expression.operand, found);
      break;
    default:
      break;
  }
  return found;
}
