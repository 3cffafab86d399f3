import { unreachable } from "../kernel/mod.ts";
import type { PlanNode } from "./node.ts";

/** What the node reads from, left before right. */
export function planInputs(node: PlanNode): readonly PlanNode[] {
  switch (node.kind) {
    case "scan":
      return [];
    case "join":
      return [node.left, node.right];
    case "union":
      return node.inputs;
    case "project":
    case "filter":
    case "aggregate":
    case "sort":
    case "limit":
    case "unnest":
    case "userFunction":
    case "sink":
      return [node.input];
    default:
      return unreachable(node);
  }
}

/** The node over other inputs with the same columns; itself when they are the same objects. */
export function withInputs(node: PlanNode, inputs: readonly PlanNode[]): PlanNode {
  const before = planInputs(node);
  if (inputs.length === before.length && inputs.every((n, i) => n === before[i])) return node;
  const [first, second] = inputs;
  if (node.kind === "scan" || first === undefined) return node;
  if (node.kind === "union") return Object.freeze({ ...node, inputs: Object.freeze([...inputs]) });
  if (node.kind === "join") return second === undefined ? node : Object.freeze({ ...node, left: first, right: second });
  return Object.freeze({ ...node, input: first });
}
