import { invariant } from "../../kernel/mod.ts";
import type { Plan, PlanNode } from "../node.ts";
import { planInputs, withInputs } from "../node_inputs.ts";
import { chooseBuildSide } from "./build_side.ts";
import { dropDistinct } from "./drop_distinct.ts";
import { dropSort } from "./drop_sort.ts";
import { NO_STATISTICS, type Statistics } from "./estimate.ts";
import { mergeProjects } from "./merge_projects.ts";
import { pushFilter } from "./push_filter.ts";
import { splitResidual } from "./push_join.ts";
import { pushLimit } from "./push_limit.ts";
import { pushProjections } from "./push_projection.ts";
import type { Rule, RuleContext } from "./rule.ts";
import { tellScan } from "./scan_predicate.ts";
import { simplifyExpressions } from "./simplify.ts";
import { unshareScans } from "./unshare_scans.ts";

/** Passes over a plan until nothing changes; more only cost time, never correctness. */
const PASSES_MAX = 32;

const RULES: readonly Rule[] = [
  simplifyExpressions,
  splitResidual,
  pushFilter,
  mergeProjects,
  dropSort,
  dropDistinct,
  pushLimit,
];

function userCounts(plan: Plan): Map<PlanNode, number> {
  const counts = new Map<PlanNode, number>();
  const visit = (node: PlanNode): void => {
    const count = (counts.get(node) ?? 0) + 1;
    counts.set(node, count);
    if (count === 1) planInputs(node).forEach(visit);
  };
  plan.roots.forEach(visit);
  return counts;
}

/** One pass, inputs first; a node used twice is rewritten once. */
function pass(plan: Plan, rules: readonly Rule[], statistics: Statistics): Plan {
  const counts = userCounts(plan);
  const done = new Map<PlanNode, PlanNode>();
  const shared = new Set<PlanNode>();
  const context: RuleContext = { statistics, isShared: (node) => shared.has(node) };
  const rewrite = (node: PlanNode): PlanNode => {
    const known = done.get(node);
    if (known !== undefined) return known;
    const inputs = planInputs(node);
    const after = rules.reduce((n, rule) => rule(n, context), withInputs(node, inputs.map(rewrite)));
    const same = after.schema.fields.map((f) => f.name).join() === node.schema.fields.map((f) => f.name).join();
    invariant(same, `rules keep the columns of ${node.kind}`);
    if ((counts.get(node) ?? 0) > 1) shared.add(after);
    done.set(node, after);
    return after;
  };
  const roots = plan.roots.map(rewrite);
  if (roots.every((root, i) => root === plan.roots[i])) return plan;
  return Object.freeze({ ...plan, roots: Object.freeze(roots) });
}

function toFixpoint(plan: Plan, rules: readonly Rule[], statistics: Statistics): Plan {
  let current = plan;
  for (let i = 0; i < PASSES_MAX; i++) {
    const next = pass(current, rules, statistics);
    if (next === current) break;
    current = next;
  }
  return current;
}

/**
 * The plan in a form that runs faster and gives the same result: same rows, same columns, and no error that the written
 * plan would not have (one of a row or column that nobody needs may vanish).
 */
export function optimise(plan: Plan, statistics: Statistics = NO_STATISTICS): Plan {
  const rewritten = toFixpoint(unshareScans(plan), RULES, statistics);
  const narrow = toFixpoint(pushProjections(rewritten), [mergeProjects], statistics);
  return pass(narrow, [tellScan, chooseBuildSide], statistics);
}
