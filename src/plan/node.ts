import type { Schema } from "../arrow/mod.ts";
import type { TypedExpression } from "./typed.ts";

/**
 * Bound logical plan: frozen data, each node with its output schema. Columns are referred to by name; names are
 * unique within a schema. `id` is the operator's id: stable through rewrites, so that errors, metrics and memory are
 * reported against what the user wrote. Ids of one plan lie in 1 … 1023.
 */
export type OperatorId = number;

/** A source or sink as data: the connector's name and its own options (plain, structured-cloneable). */
export interface ConnectorSpec {
  readonly connector: string;
  readonly options: Readonly<Record<string, unknown>>;
}

interface NodeBase {
  readonly id: OperatorId;
  readonly schema: Schema;
}

export interface ScanNode extends NodeBase {
  readonly kind: "scan";
  readonly source: ConnectorSpec;
  /**
   * What the rows must satisfy anyway: a filter above still checks. The connector may skip splits, pages or lines by it.
   */
  readonly predicate: TypedExpression | null;
  /** At most so many rows are needed (limit pushdown); null when all. */
  readonly rowLimit: number | null;
}

export interface NamedExpression {
  readonly name: string;
  readonly expression: TypedExpression;
}

/** select, withColumns, drop, rename. */
export interface ProjectNode extends NodeBase {
  readonly kind: "project";
  readonly input: PlanNode;
  readonly columns: readonly NamedExpression[];
}

export interface FilterNode extends NodeBase {
  readonly kind: "filter";
  readonly input: PlanNode;
  readonly predicate: TypedExpression;
}

export type AggregateFunction =
  /** int → int64 (error past it), uint → uint64, decimal → decimal(38, s), float → float64; null for no rows. */
  | "sum"
  /** float64 */
  | "avg"
  | "min"
  | "max"
  /** Rows when `argument` is null, else non-null values; int64, 0 for no rows. */
  | "count"
  | "countDistinct"
  /** By input order (source order); nulls count as values. */
  | "first"
  | "last"
  /** Sample variance, n − 1; null for fewer than two values. */
  | "variance"
  | "stddev"
  /** Continuous quantile with linear interpolation, float64. */
  | "quantile";

export interface AggregateCall {
  readonly name: string;
  readonly fn: AggregateFunction;
  readonly argument: TypedExpression | null;
  /** For `quantile`: 0 … 1. */
  readonly quantile?: number;
}

/** Output: keys, then aggregates. No keys: exactly one row. `distinct` is an aggregate without calls. */
export interface AggregateNode extends NodeBase {
  readonly kind: "aggregate";
  readonly input: PlanNode;
  readonly keys: readonly NamedExpression[];
  readonly aggregates: readonly AggregateCall[];
}

export type JoinKind = "inner" | "left" | "right" | "full" | "semi" | "anti" | "cross";

/**
 * Output: columns of left, then of right (semi, anti: left only). Names of both sides are disjoint (the binder renames
 * first and projects afterwards). Keys are equal and not null; `residual` sees both sides and is part of the match.
 */
export interface JoinNode extends NodeBase {
  readonly kind: "join";
  readonly how: JoinKind;
  readonly left: PlanNode;
  readonly right: PlanNode;
  readonly keys: readonly { readonly left: TypedExpression; readonly right: TypedExpression }[];
  readonly residual: TypedExpression | null;
  /** The side whose rows go into the hash table. */
  readonly buildSide: "left" | "right";
}

export interface SortKey {
  readonly expression: TypedExpression;
  readonly descending: boolean;
  readonly nullsFirst: boolean;
}

/** Stable. With `limit` it is a top-k: rows `offset` … `offset + limit`. */
export interface SortNode extends NodeBase {
  readonly kind: "sort";
  readonly input: PlanNode;
  readonly keys: readonly SortKey[];
  readonly limit: number | null;
  readonly offset: number;
}

/** The first rows in input order. */
export interface LimitNode extends NodeBase {
  readonly kind: "limit";
  readonly input: PlanNode;
  readonly count: number;
  readonly offset: number;
}

/** All rows of all inputs, in their order; schemas are equal. */
export interface UnionNode extends NodeBase {
  readonly kind: "union";
  readonly inputs: readonly PlanNode[];
}

/** One row per item of the list column, which becomes the item; `outer` keeps rows of empty and null lists. */
export interface UnnestNode extends NodeBase {
  readonly kind: "unnest";
  readonly input: PlanNode;
  readonly column: string;
  readonly outer: boolean;
}

/** A user's function, found again in any thread by (operator id, argument) after running the builder there. */
export interface UserFunctionNode extends NodeBase {
  readonly kind: "userFunction";
  readonly input: PlanNode;
  readonly mode: "map" | "flatMap" | "filter" | "mapBatches";
}

/** Where rows leave the dataflow. */
export interface SinkNode extends NodeBase {
  readonly kind: "sink";
  readonly input: PlanNode;
  readonly sink: ConnectorSpec;
}

export type PlanNode =
  | ScanNode
  | ProjectNode
  | FilterNode
  | AggregateNode
  | JoinNode
  | SortNode
  | LimitNode
  | UnionNode
  | UnnestNode
  | UserFunctionNode
  | SinkNode;

/** An operator as the user wrote it, for messages and metrics: `{ id: 2, name: "filter", text: "filter(a > 1)" }`. */
export interface OperatorInfo {
  readonly id: OperatorId;
  readonly name: string;
  readonly text: string;
}

/**
 * A whole dataflow: one root a sink (or result). Nodes used twice are the same object. One operator may have become
 * several nodes (a join: projections around it), which all have its id.
 */
export interface Plan {
  readonly name: string;
  readonly roots: readonly PlanNode[];
  /** By id: `operators[id - 1]`. Absent in plans made by hand. */
  readonly operators?: readonly OperatorInfo[];
}
