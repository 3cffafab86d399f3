import { estimateRows } from "./estimate.ts";
import type { Rule } from "./rule.ts";

/** The smaller side of a join goes into the hash table; the right one when sizes are not known. */
export const chooseBuildSide: Rule = (node, { statistics }) => {
  if (node.kind !== "join" || node.how === "cross" || node.keys.length === 0) return node;
  const [left, right] = [estimateRows(node.left, statistics), estimateRows(node.right, statistics)];
  const buildSide = left !== null && right !== null && left < right ? "left" : "right";
  return buildSide === node.buildSide ? node : Object.freeze({ ...node, buildSide });
};
