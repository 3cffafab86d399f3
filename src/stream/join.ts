import {
  type Expression,
  expr,
  type JoinKind,
  type LogicalJoin,
  type LogicalJoinKey,
  type LogicalNode,
  PlanError,
} from "../plan/mod.ts";
import { type AnyExpr, Expr } from "./expr.ts";
import { type Columns, columnsProxy, type ExpressionInput, resolve } from "./resolve.ts";
import type { ColumnName, Flat, IsOpen, Open } from "./types.ts";

/**
 * Which rows belong together: `"key"` or `["a", "b"]` (the same name on both sides, kept once), `{ left: "right" }`, or
 * pairs of expressions `[[l => l.a.lower(), "b"]]`.
 */
export type JoinOn<R, S> =
  | (ColumnName<R> & ColumnName<S>)
  | readonly (ColumnName<R> & ColumnName<S>)[]
  | { readonly [L in ColumnName<R>]?: ColumnName<S> }
  | readonly (readonly [ExpressionInput<R>, ExpressionInput<S>])[];

export interface JoinOptions<R = Open, S = Open> {
  readonly on?: JoinOn<R, S>;
  /** Default "inner". */
  readonly how?: JoinKind;
  /** A further condition for a match: `(left, right) => left.time.lt(right.end)`. */
  readonly where?: AnyExpr | ((left: Columns<R>, right: Columns<S>) => AnyExpr);
  /** Put behind names of the right side that the left has too; default "_right". */
  readonly suffix?: string;
}

type How<O> = O extends { readonly how: infer H extends JoinKind } ? H : "inner";
type Suffix<O> = O extends { readonly suffix: infer X extends string } ? X : "_right";
type MergedNames<On> = On extends string
  ? On
  : On extends readonly string[]
    ? On[number]
    : On extends readonly unknown[]
      ? never
      : { [L in keyof On]: On[L] extends L ? L : never }[keyof On];
type Merged<O> = O extends { readonly on: infer On } ? MergedNames<On> : never;

type RightName<P, R, O> = P extends Merged<O> ? never : P extends keyof R ? `${P & string}${Suffix<O>}` : P;
type LeftNull<O> = How<O> extends "right" | "full" ? null : never;
type RightNull<O> = How<O> extends "left" | "full" ? null : never;

/** Row of a join. */
export type JoinedRow<R, S, O> =
  IsOpen<R> extends true
    ? Open
    : How<O> extends "semi" | "anti"
      ? R
      : IsOpen<S> extends true
        ? Open
        : Flat<
            {
              [P in keyof R]: P extends Merged<O> & keyof S
                ? R[P] | (LeftNull<O> extends never ? never : S[P])
                : R[P] | LeftNull<O>;
            } & {
              [P in keyof S as RightName<P, R, O>]: S[P] | RightNull<O>;
            }
          >;

function sameName(name: string): LogicalJoinKey {
  return { left: expr.column(name), right: expr.column(name), merged: name };
}

function isPair(value: unknown): value is readonly [ExpressionInput<Open>, ExpressionInput<Open>] {
  return Array.isArray(value) && value.length === 2;
}

function keysOf(on: unknown): LogicalJoinKey[] {
  if (on === undefined) return [];
  if (typeof on === "string") return [sameName(on)];
  if (Array.isArray(on)) {
    return on.map((key: unknown) => {
      if (typeof key === "string") return sameName(key);
      if (!isPair(key))
        throw new PlanError("argument", "join: keys are names, or pairs of a left and a right expression.");
      return { left: resolve(key[0], "join"), right: resolve(key[1], "join"), merged: null };
    });
  }
  if (typeof on !== "object" || on === null) {
    throw new PlanError("argument", `join: "on" must be names, { left: "right" } or pairs, not ${typeof on}.`);
  }
  return Object.entries(on as Record<string, string>).map(([left, right]) =>
    left === right ? sameName(left) : { left: expr.column(left), right: resolve(right, "join"), merged: null },
  );
}

function whereOf(where: JoinOptions["where"]): Expression | null {
  if (where === undefined) return null;
  const value = typeof where === "function" ? where(columnsProxy("left"), columnsProxy("right")) : where;
  if (value instanceof Expr) return value.expression;
  throw new PlanError("argument", 'join: "where" must be a condition or (left, right) => condition.');
}

const KINDS: readonly JoinKind[] = ["inner", "left", "right", "full", "semi", "anti", "cross"];

export function joinNode(left: LogicalNode, right: LogicalNode, options: JoinOptions): LogicalJoin {
  const { how = "inner", suffix = "_right" } = options;
  if (!KINDS.includes(how)) {
    throw new PlanError("argument", `join: "${String(how)}" is no kind of join. Kinds: ${KINDS.join(", ")}.`);
  }
  const on = Object.freeze(keysOf(options.on));
  return Object.freeze({ kind: "join", left, right, how, on, where: whereOf(options.where), suffix });
}
