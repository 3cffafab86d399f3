import { type Expression, expr, type JoinSide, type NamedLogicalExpression, PlanError } from "../plan/mod.ts";
import { type AnyExpr, Expr } from "./expr.ts";
import type { CellAt, ColumnName, IsOpen, Open } from "./types.ts";

/** The columns of a row as expressions: the argument of callbacks, `c => c.distance.gt(500)`. */
export type Columns<R> = IsOpen<R> extends true ? Open : { readonly [K in keyof R & string]-?: Expr<R[K], K, K> };

/** An expression where an operator takes one: a column's name, `col("a")…`, or a callback over the columns. */
export type ExpressionInput<R> = ColumnName<R> | Expr<Open, ColumnName<R>, string> | ((columns: Columns<R>) => AnyExpr);

/** JavaScript type of the cells that an input gives. */
export type CellOfInput<I, R> = I extends string
  ? CellAt<R, I>
  : I extends Expr<infer T, infer C, string>
    ? IsOpen<T> extends true
      ? OpenExpressionCell<I, R, C>
      : T
    : I extends (columns: never) => Expr<infer T, string, string>
      ? T
      : Open;

/** `col("a")` has the type that the row gives to the column. */
type OpenExpressionCell<I, R, C extends string> =
  I extends Expr<Open, C, infer N> ? (N extends C ? CellAt<R, N> : Open) : Open;

/** Name that an input gives its column; `string` when only the text of the expression tells. */
export type NameOfInput<I> = I extends string
  ? I
  : I extends Expr<Open, string, infer N>
    ? N
    : I extends (columns: never) => Expr<Open, string, infer N>
      ? N
      : string;

/** Any name is a column here: whether it exists is checked when the dataflow is planned. */
export function columnsProxy(side: JoinSide | null = null): Open {
  return new Proxy(Object.freeze({}), {
    get: (_, name) => (typeof name === "string" ? new Expr(expr.column(name, side)) : undefined),
  });
}

type AnyInput = string | AnyExpr | ((columns: Open) => unknown);

function describe(value: unknown): string {
  return typeof value === "object" && value !== null
    ? `a value of ${value.constructor?.name ?? "no class"}`
    : `${String(value)}`;
}

/** Throws `PlanError` when it is neither name, expression nor a callback that gives one. */
export function resolve(input: AnyInput, place: string): Expression {
  if (typeof input === "string") return expr.column(input);
  const value = typeof input === "function" ? input(columnsProxy()) : input;
  if (value instanceof Expr) return value.expression;
  const what = typeof input === "function" ? `its callback returned ${describe(value)}` : `it got ${describe(value)}`;
  throw new PlanError(
    "argument",
    `${place} needs a column name, an expression or a callback that returns one, but ${what}.`,
  );
}

/** Names and expressions of `select("a", col("b").alias("c"))` or `select({ c: "b" })`. */
export function resolveColumns(inputs: readonly unknown[], place: string): NamedLogicalExpression[] {
  return inputs.flat().flatMap((input): NamedLogicalExpression[] => {
    if (input !== null && typeof input === "object" && !(input instanceof Expr)) return resolveNamed(input, place);
    return [{ name: null, expression: resolve(input as AnyInput, place) }];
  });
}

/** `{ total: sum("a") }`. */
export function resolveNamed(columns: object, place: string): NamedLogicalExpression[] {
  return Object.entries(columns).map(([name, input]) => ({ name, expression: resolve(input as AnyInput, place) }));
}
