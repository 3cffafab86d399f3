import { conjunction } from "../make.ts";
import type { PlanNode } from "../node.ts";
import { withInputs } from "../node_inputs.ts";
import type { TypedExpression } from "../typed.ts";
import type { Rule } from "./rule.ts";

/** Tells a source what the filters straight above it want, so that it may leave out files, pages and lines. */
export const tellScan: Rule = (node, context) => {
  if (node.kind !== "filter") return node;
  const predicates: TypedExpression[] = [];
  let scan: PlanNode = node;
  while (scan.kind === "filter") {
    predicates.unshift(scan.predicate);
    scan = scan.input;
    if (context.isShared(scan)) return node;
  }
  if (scan.kind !== "scan" || scan.rowLimit !== null) return node;
  const predicate = conjunction(predicates);
  if (samePredicate(scan.predicate, predicate)) return node;
  return over(node, Object.freeze({ ...scan, predicate }));
};

function over(node: PlanNode, scan: PlanNode): PlanNode {
  return node.kind === "filter" ? withInputs(node, [over(node.input, scan)]) : scan;
}

function samePredicate(a: TypedExpression | null, b: TypedExpression | null): boolean {
  if (a === b || a === null || b === null) return a === b;
  if (a.kind !== "call" || b.kind !== "call" || a.fn !== "and" || b.fn !== "and") return false;
  return a.args.length === b.args.length && a.args.every((arg, i) => samePredicate(arg, b.args[i] ?? null));
}
