import type { AggregateNode, NamedExpression, PlanNode } from "../node.ts";
import type { Rule } from "./rule.ts";

/** A distinct over rows that are different already: those of an aggregation with all its keys. */
export const dropDistinct: Rule = (node) => {
  if (node.kind !== "aggregate" || node.aggregates.length > 0 || node.keys.length === 0) return node;
  const unique = uniqueColumns(node.input);
  if (unique === null) return node;
  const kept = new Set(node.keys.flatMap((k) => (k.expression.kind === "column" ? [k.expression.name] : [])));
  return [...unique].every((name) => kept.has(name)) ? asProjection(node) : node;
};

function asProjection(node: AggregateNode): PlanNode {
  return Object.freeze({ kind: "project", id: node.id, input: node.input, columns: node.keys, schema: node.schema });
}

/** Columns whose values together are different in every row; null when none are known. */
function uniqueColumns(node: PlanNode): ReadonlySet<string> | null {
  switch (node.kind) {
    case "aggregate":
      return new Set(node.keys.map((k) => k.name));
    case "filter":
    case "sort":
    case "limit":
      return uniqueColumns(node.input);
    case "project": {
      const below = uniqueColumns(node.input);
      return below === null ? null : renamed(below, node.columns);
    }
    default:
      return null;
  }
}

function renamed(names: ReadonlySet<string>, columns: readonly NamedExpression[]): ReadonlySet<string> | null {
  const result = new Set<string>();
  for (const name of names) {
    const found = columns.find((c) => c.expression.kind === "column" && c.expression.name === name);
    if (found === undefined) return null;
    result.add(found.name);
  }
  return result;
}
