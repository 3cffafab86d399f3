import { type AggregateFunction, type Expression, expr } from "../plan/mod.ts";
import { type AnyExpr, type ColumnsOf, Expr, type Operand, operand } from "./expr.ts";
import { resolve } from "./resolve.ts";
import type { Open, SumOf } from "./types.ts";

/** The column of that name. */
export function col<N extends string>(name: N): Expr<Open, N, N> {
  return new Expr(expr.column(name));
}

type LiteralCell<V> = V extends Date ? bigint : V;

/** A constant. A Date is an instant, timestamp[ms]. */
export function lit<V extends Exclude<Operand, AnyExpr>>(value: V): Expr<LiteralCell<V>, never> {
  return new Expr(expr.literal(value));
}

/** The first that is not null. Strings are texts, not names: `coalesce(col("a"), "none")`. */
export function coalesce<const O extends readonly Operand[]>(...operands: O): Expr<Open, ColumnsOf<O[number]>> {
  return new Expr(expr.call("coalesce", operands.map(operand)));
}

/** Texts one after the other; null when one is. Strings are texts, not names: `concat(col("a"), "-", col("b"))`. */
export function concat<const O extends readonly Operand[]>(...operands: O): Expr<string | null, ColumnsOf<O[number]>> {
  return new Expr(expr.call("concat", operands.map(operand)));
}

interface Branch {
  readonly when: Expression;
  readonly then: Expression;
}

/** A case without `otherwise`: null where no condition is true. Takes further branches. */
export class CaseExpr<C extends string> extends Expr<Open, C> {
  readonly #branches: readonly Branch[];

  constructor(branches: readonly Branch[]) {
    super(expr.caseOf(branches, null));
    this.#branches = branches;
  }

  when<O extends AnyExpr>(condition: O): When<C | ColumnsOf<O>> {
    return new When(this.#branches, condition.expression);
  }

  otherwise<O extends Operand>(value: O): Expr<Open, C | ColumnsOf<O>> {
    return new Expr(expr.caseOf(this.#branches, operand(value)));
  }
}

/** `when(condition)` waits for its `.then(value)`. */
export class When<C extends string> {
  readonly #branches: readonly Branch[];
  readonly #condition: Expression;

  constructor(branches: readonly Branch[], condition: Expression) {
    this.#branches = branches;
    this.#condition = condition;
  }

  // biome-ignore lint/suspicious/noThenProperty: the word that users of SQL expect; never awaited
  then<O extends Operand>(value: O): CaseExpr<C | ColumnsOf<O>> {
    return new CaseExpr([...this.#branches, { when: this.#condition, then: operand(value) }]);
  }
}

/** `when(col("a").gt(0)).then("up").when(…).then(…).otherwise("down")`. */
export function when<O extends AnyExpr>(condition: O): When<ColumnsOf<O>> {
  return new When([], condition.expression);
}

type ColumnsCallback = (columns: Open) => AnyExpr;

/** What an aggregate takes: a column's name, an expression, or a callback over the columns. */
export type AggregateInput = string | AnyExpr | ColumnsCallback;

type Mentioned<I> = I extends string ? I : I extends AnyExpr ? ColumnsOf<I> : never;

type Cell<I> = I extends Expr<infer T, string, string> ? T : Open;

/** An aggregate with a result type of its own. */
export interface FixedAggregate<T> {
  <const I extends string | AnyExpr>(input: I): Expr<T, Mentioned<I>>;
  (input: ColumnsCallback): Expr<T, never>;
}

/** An aggregate whose result has the type of its values. */
export interface ValueAggregate {
  <const I extends string | AnyExpr>(input: I): Expr<Cell<I> | null, Mentioned<I>>;
  (input: ColumnsCallback): Expr<Open, never>;
}

function aggregateOf<T, C extends string>(fn: AggregateFunction, input: AggregateInput): Expr<T, C> {
  return new Expr(expr.aggregate(fn, resolve(input, fn)));
}

/** One implementation for every overload: the result's type parameters are only seen by TypeScript. */
function aggregateFunction<F extends FixedAggregate<Open> | ValueAggregate>(fn: AggregateFunction): F {
  const build = (input: AggregateInput): Expr<Open, never> => aggregateOf(fn, input);
  return build as F; // see above
}

/** Without argument the rows, else the values that are not null. int64. */
export function count(): Expr<bigint, never>;
export function count<const I extends string | AnyExpr>(input: I): Expr<bigint, Mentioned<I>>;
export function count(input: ColumnsCallback): Expr<bigint, never>;
export function count(input?: AggregateInput): Expr<bigint, never> {
  return input === undefined ? new Expr(expr.aggregate("count", null)) : aggregateOf("count", input);
}

/** Different values that are not null. int64. */
export const countDistinct: FixedAggregate<bigint> = aggregateFunction("countDistinct");

/** int64 of integers (overflow is an error), decimal(38, s) of decimals, float64 of floats; null for no values. */
export function sum<const I extends string | AnyExpr>(input: I): Expr<SumOf<Cell<I>>, Mentioned<I>>;
export function sum(input: ColumnsCallback): Expr<Open, never>;
export function sum(input: AggregateInput): Expr<Open, never> {
  return aggregateOf("sum", input);
}

/** float64; null for no values. */
export const avg: FixedAggregate<number | null> = aggregateFunction("avg");

export const min: ValueAggregate = aggregateFunction("min");

export const max: ValueAggregate = aggregateFunction("max");

/** Of the first row in the order of the source; may be null. */
export const first: ValueAggregate = aggregateFunction("first");

export const last: ValueAggregate = aggregateFunction("last");

/** Of a sample (n − 1); null for fewer than two values. */
export const variance: FixedAggregate<number | null> = aggregateFunction("variance");

/** Square root of `variance`. */
export const stddev: FixedAggregate<number | null> = aggregateFunction("stddev");

/** `share` 0 … 1, linear between neighbours: `quantile("delay", 0.5)` is the median. float64. */
export function quantile<const I extends string | AnyExpr>(input: I, share: number): Expr<number | null, Mentioned<I>>;
export function quantile(input: ColumnsCallback, share: number): Expr<number | null, never>;
export function quantile(input: AggregateInput, share: number): Expr<number | null, never> {
  return new Expr(expr.aggregate("quantile", resolve(input, "quantile"), share));
}
