import type { Plan, PlanNode } from "../node.ts";
import { planInputs, withInputs } from "../node_inputs.ts";

/**
 * A source that is used twice is read twice: what several nodes use is kept whole in memory when it runs, which a big
 * file must not be, and each reading has its own columns, predicate and limit. Other shared nodes stay shared: their
 * work is done once.
 */
export function unshareScans(plan: Plan): Plan {
  const done = new Map<PlanNode, PlanNode>();
  const taken = new Set<PlanNode>();
  const rewrite = (node: PlanNode): PlanNode => {
    if (node.kind === "scan") {
      if (taken.has(node)) return Object.freeze({ ...node });
      taken.add(node);
      return node;
    }
    const known = done.get(node);
    if (known !== undefined) return known;
    const after = withInputs(node, planInputs(node).map(rewrite));
    done.set(node, after);
    return after;
  };
  const roots = plan.roots.map(rewrite);
  return Object.freeze({ ...plan, roots: Object.freeze(roots) });
}
