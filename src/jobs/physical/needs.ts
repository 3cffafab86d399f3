import { isNested } from "../../arrow/mod.ts";
import { unreachable } from "../../kernel/mod.ts";
import { columnNames, type JoinKind, type JoinNode, type Plan, type PlanNode, planInputs } from "../../plan/mod.ts";

/** What the plan wants of its nodes, found from the roots down. */
export interface Needs {
  /** Nodes whose rows must be known in order: something above takes the first of them, or shows them as they come. */
  readonly ordered: ReadonlySet<PlanNode>;
  /** How many nodes and roots read each node. */
  readonly uses: ReadonlyMap<PlanNode, number>;
}

export function needsOf(plan: Plan): Needs {
  const uses = new Map<PlanNode, number>();
  const parentsFirst: PlanNode[] = [];
  const visit = (node: PlanNode): void => {
    const count = (uses.get(node) ?? 0) + 1;
    uses.set(node, count);
    if (count > 1) return;
    planInputs(node).forEach(visit);
    parentsFirst.push(node);
  };
  plan.roots.forEach(visit);
  parentsFirst.reverse();
  const ordered = new Set<PlanNode>(plan.roots);
  for (const node of parentsFirst) {
    planInputs(node).forEach((input, i) => {
      if (wantsOrder(node, i, ordered.has(node))) ordered.add(input);
    });
  }
  return { ordered, uses };
}

function wantsOrder(node: PlanNode, input: number, isOrdered: boolean): boolean {
  switch (node.kind) {
    case "scan":
      return false;
    case "sort":
    case "limit":
    case "sink":
      return true;
    case "aggregate":
      return takesFirst(node);
    case "join":
      return isOrdered && sideInOrder(node) === (input === 0 ? "left" : "right");
    case "project":
    case "filter":
    case "unnest":
    case "userFunction":
    case "union":
      return isOrdered;
    default:
      return unreachable(node);
  }
}

/** Whether an aggregation depends on the order of its rows. */
export function takesFirst(node: Extract<PlanNode, { kind: "aggregate" }>): boolean {
  return node.aggregates.some(({ fn }) => fn === "first" || fn === "last");
}

/** Kinds after whose probe rows of the build side follow. */
const RESTS: Readonly<Record<JoinNode["buildSide"], ReadonlySet<JoinKind>>> = {
  left: new Set(["left", "full", "semi", "anti"]),
  right: new Set(["right", "full"]),
};

/** Whether rows of the build side come behind those of the probe side: for having a match, or none. */
export function hasRest(how: JoinKind, buildSide: JoinNode["buildSide"]): boolean {
  return RESTS[buildSide].has(how);
}

/** The side whose order the result has; null where rows come as the hash table holds them. */
export function sideInOrder(node: JoinNode): JoinNode["buildSide"] | null {
  if (sideBuilt(node) === "right") return "left";
  return node.how === "semi" || node.how === "anti" ? null : "right";
}

/** The side that the engine makes a hash table of: the one the plan says, unless it would have to hold lists or structs. */
export function sideBuilt(node: JoinNode): JoinNode["buildSide"] {
  const other = node.buildSide === "left" ? "right" : "left";
  return holdsNested(node, node.buildSide) && !holdsNested(node, other) ? other : node.buildSide;
}

function holdsNested(node: JoinNode, side: JoinNode["buildSide"]): boolean {
  const gives = side === "left" || (node.how !== "semi" && node.how !== "anti") || hasRest(node.how, side);
  const residual = node.residual === null ? new Set<string>() : columnNames(node.residual);
  const carried = node[side].schema.fields.filter(({ name }) => gives || residual.has(name));
  return carried.some(({ type }) => isNested(type));
}
