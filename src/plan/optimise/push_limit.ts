import type { LimitNode, PlanNode, SortNode } from "../node.ts";
import { withInputs } from "../node_inputs.ts";
import type { Rule } from "./rule.ts";

/** A limit goes down to where rows come from, and makes a sort a top-k. */
export const pushLimit: Rule = (node, context) => {
  if (node.kind !== "limit" || context.isShared(node.input)) return node;
  const { input } = node;
  switch (input.kind) {
    case "limit":
      return mergeLimits(node, input);
    case "sort":
      return topOf(node, input);
    case "project":
      return withInputs(input, [limitOver(node, input.input)]);
    case "userFunction":
      return input.mode === "map" ? withInputs(input, [limitOver(node, input.input)]) : node;
    case "union":
      return limitInputs(node, input);
    case "scan": {
      const rowLimit = node.count + node.offset;
      if (!Number.isSafeInteger(rowLimit) || (input.rowLimit !== null && input.rowLimit <= rowLimit)) return node;
      // a predicate makes the source leave rows out: then its first rows are not the first that are wanted
      if (input.predicate !== null) return node;
      return withInputs(node, [Object.freeze({ ...input, rowLimit })]);
    }
    default:
      return node;
  }
};

function limitOver(limit: LimitNode, input: PlanNode): LimitNode {
  return Object.freeze({ ...limit, input, schema: input.schema });
}

function mergeLimits(outer: LimitNode, inner: LimitNode): LimitNode {
  const count = Math.max(0, Math.min(outer.count, inner.count - outer.offset));
  return Object.freeze({ ...outer, input: inner.input, count, offset: inner.offset + outer.offset });
}

function topOf(limit: LimitNode, sort: SortNode): SortNode {
  const count = sort.limit === null ? limit.count : Math.max(0, Math.min(limit.count, sort.limit - limit.offset));
  return Object.freeze({ ...sort, limit: count, offset: sort.offset + limit.offset });
}

/** Every input needs to give at most the rows that are wanted in all. */
function limitInputs(node: LimitNode, union: Extract<PlanNode, { kind: "union" }>): PlanNode {
  const count = node.count + node.offset;
  if (!Number.isSafeInteger(count) || union.inputs.every((i) => isLimited(i, count))) return node;
  const inputs = union.inputs.map((input): PlanNode => {
    if (isLimited(input, count)) return input;
    return Object.freeze({ kind: "limit", id: node.id, input, count, offset: 0, schema: input.schema });
  });
  return withInputs(node, [withInputs(union, inputs)]);
}

/** Gives at most `count` rows already: the mark of a limit pushed before, wherever it has gone since. */
function isLimited(node: PlanNode, count: number): boolean {
  switch (node.kind) {
    case "limit":
      return node.count <= count;
    case "sort":
      return node.limit !== null && node.limit <= count;
    case "project":
      return isLimited(node.input, count);
    case "userFunction":
      return node.mode === "map" && isLimited(node.input, count);
    case "union":
      return node.inputs.every((i) => isLimited(i, count));
    default:
      return false;
  }
}
