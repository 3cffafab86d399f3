import { isFloat } from "../../arrow/mod.ts";
import { conjunction, conjunctsOf } from "../make.ts";
import type { FilterNode, JoinNode, PlanNode } from "../node.ts";
import { withInputs } from "../node_inputs.ts";
import type { TypedExpression } from "../typed.ts";
import { canFail } from "./can_fail.ts";
import { pushIntoJoin } from "./push_join.ts";
import { byName, EXPRESSION_SIZE_MAX, expressionSize, refersOnlyTo, schemaNames, substitute } from "./rewrite.ts";
import type { Rule } from "./rule.ts";

/**
 * Filters go down to where rows come from. Through what keeps rows as they are (project, sort, union) a filter moves as a
 * whole. Through what drops or joins rows only those conditions move that cannot fail: they would see rows that the
 * filter did not, or see them before a condition that guards them.
 */
export const pushFilter: Rule = (node, context) => {
  if (node.kind !== "filter" || context.isShared(node.input)) return node;
  const { input } = node;
  switch (input.kind) {
    case "filter":
      return mergeFilters(node, input);
    case "project": {
      const predicate = substitute(node.predicate, byName(input.columns));
      if (expressionSize(predicate) > Math.max(EXPRESSION_SIZE_MAX, expressionSize(node.predicate))) return node;
      return withInputs(input, [filterOver(node, input.input, predicate)]);
    }
    case "sort":
      return input.limit === null ? withInputs(input, [filterOver(node, input.input, node.predicate)]) : node;
    case "union":
      return withInputs(
        input,
        input.inputs.map((each) => filterOver(node, each, node.predicate)),
      );
    case "aggregate":
      return pushThroughAggregate(node, input);
    case "unnest": {
      const kept = new Set([...schemaNames(input)].filter((name) => name !== input.column));
      return pushSome(
        node,
        (part) => refersOnlyTo(part, kept),
        (predicate) => withInputs(input, [filterOver(node, input.input, predicate)]),
      );
    }
    case "join":
      return pushIntoJoin(node, input as JoinNode);
    default:
      return node;
  }
};

export function filterOver(filter: FilterNode, input: PlanNode, predicate: TypedExpression): FilterNode {
  return Object.freeze({ kind: "filter", id: filter.id, input, predicate, schema: input.schema });
}

/**
 * `and` evaluates its right side where the left is null, which two filters do not: so the upper one must not be able to
 * fail, or the lower never be null.
 */
function mergeFilters(upper: FilterNode, lower: FilterNode): PlanNode {
  if (lower.predicate.nullable && canFail(upper.predicate)) return upper;
  const predicate = conjunction([lower.predicate, upper.predicate]);
  return predicate === null ? upper : filterOver(lower, lower.input, predicate);
}

/** A condition on keys holds for a group as for its rows; not so for floats, as -0 and 0 are one key. */
function pushThroughAggregate(node: FilterNode, input: Extract<PlanNode, { kind: "aggregate" }>): PlanNode {
  if (input.keys.length === 0) return node;
  const keys = byName(input.keys);
  const names = new Set(input.keys.filter((k) => !isFloat(k.expression.type)).map((k) => k.name));
  return pushSome(
    node,
    (part) => refersOnlyTo(part, names),
    (predicate) => withInputs(input, [filterOver(node, input.input, substitute(predicate, keys))]),
  );
}

/** Moves the conditions that may move; the others stay above. */
function pushSome(
  node: FilterNode,
  movable: (part: TypedExpression) => boolean,
  below: (predicate: TypedExpression) => PlanNode,
): PlanNode {
  const parts = conjunctsOf(node.predicate);
  const moved = conjunction(parts.filter((part) => movable(part) && !canFail(part)));
  if (moved === null) return node;
  const rest = conjunction(parts.filter((part) => !movable(part) || canFail(part)));
  const pushed = below(moved);
  return rest === null ? pushed : filterOver(node, pushed, rest);
}
