import type { DataType } from "../arrow/mod.ts";
import type { AggregateFunction } from "./node.ts";
import type { DateUnit, ScalarFunction } from "./typed.ts";

/** Expressions as the user wrote them: frozen data, not yet typed. `bind` turns them into `TypedExpression`s. */

/** JavaScript values that may stand in an expression. A Date is an instant, timestamp[ms]. */
export type LiteralInput = null | boolean | number | bigint | string | Uint8Array | Date;

export type JoinSide = "left" | "right";

export interface ColumnExpression {
  readonly kind: "column";
  readonly name: string;
  /** Set in conditions of joins written as `(left, right) => …`. */
  readonly side: JoinSide | null;
}

export interface LiteralExpression {
  readonly kind: "literal";
  readonly value: LiteralInput;
}

/** `between` is only written, never bound: it becomes two comparisons. */
export type CallName = ScalarFunction | "between";

export interface CallExpression {
  readonly kind: "call";
  readonly fn: CallName;
  readonly args: readonly Expression[];
  readonly unit: DateUnit | null;
}

export interface CastExpression {
  readonly kind: "cast";
  readonly operand: Expression;
  readonly type: DataType;
  readonly onError: "fail" | "null";
}

export interface CaseExpression {
  readonly kind: "case";
  readonly branches: readonly { readonly when: Expression; readonly then: Expression }[];
  readonly otherwise: Expression | null;
}

export interface InExpression {
  readonly kind: "in";
  readonly operand: Expression;
  readonly values: readonly Expression[];
}

export interface FieldExpression {
  readonly kind: "field";
  readonly operand: Expression;
  readonly name: string;
}

export interface AliasExpression {
  readonly kind: "alias";
  readonly operand: Expression;
  readonly name: string;
}

export interface AggregateExpression {
  readonly kind: "aggregate";
  readonly fn: AggregateFunction;
  readonly argument: Expression | null;
  /** For `quantile`: 0 … 1. */
  readonly quantile: number | null;
}

export type Expression =
  | ColumnExpression
  | LiteralExpression
  | CallExpression
  | CastExpression
  | CaseExpression
  | InExpression
  | FieldExpression
  | AliasExpression
  | AggregateExpression;

export function column(name: string, side: JoinSide | null = null): ColumnExpression {
  return Object.freeze({ kind: "column", name, side });
}

export function literal(value: LiteralInput): LiteralExpression {
  return Object.freeze({ kind: "literal", value });
}

export function call(fn: CallName, args: readonly Expression[], unit: DateUnit | null = null): CallExpression {
  return Object.freeze({ kind: "call", fn, args: Object.freeze([...args]), unit });
}

export function cast(operand: Expression, type: DataType, onError: "fail" | "null" = "fail"): CastExpression {
  return Object.freeze({ kind: "cast", operand, type, onError });
}

export function caseOf(branches: CaseExpression["branches"], otherwise: Expression | null): CaseExpression {
  return Object.freeze({
    kind: "case",
    branches: Object.freeze(branches.map((b) => Object.freeze({ ...b }))),
    otherwise,
  });
}

export function isIn(operand: Expression, values: readonly Expression[]): InExpression {
  return Object.freeze({ kind: "in", operand, values: Object.freeze([...values]) });
}

export function fieldOf(operand: Expression, name: string): FieldExpression {
  return Object.freeze({ kind: "field", operand, name });
}

export function alias(operand: Expression, name: string): AliasExpression {
  return Object.freeze({ kind: "alias", operand, name });
}

export function aggregate(
  fn: AggregateFunction,
  argument: Expression | null,
  quantile: number | null = null,
): AggregateExpression {
  return Object.freeze({ kind: "aggregate", fn, argument, quantile });
}

/** Direct parts of an expression. */
export function partsOf(e: Expression): readonly Expression[] {
  switch (e.kind) {
    case "column":
    case "literal":
      return [];
    case "call":
      return e.args;
    case "cast":
    case "field":
    case "alias":
      return [e.operand];
    case "case":
      return [...e.branches.flatMap((b) => [b.when, b.then]), ...(e.otherwise === null ? [] : [e.otherwise])];
    case "in":
      return [e.operand, ...e.values];
    case "aggregate":
      return e.argument === null ? [] : [e.argument];
  }
}

/** The same expression with every direct part replaced. */
export function mapParts(e: Expression, f: (part: Expression) => Expression): Expression {
  switch (e.kind) {
    case "column":
    case "literal":
      return e;
    case "call":
      return call(e.fn, e.args.map(f), e.unit);
    case "cast":
      return cast(f(e.operand), e.type, e.onError);
    case "field":
      return fieldOf(f(e.operand), e.name);
    case "alias":
      return alias(f(e.operand), e.name);
    case "case":
      return caseOf(
        e.branches.map((b) => ({ when: f(b.when), then: f(b.then) })),
        e.otherwise === null ? null : f(e.otherwise),
      );
    case "in":
      return isIn(f(e.operand), e.values.map(f));
    case "aggregate":
      return aggregate(e.fn, e.argument === null ? null : f(e.argument), e.quantile);
  }
}

export function containsAggregate(e: Expression): boolean {
  return e.kind === "aggregate" || partsOf(e).some(containsAggregate);
}
