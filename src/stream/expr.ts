import type { DataType } from "../arrow/mod.ts";
import { type AggregateFunction, type DateUnit, type Expression, expr, type LiteralInput } from "../plan/mod.ts";
import { typeFrom } from "./schema.ts";
import type { Arithmetic, CellOf, IsOpen, NullIn, Open, SumOf, TypeText } from "./types.ts";

/** What stands beside an expression: another one, or a value. A string here is a text, never a column's name. */
export type Operand = AnyExpr | LiteralInput;

export type AnyExpr = Expr<Open, string, string>;

/** Names of columns that an operand mentions. */
export type ColumnsOf<O> = O extends Expr<Open, infer C, string> ? C : never;

type ValueOf<O> = O extends Expr<infer T, string, string> ? T : O extends Date ? bigint : O;

type Condition<A, B> = boolean | NullIn<A> | NullIn<B>;

type IfOpen<T, Then, Else> = IsOpen<T> extends true ? Then : Else;

export function operand(value: Operand): Expression {
  return value instanceof Expr ? value.expression : expr.literal(value);
}

/**
 * An expression over columns: immutable, checked when the dataflow is planned. `T` is the JavaScript type of its cells,
 * `C` the columns it names, `N` the name that its result has.
 *
 * Null in gives null out unless stated. Integer overflow is an error, so is dividing integers or decimals by zero;
 * floats follow IEEE 754.
 */
export class Expr<T = Open, C extends string = string, N extends string = string> {
  declare protected readonly cell: T;
  declare protected readonly columns: C;
  declare protected readonly named: N;
  readonly expression: Expression;

  constructor(expression: Expression) {
    this.expression = expression;
  }

  /** The name that the result has as a column. */
  alias<A extends string>(name: A): Expr<T, C, A> {
    return new Expr(expr.alias(this.expression, name));
  }

  /** To another type, by name or value. A value that does not fit is an error, or null with `{ onError: "null" }`. */
  cast<const D extends TypeText | DataType>(
    type: D,
    options: { readonly onError?: "fail" | "null" } = {},
  ): Expr<CellOf<D>, C, N> {
    return new Expr(expr.cast(this.expression, typeFrom(type), options.onError ?? "fail"));
  }

  // arithmetic

  add<O extends Operand>(other: O): Expr<Arithmetic<T, ValueOf<O>>, C | ColumnsOf<O>> {
    return this.#with("add", [other]);
  }

  sub<O extends Operand>(other: O): Expr<Arithmetic<T, ValueOf<O>>, C | ColumnsOf<O>> {
    return this.#with("subtract", [other]);
  }

  mul<O extends Operand>(other: O): Expr<Arithmetic<T, ValueOf<O>>, C | ColumnsOf<O>> {
    return this.#with("multiply", [other]);
  }

  /** Integers divide by truncation (7 / 2 is 3); decimals give float64. Cast to float64 for a fraction. */
  div<O extends Operand>(other: O): Expr<Arithmetic<T, ValueOf<O>>, C | ColumnsOf<O>> {
    return this.#with("divide", [other]);
  }

  /** Remainder with the sign of the dividend. */
  mod<O extends Operand>(other: O): Expr<Arithmetic<T, ValueOf<O>>, C | ColumnsOf<O>> {
    return this.#with("modulo", [other]);
  }

  neg(): Expr<T, C> {
    return this.#with("negate", []);
  }

  /** Integers only: wraps around instead of failing. */
  addWrapping<O extends Operand>(other: O): Expr<Arithmetic<T, ValueOf<O>>, C | ColumnsOf<O>> {
    return this.#with("addWrapping", [other]);
  }

  /** Integers only: wraps around instead of failing. */
  subWrapping<O extends Operand>(other: O): Expr<Arithmetic<T, ValueOf<O>>, C | ColumnsOf<O>> {
    return this.#with("subtractWrapping", [other]);
  }

  /** Integers only: wraps around instead of failing. */
  mulWrapping<O extends Operand>(other: O): Expr<Arithmetic<T, ValueOf<O>>, C | ColumnsOf<O>> {
    return this.#with("multiplyWrapping", [other]);
  }

  abs(): Expr<T, C> {
    return this.#with("abs", []);
  }

  /** Half away from zero; `digits` behind the point, negative before it. The type stays. */
  round(digits = 0): Expr<T, C> {
    return this.#with("round", [digits]);
  }

  floor(): Expr<T, C> {
    return this.#with("floor", []);
  }

  ceil(): Expr<T, C> {
    return this.#with("ceil", []);
  }

  /** float64; NaN for negative numbers. */
  sqrt(): Expr<number | NullIn<T>, C> {
    return this.#with("sqrt", []);
  }

  pow<O extends Operand>(exponent: O): Expr<number | NullIn<T> | NullIn<ValueOf<O>>, C | ColumnsOf<O>> {
    return this.#with("pow", [exponent]);
  }

  /** Natural logarithm. */
  ln(): Expr<number | NullIn<T>, C> {
    return this.#with("ln", []);
  }

  exp(): Expr<number | NullIn<T>, C> {
    return this.#with("exp", []);
  }

  // comparison: floats are totally ordered, NaN equals NaN and is the greatest

  eq<O extends Operand>(other: O): Expr<Condition<T, ValueOf<O>>, C | ColumnsOf<O>> {
    return this.#with("eq", [other]);
  }

  ne<O extends Operand>(other: O): Expr<Condition<T, ValueOf<O>>, C | ColumnsOf<O>> {
    return this.#with("ne", [other]);
  }

  lt<O extends Operand>(other: O): Expr<Condition<T, ValueOf<O>>, C | ColumnsOf<O>> {
    return this.#with("lt", [other]);
  }

  le<O extends Operand>(other: O): Expr<Condition<T, ValueOf<O>>, C | ColumnsOf<O>> {
    return this.#with("le", [other]);
  }

  gt<O extends Operand>(other: O): Expr<Condition<T, ValueOf<O>>, C | ColumnsOf<O>> {
    return this.#with("gt", [other]);
  }

  ge<O extends Operand>(other: O): Expr<Condition<T, ValueOf<O>>, C | ColumnsOf<O>> {
    return this.#with("ge", [other]);
  }

  /** Both limits included. */
  between<A extends Operand, B extends Operand>(
    low: A,
    high: B,
  ): Expr<boolean | null, C | ColumnsOf<A> | ColumnsOf<B>> {
    return this.#with("between", [low, high]);
  }

  /** True when equal to one of the values; null when not found and one of them (or this) is null. */
  isIn<const O extends readonly Operand[]>(values: O): Expr<boolean | null, C | ColumnsOf<O[number]>> {
    return new Expr(expr.isIn(this.expression, values.map(operand)));
  }

  // logic, three-valued

  and<O extends Operand>(other: O): Expr<boolean | null, C | ColumnsOf<O>> {
    return this.#with("and", [other]);
  }

  or<O extends Operand>(other: O): Expr<boolean | null, C | ColumnsOf<O>> {
    return this.#with("or", [other]);
  }

  not(): Expr<T, C> {
    return this.#with("not", []);
  }

  // nulls

  /** Never null itself. */
  isNull(): Expr<boolean, C> {
    return this.#with("isNull", []);
  }

  /** Never null itself. */
  isNotNull(): Expr<boolean, C> {
    return this.#with("isNotNull", []);
  }

  isNan(): Expr<boolean | NullIn<T>, C> {
    return this.#with("isNan", []);
  }

  /** The first of this and the others that is not null. */
  coalesce<const O extends readonly Operand[]>(
    ...others: O
  ): Expr<IfOpen<T, Open, NonNullable<T> | ValueOf<O[number]>>, C | ColumnsOf<O[number]>> {
    return this.#with("coalesce", others);
  }

  /** Null where equal to `other`. */
  nullIf<O extends Operand>(other: O): Expr<T | null, C | ColumnsOf<O>> {
    return this.#with("nullIf", [other]);
  }

  // text: positions and lengths count code points

  lower(): Expr<T, C> {
    return this.#with("lower", []);
  }

  upper(): Expr<T, C> {
    return this.#with("upper", []);
  }

  /** int64. */
  length(): Expr<bigint | NullIn<T>, C> {
    return this.#with("length", []);
  }

  contains<O extends Operand>(text: O): Expr<Condition<T, ValueOf<O>>, C | ColumnsOf<O>> {
    return this.#with("contains", [text]);
  }

  startsWith<O extends Operand>(text: O): Expr<Condition<T, ValueOf<O>>, C | ColumnsOf<O>> {
    return this.#with("startsWith", [text]);
  }

  endsWith<O extends Operand>(text: O): Expr<Condition<T, ValueOf<O>>, C | ColumnsOf<O>> {
    return this.#with("endsWith", [text]);
  }

  /** SQL LIKE: `%` any text, `_` one code point, `\` escapes. */
  like(pattern: string): Expr<boolean | NullIn<T>, C> {
    return this.#with("like", [pattern]);
  }

  /** True where any part matches; JavaScript syntax with flag `u`. */
  regexMatch(pattern: string): Expr<boolean | NullIn<T>, C> {
    return this.#with("regexMatch", [pattern]);
  }

  /** From position `start` (0-based, negative from the end), `count` code points or the rest. */
  slice<A extends Operand, B extends Operand = null>(start: A, count?: B): Expr<T, C | ColumnsOf<A> | ColumnsOf<B>> {
    return this.#with("slice", count === undefined ? [start] : [start, count]);
  }

  concat<const O extends readonly Operand[]>(...others: O): Expr<string | null, C | ColumnsOf<O[number]>> {
    return this.#with("concat", others);
  }

  /** Every occurrence; `from` is plain text. */
  replace<A extends Operand, B extends Operand>(from: A, to: B): Expr<T, C | ColumnsOf<A> | ColumnsOf<B>> {
    return this.#with("replace", [from, to]);
  }

  /** Spaces at both ends. */
  trim(): Expr<T, C> {
    return this.#with("trim", []);
  }

  trimStart(): Expr<T, C> {
    return this.#with("trimStart", []);
  }

  trimEnd(): Expr<T, C> {
    return this.#with("trimEnd", []);
  }

  // dates and timestamps: parts are int64; a timestamp with a time zone is taken apart in its zone

  year(): Expr<bigint | NullIn<T>, C> {
    return this.#with("year", []);
  }

  quarter(): Expr<bigint | NullIn<T>, C> {
    return this.#with("quarter", []);
  }

  month(): Expr<bigint | NullIn<T>, C> {
    return this.#with("month", []);
  }

  day(): Expr<bigint | NullIn<T>, C> {
    return this.#with("day", []);
  }

  hour(): Expr<bigint | NullIn<T>, C> {
    return this.#with("hour", []);
  }

  minute(): Expr<bigint | NullIn<T>, C> {
    return this.#with("minute", []);
  }

  second(): Expr<bigint | NullIn<T>, C> {
    return this.#with("second", []);
  }

  /** ISO: Monday is 1, Sunday 7. */
  dayOfWeek(): Expr<bigint | NullIn<T>, C> {
    return this.#with("dayOfWeek", []);
  }

  dayOfYear(): Expr<bigint | NullIn<T>, C> {
    return this.#with("dayOfYear", []);
  }

  /** Down to the start of the unit; a week starts on Monday. */
  truncate(unit: DateUnit): Expr<T, C> {
    return this.#with("dateTruncate", [], unit);
  }

  /** Later by `count` units; months clamp to their last day. A date becomes a timestamp for units below a day. */
  dateAdd<O extends Operand>(count: O, unit: DateUnit): Expr<T, C | ColumnsOf<O>> {
    return this.#with("dateAdd", [count], unit);
  }

  /** Borders of the unit between this and `later`: `start.dateDiff(end, "day")`; negative when it is earlier. int64. */
  dateDiff<O extends Operand>(later: O, unit: DateUnit): Expr<bigint | NullIn<T>, C | ColumnsOf<O>> {
    return this.#with("dateDiff", [later], unit);
  }

  // structs

  field<F extends string>(name: F): Expr<Open, C, F> {
    return new Expr(expr.fieldOf(this.expression, name));
  }

  // aggregates: only in `aggregate`

  /** int64 of integers, decimal(38, s) of decimals, float64 of floats; null for no values. */
  sum(): Expr<SumOf<T>, C> {
    return this.#aggregate("sum");
  }

  avg(): Expr<number | null, C> {
    return this.#aggregate("avg");
  }

  min(): Expr<T | null, C> {
    return this.#aggregate("min");
  }

  max(): Expr<T | null, C> {
    return this.#aggregate("max");
  }

  /** Values that are not null. */
  count(): Expr<bigint, C> {
    return this.#aggregate("count");
  }

  /** Different values that are not null. */
  countDistinct(): Expr<bigint, C> {
    return this.#aggregate("countDistinct");
  }

  /** Of the first row in the order of the source; may be null. */
  first(): Expr<T | null, C> {
    return this.#aggregate("first");
  }

  last(): Expr<T | null, C> {
    return this.#aggregate("last");
  }

  /** Of a sample (n − 1); null for fewer than two values. */
  variance(): Expr<number | null, C> {
    return this.#aggregate("variance");
  }

  stddev(): Expr<number | null, C> {
    return this.#aggregate("stddev");
  }

  /** `share` 0 … 1, linear between neighbours: `quantile(0.5)` is the median. */
  quantile(share: number): Expr<number | null, C> {
    return new Expr(expr.aggregate("quantile", this.expression, share));
  }

  #with<R, D extends string>(
    fn: Parameters<typeof expr.call>[0],
    others: readonly Operand[],
    unit: DateUnit | null = null,
  ): Expr<R, D> {
    return new Expr(expr.call(fn, [this.expression, ...others.map(operand)], unit));
  }

  #aggregate<R>(fn: AggregateFunction): Expr<R, C> {
    return new Expr(expr.aggregate(fn, this.expression));
  }
}
