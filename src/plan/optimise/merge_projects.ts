import { typeEquals } from "../../arrow/mod.ts";
import type { NamedExpression, ProjectNode } from "../node.ts";
import type { TypedExpression } from "../typed.ts";
import { byName, substitute, typedParts } from "./rewrite.ts";
import type { Rule } from "./rule.ts";

/** A projection over a projection becomes one, unless a computed column would then be computed more than once. */
export const mergeProjects: Rule = (node, context) => {
  if (node.kind !== "project") return node;
  if (isIdentity(node)) return node.input;
  const { input } = node;
  if (input.kind !== "project" || context.isShared(input)) return node;
  const inner = byName(input.columns);
  const uses = new Map<string, number>();
  for (const { expression } of node.columns) countUses(expression, uses);
  const computedTwice = [...uses].some(([name, count]) => count > 1 && isComputed(inner.get(name)));
  if (computedTwice) return node;
  const columns = node.columns.map(
    (c): NamedExpression => Object.freeze({ name: c.name, expression: substitute(c.expression, inner) }),
  );
  return Object.freeze({ ...node, input: input.input, columns: Object.freeze(columns) });
};

function isComputed(e: TypedExpression | undefined): boolean {
  return e !== undefined && e.kind !== "column" && e.kind !== "literal";
}

function countUses(e: TypedExpression, uses: Map<string, number>): void {
  if (e.kind === "column") uses.set(e.name, (uses.get(e.name) ?? 0) + 1);
  for (const part of typedParts(e)) countUses(part, uses);
}

/** The same columns in the same order: nothing to do. */
function isIdentity(node: ProjectNode): boolean {
  const { fields } = node.input.schema;
  return (
    fields.length === node.columns.length &&
    node.columns.every((c, i) => {
      const before = fields[i];
      const after = node.schema.fields[i];
      if (before === undefined || after === undefined) return false;
      const same = c.expression.kind === "column" && c.expression.name === before.name && c.name === before.name;
      return same && typeEquals(before.type, after.type);
    })
  );
}
