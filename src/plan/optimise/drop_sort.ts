import type { PlanNode } from "../node.ts";
import { withInputs } from "../node_inputs.ts";
import type { Rule } from "./rule.ts";

/** Order that nobody sees: below an aggregation without first and last, rows need not be sorted. */
export const dropSort: Rule = (node) => {
  if (node.kind !== "aggregate") return node;
  if (node.aggregates.some((a) => a.fn === "first" || a.fn === "last")) return node;
  const input = withoutSort(node.input);
  return withInputs(node, [input]);
};

function withoutSort(node: PlanNode): PlanNode {
  if (node.kind === "sort" && node.limit === null) return withoutSort(node.input);
  if (node.kind === "project" || node.kind === "filter") return withInputs(node, [withoutSort(node.input)]);
  return node;
}
