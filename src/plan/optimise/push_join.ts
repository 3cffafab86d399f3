import { conjunction, conjunctsOf } from "../make.ts";
import type { FilterNode, JoinKind, JoinNode, PlanNode } from "../node.ts";
import type { TypedExpression } from "../typed.ts";
import { canFail } from "./can_fail.ts";
import { refersOnlyTo, schemaNames } from "./rewrite.ts";
import type { Rule } from "./rule.ts";

type Key = JoinNode["keys"][number];

/** Sides that a filter above may move to: those whose rows are not filled up with nulls. */
const FILTER_SIDES: Readonly<Record<JoinKind, { readonly left: boolean; readonly right: boolean }>> = {
  inner: { left: true, right: true },
  cross: { left: true, right: true },
  left: { left: true, right: false },
  right: { left: false, right: true },
  full: { left: false, right: false },
  semi: { left: true, right: false },
  anti: { left: true, right: false },
};

/** Sides that a part of the residual condition may move to: those whose rows vanish when they match nothing. */
const RESIDUAL_SIDES: Readonly<Record<JoinKind, { readonly left: boolean; readonly right: boolean }>> = {
  inner: { left: true, right: true },
  cross: { left: true, right: true },
  left: { left: false, right: true },
  right: { left: true, right: false },
  full: { left: false, right: false },
  semi: { left: true, right: true },
  anti: { left: false, right: true },
};

interface Split {
  readonly left: TypedExpression[];
  readonly right: TypedExpression[];
  readonly keys: Key[];
  readonly rest: TypedExpression[];
}

/** `left.a = right.b` as a key, whichever way it is written. */
function keyOf(part: TypedExpression, left: ReadonlySet<string>, right: ReadonlySet<string>): Key | null {
  if (part.kind !== "call" || part.fn !== "eq") return null;
  const [a, b] = part.args;
  if (a === undefined || b === undefined || a.kind === "literal" || b.kind === "literal") return null;
  if (refersOnlyTo(a, left) && refersOnlyTo(b, right)) return Object.freeze({ left: a, right: b });
  return refersOnlyTo(a, right) && refersOnlyTo(b, left) ? Object.freeze({ left: b, right: a }) : null;
}

function split(
  join: JoinNode,
  predicate: TypedExpression,
  sides: { left: boolean; right: boolean },
  keys: boolean,
): Split {
  const [left, right] = [schemaNames(join.left), schemaNames(join.right)];
  const result: Split = { left: [], right: [], keys: [], rest: [] };
  for (const part of conjunctsOf(predicate)) {
    const fails = canFail(part);
    const key = keys && !fails ? keyOf(part, left, right) : null;
    if (!fails && sides.left && refersOnlyTo(part, left)) result.left.push(part);
    else if (!fails && sides.right && refersOnlyTo(part, right)) result.right.push(part);
    else if (key !== null) result.keys.push(key);
    else result.rest.push(part);
  }
  return result;
}

function filtered(id: number, input: PlanNode, parts: readonly TypedExpression[]): PlanNode {
  const predicate = conjunction(parts);
  if (predicate === null) return input;
  return Object.freeze({ kind: "filter", id, input, predicate, schema: input.schema });
}

/** A filter over a join: conditions on one side go to that side, equalities of both become keys. */
export function pushIntoJoin(filter: FilterNode, join: JoinNode): PlanNode {
  const matching = join.how === "inner" || join.how === "cross";
  const parts = split(join, filter.predicate, FILTER_SIDES[join.how], matching);
  if (parts.left.length + parts.right.length + parts.keys.length === 0) return filter;
  const pushed: JoinNode = Object.freeze({
    ...join,
    how: join.how === "cross" && parts.keys.length > 0 ? "inner" : join.how,
    left: filtered(filter.id, join.left, parts.left),
    right: filtered(filter.id, join.right, parts.right),
    keys: Object.freeze([...join.keys, ...parts.keys]),
  });
  return filtered(filter.id, pushed, parts.rest);
}

/** The residual of a join: equalities become keys, conditions on a side that needs a match go to that side. */
export const splitResidual: Rule = (node) => {
  if (node.kind !== "join" || node.residual === null) return node;
  const parts = split(node, node.residual, RESIDUAL_SIDES[node.how], true);
  if (parts.left.length + parts.right.length + parts.keys.length === 0) return node;
  const keys = [...node.keys, ...parts.keys];
  const residual = conjunction(parts.rest);
  // outer, semi and anti joins must keep a condition to join by
  if (keys.length === 0 && residual === null && node.how !== "inner") return node;
  return Object.freeze({
    ...node,
    how: keys.length === 0 && residual === null ? "cross" : node.how,
    left: filtered(node.id, node.left, parts.left),
    right: filtered(node.id, node.right, parts.right),
    keys: Object.freeze(keys),
    residual,
  });
};
