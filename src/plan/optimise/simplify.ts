import { unreachable } from "../../kernel/mod.ts";
import type { AggregateCall, NamedExpression, PlanNode } from "../node.ts";
import type { TypedExpression } from "../typed.ts";
import { fold } from "./fold.ts";

/** Folds the expressions of every node; a filter that is always true goes, one that never is takes no rows. */
export function simplifyExpressions(node: PlanNode): PlanNode {
  switch (node.kind) {
    case "project": {
      const columns = folded(node.columns);
      return columns === node.columns ? node : Object.freeze({ ...node, columns });
    }
    case "filter":
      return simplifyFilter(node);
    case "aggregate": {
      const keys = folded(node.keys);
      const aggregates = foldedCalls(node.aggregates);
      return keys === node.keys && aggregates === node.aggregates ? node : Object.freeze({ ...node, keys, aggregates });
    }
    case "join": {
      const residual = node.residual === null ? null : fold(node.residual);
      if (residual?.kind === "literal" && residual.value === true && (node.keys.length > 0 || node.how === "cross")) {
        return Object.freeze({ ...node, residual: null });
      }
      return residual === node.residual ? node : Object.freeze({ ...node, residual });
    }
    case "sort": {
      const expressions = node.keys.map((k) => fold(k.expression));
      if (expressions.every((e, i) => e === node.keys[i]?.expression)) return node;
      const keys = node.keys.map((k, i) => Object.freeze({ ...k, expression: expressions[i] as TypedExpression }));
      return Object.freeze({ ...node, keys: Object.freeze(keys) });
    }
    case "scan":
    case "limit":
    case "union":
    case "unnest":
    case "userFunction":
    case "sink":
      return node;
    default:
      return unreachable(node);
  }
}

function simplifyFilter(node: Extract<PlanNode, { kind: "filter" }>): PlanNode {
  const predicate = fold(node.predicate);
  if (predicate.kind === "literal") {
    if (predicate.value === true) return node.input;
    return Object.freeze({ kind: "limit", id: node.id, input: node.input, count: 0, offset: 0, schema: node.schema });
  }
  return predicate === node.predicate ? node : Object.freeze({ ...node, predicate });
}

function folded(columns: readonly NamedExpression[]): readonly NamedExpression[] {
  const expressions = columns.map((c) => fold(c.expression));
  if (expressions.every((e, i) => e === columns[i]?.expression)) return columns;
  return Object.freeze(
    columns.map((c, i) => Object.freeze({ name: c.name, expression: expressions[i] as TypedExpression })),
  );
}

function foldedCalls(calls: readonly AggregateCall[]): readonly AggregateCall[] {
  const args = calls.map((c) => (c.argument === null ? null : fold(c.argument)));
  if (args.every((a, i) => a === calls[i]?.argument)) return calls;
  return Object.freeze(calls.map((c, i) => Object.freeze({ ...c, argument: args[i] ?? null })));
}
