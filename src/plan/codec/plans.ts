import { PlanError } from "../error.ts";
import { type Expression, partsOf } from "../expression.ts";
import { type LogicalNode, type LogicalPlan, numberOperators, type UserFunction } from "../logical.ts";
import type { Plan } from "../node.ts";
import { boundPlan } from "./bound_shape.ts";
import { malformed } from "./bytes.ts";
import { decodeGraph } from "./graph_decoder.ts";
import { encodeGraph } from "./graph_encoder.ts";
import { logicalPlan } from "./logical_shape.ts";
import { check, type Shape } from "./shape.ts";

/** Parts of all expressions, each counted as often as it is referred to: they are bound and compiled one by one. */
const EXPRESSION_PARTS_MAX = 1_000_000;

/** In the place of a function that stayed behind. */
function absent(name: string): UserFunction {
  const fn = (): never => {
    throw new PlanError(
      "dataflow",
      `Function ${name === "" ? "" : `${name} `}of the job was called where there is only its plan. It is in the job's module: run its builder.`,
    );
  };
  return Object.defineProperty(fn, "name", { value: name });
}

/**
 * A dataflow as written, without its functions. Equal dataflows give equal bytes.
 * @throws {PlanError} encoding: more than 4 MiB, or something in it that is no plain data; dataflow: too many operators
 */
export function encodeLogicalPlan(plan: LogicalPlan): Uint8Array {
  numberOperators(plan);
  return encodeGraph(plan, { name: `dataflow "${plan.name}"`, functionKey: "fn" });
}

/**
 * The dataflow that `encodeLogicalPlan` was given; its functions throw when they are called.
 * @throws {PlanError} encoding for whatever is wrong with the bytes, dataflow for too many operators
 */
export function decodeLogicalPlan(bytes: Uint8Array): LogicalPlan {
  const value = decodeGraph(bytes, { functionKey: "fn", standIn: absent });
  check(logicalPlan, value);
  const plan = value as LogicalPlan; // as its shape says
  const operators = numberOperators(plan);
  if (partCount([...operators.keys()]) > EXPRESSION_PARTS_MAX) {
    throw malformed(`its expressions have more than ${EXPRESSION_PARTS_MAX} parts`);
  }
  return plan;
}

/** A bound plan. @throws {PlanError} encoding */
export function encodePlan(plan: Plan): Uint8Array {
  return encodeGraph(plan, { name: `plan "${plan.name}"` });
}

/** @throws {PlanError} encoding */
export function decodePlan(bytes: Uint8Array): Plan {
  const value = decodeGraph(bytes);
  check(boundPlan, value);
  return value as Plan; // as its shape says
}

export const boundPlanShape: Shape = boundPlan;

function expressionsOf(node: LogicalNode): readonly Expression[] {
  switch (node.kind) {
    case "select":
    case "withColumns":
      return node.columns.map((column) => column.expression);
    case "filter":
      return [node.predicate];
    case "aggregate":
      return [...node.keys, ...node.aggregates].map((column) => column.expression);
    case "join":
      return [...node.on.flatMap(({ left, right }) => [left, right]), ...(node.where === null ? [] : [node.where])];
    case "sort":
      return node.keys.map((key) => key.expression);
    default:
      return [];
  }
}

function partCount(nodes: readonly LogicalNode[]): number {
  const counts = new Map<Expression, number>();
  const countOf = (e: Expression): number => {
    const known = counts.get(e);
    if (known !== undefined) return known;
    const count = partsOf(e).reduce((sum, each) => sum + countOf(each), 1);
    counts.set(e, count);
    return count;
  };
  return nodes.flatMap(expressionsOf).reduce((sum, each) => sum + countOf(each), 0);
}
