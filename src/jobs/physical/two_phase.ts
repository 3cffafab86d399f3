/**
 * Aggregations as two: one in each task over its rows, one over what these gave. Exact wherever the whole is: integers
 * are summed as decimals in between, so that a part may leave the range that the whole stays in. Variance and the like
 * would lose digits, distinct values and quantiles need the values themselves: these are not split.
 */
import {
  bool,
  type DataType,
  decimal,
  field,
  float64,
  int64,
  isFloat,
  isInteger,
  type Schema,
  schema,
} from "../../arrow/mod.ts";
import { invariant } from "../../kernel/mod.ts";
import {
  type AggregateCall,
  type AggregateFunction,
  type AggregateNode,
  aggregateType,
  type NamedExpression,
  type PlanNode,
  type TypedExpression,
} from "../../plan/mod.ts";
import type { Builder } from "./builder.ts";
import { columnNamed, columnOf, project } from "./columns.ts";

/** Sums of decimals with more digits could overflow in a part where the whole does not. */
const SPLIT_PRECISION_MAX = 28;
/** Holds the sum of any number of 64-bit integers. */
const WIDE = decimal(38, 0);

export interface TwoPhases {
  readonly partial: readonly AggregateCall[];
  readonly final: readonly AggregateCall[];
  /** Counts the rows of a task, so that one without rows gives no first and no last; null where none is asked for. */
  readonly rowCount: string | null;
  /** The wanted columns, from those of the final phase. */
  readonly results: (merged: Schema) => readonly NamedExpression[];
}

export function canSplit({ aggregates }: AggregateNode): boolean {
  return aggregates.every(({ fn, argument }) => {
    switch (fn) {
      case "sum":
      case "avg":
        return argument?.type.kind !== "decimal" || argument.type.precision <= SPLIT_PRECISION_MAX;
      case "count":
      case "min":
      case "max":
      case "first":
      case "last":
        return true;
      default:
        return false;
    }
  });
}

interface Part {
  readonly partial: readonly AggregateCall[];
  readonly final: readonly AggregateCall[];
  readonly result: (merged: Schema) => TypedExpression;
}

export function twoPhases(builder: Builder, node: AggregateNode): TwoPhases {
  const parts = node.aggregates.map((call) => partsOf(builder, call));
  const takesFirst = node.aggregates.some(({ fn }) => fn === "first" || fn === "last");
  const rowCount = node.keys.length === 0 && takesFirst ? builder.fresh("part") : null;
  const counts: AggregateCall[] = rowCount === null ? [] : [{ name: rowCount, fn: "count", argument: null }];
  return {
    partial: [...parts.flatMap(({ partial }) => partial), ...counts],
    final: parts.flatMap(({ final }) => final),
    rowCount,
    results: (merged) => parts.map(({ result }, i) => ({ name: callAt(node, i).name, expression: result(merged) })),
  };
}

function callAt({ aggregates }: AggregateNode, i: number): AggregateCall {
  const call = aggregates[i];
  invariant(call !== undefined, "a part for each call");
  return call;
}

function partsOf(builder: Builder, call: AggregateCall): Part {
  const { fn, argument } = call;
  switch (fn) {
    case "count":
      return countParts(builder, call);
    case "sum":
      return sumParts(builder, call);
    case "avg":
      return averageParts(builder, call);
    default: {
      const name = builder.fresh("part");
      return { ...same(fn, name, argument), result: (merged) => columnNamed(merged, name) };
    }
  }
}

/** The function over the values that it gave itself. */
function same(fn: AggregateFunction, name: string, argument: TypedExpression | null): Omit<Part, "result"> {
  const partial: AggregateCall = { name, fn, argument };
  return { partial: [partial], final: [{ name, fn, argument: partColumn(partial) }] };
}

/** A column that a partial phase gives. */
function partColumn({ name, fn, argument }: AggregateCall): TypedExpression {
  const type = aggregateType(fn, argument?.type ?? null);
  invariant(type !== null, `${fn} takes its argument`);
  return columnOf(field(name, type, fn !== "count"));
}

function countParts(builder: Builder, call: AggregateCall): Part {
  const name = builder.fresh("part");
  const partial: AggregateCall = { name, fn: "count", argument: call.argument };
  return {
    partial: [partial],
    final: [{ name, fn: "sum", argument: partColumn(partial) }],
    result: (merged) => orZero(columnNamed(merged, name)),
  };
}

function orZero(column: TypedExpression): TypedExpression {
  const zero: TypedExpression = { kind: "literal", type: int64, nullable: false, value: 0n };
  return { kind: "call", fn: "coalesce", args: [column, zero], type: int64, nullable: false };
}

function sumParts(builder: Builder, { argument }: AggregateCall): Part {
  invariant(argument !== null, "a sum has an argument");
  const name = builder.fresh("part");
  const type = aggregateType("sum", argument.type);
  invariant(type !== null, "a sum takes its argument");
  const isWide = argument.type.kind === "int64" || argument.type.kind === "uint64";
  const parts = same("sum", name, isWide ? cast(argument, WIDE) : argument);
  return { ...parts, result: (merged) => (isWide ? cast(columnNamed(merged, name), type) : columnNamed(merged, name)) };
}

function averageParts(builder: Builder, { argument }: AggregateCall): Part {
  invariant(argument !== null, "an average has an argument");
  const isWide = isInteger(argument.type) && argument.type.kind.endsWith("64");
  const sum = same("sum", builder.fresh("part"), isWide ? cast(argument, WIDE) : argument);
  const count = countParts(builder, { name: "", fn: "count", argument });
  const sumName = sum.final[0]?.name ?? "";
  return {
    partial: [...sum.partial, ...count.partial],
    final: [...sum.final, ...count.final],
    result: (merged) => {
      const total = columnNamed(merged, sumName);
      const args = [isFloat(total.type) ? total : cast(total, float64), cast(count.result(merged), float64)];
      return { kind: "call", fn: "divide", args, type: float64, nullable: total.nullable };
    },
  };
}

function cast(operand: TypedExpression, type: DataType): TypedExpression {
  return Object.freeze({ kind: "cast", operand, type, onError: "fail", nullable: operand.nullable });
}

export function partialOf(phases: TwoPhases, node: AggregateNode, input: PlanNode): PlanNode {
  const partial = aggregateOf(node, { input, keys: node.keys, aggregates: phases.partial });
  if (phases.rowCount === null) return partial;
  const zero: TypedExpression = { kind: "literal", type: int64, nullable: false, value: 0n };
  const args = [columnNamed(partial.schema, phases.rowCount), zero];
  const predicate: TypedExpression = { kind: "call", fn: "gt", args, type: bool, nullable: false };
  return Object.freeze({ kind: "filter", id: node.id, input: partial, predicate, schema: partial.schema });
}

export function finalOf(phases: TwoPhases, node: AggregateNode, input: PlanNode): PlanNode {
  const keys = node.keys.map(({ name }) => ({ name, expression: columnNamed(input.schema, name) }));
  const merged = aggregateOf(node, { input, keys, aggregates: phases.final });
  const kept = keys.map(({ name }) => ({ name, expression: columnNamed(merged.schema, name) }));
  return project(merged, [...kept, ...phases.results(merged.schema)], node.schema.fields);
}

function aggregateOf(
  node: AggregateNode,
  of: {
    readonly input: PlanNode;
    readonly keys: readonly NamedExpression[];
    readonly aggregates: readonly AggregateCall[];
  },
): AggregateNode {
  const { input, keys, aggregates } = of;
  const fields = [
    ...keys.map(({ name, expression }) => field(name, expression.type, expression.nullable)),
    ...aggregates.map(({ name, fn, argument }) => {
      const type = aggregateType(fn, argument?.type ?? null);
      invariant(type !== null, `${fn} takes its argument`);
      return field(name, type, fn !== "count" && (node.keys.length === 0 || (argument?.nullable ?? false)));
    }),
  ];
  return Object.freeze({ kind: "aggregate", id: node.id, input, keys, aggregates, schema: schema(fields) });
}
