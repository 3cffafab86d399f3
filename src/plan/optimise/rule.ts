import type { PlanNode } from "../node.ts";
import type { Statistics } from "./estimate.ts";

export interface RuleContext {
  readonly statistics: Statistics;
  /** Used by more than one node: a rule must not change it for one of them. */
  isShared(node: PlanNode): boolean;
}

/** The node rewritten, or the same object. The inputs are done already; the output's columns must stay. */
export type Rule = (node: PlanNode, context: RuleContext) => PlanNode;
