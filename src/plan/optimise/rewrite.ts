import { unreachable } from "../../kernel/mod.ts";
import type { NamedExpression, PlanNode, ProjectNode } from "../node.ts";
import type { TypedExpression } from "../typed.ts";

/** Tools of the rules. */

/** Direct parts of a typed expression. */
export function typedParts(e: TypedExpression): readonly TypedExpression[] {
  switch (e.kind) {
    case "column":
    case "literal":
      return [];
    case "call":
      return e.args;
    case "cast":
    case "in":
    case "field":
      return [e.operand];
    case "case":
      return [...e.branches.flatMap((b) => [b.when, b.then]), ...(e.otherwise === null ? [] : [e.otherwise])];
    default:
      return unreachable(e);
  }
}

/** The same expression with every direct part replaced; itself when none changes. Nullability is kept as it was. */
export function mapTyped(e: TypedExpression, f: (part: TypedExpression) => TypedExpression): TypedExpression {
  const before = typedParts(e);
  const after = before.map(f);
  if (after.every((part, i) => part === before[i])) return e;
  const [first] = after;
  switch (e.kind) {
    case "column":
    case "literal":
      return e;
    case "call":
      return Object.freeze({ ...e, args: Object.freeze(after) });
    case "cast":
    case "in":
    case "field":
      return first === undefined ? e : Object.freeze({ ...e, operand: first });
    case "case": {
      const at = (i: number): TypedExpression => after[i] as TypedExpression; // same shape as `typedParts`
      const branches = e.branches.map((_, i) => Object.freeze({ when: at(2 * i), then: at(2 * i + 1) }));
      const otherwise = e.otherwise === null ? null : at(after.length - 1);
      return Object.freeze({ ...e, branches: Object.freeze(branches), otherwise });
    }
    default:
      return unreachable(e);
  }
}

export function columnNames(e: TypedExpression, into: Set<string> = new Set()): Set<string> {
  if (e.kind === "column") into.add(e.name);
  for (const part of typedParts(e)) columnNames(part, into);
  return into;
}

export function refersOnlyTo(e: TypedExpression, names: ReadonlySet<string>): boolean {
  return e.kind === "column" ? names.has(e.name) : typedParts(e).every((part) => refersOnlyTo(part, names));
}

export function expressionSize(e: TypedExpression): number {
  return typedParts(e).reduce((size, part) => size + expressionSize(part), 1);
}

/** Columns replaced by what they are computed as. */
export function substitute(e: TypedExpression, columns: ReadonlyMap<string, TypedExpression>): TypedExpression {
  return e.kind === "column" ? (columns.get(e.name) ?? e) : mapTyped(e, (part) => substitute(part, columns));
}

/** An expression may grow by substitution up to this many nodes: chains of `a + a` would double each time. */
export const EXPRESSION_SIZE_MAX = 200;

export function byName(columns: readonly NamedExpression[]): Map<string, TypedExpression> {
  return new Map(columns.map((c) => [c.name, c.expression]));
}

/** Every expression that a node evaluates itself. */
export function expressionsOf(node: PlanNode): readonly TypedExpression[] {
  switch (node.kind) {
    case "project":
      return node.columns.map((c) => c.expression);
    case "filter":
      return [node.predicate];
    case "aggregate":
      return [
        ...node.keys.map((k) => k.expression),
        ...node.aggregates.flatMap((a) => (a.argument === null ? [] : [a.argument])),
      ];
    case "join":
      return [...node.keys.flatMap((k) => [k.left, k.right]), ...(node.residual === null ? [] : [node.residual])];
    case "sort":
      return node.keys.map((k) => k.expression);
    case "scan":
      return node.predicate === null ? [] : [node.predicate];
    case "limit":
    case "union":
    case "unnest":
    case "userFunction":
    case "sink":
      return [];
    default:
      return unreachable(node);
  }
}

export function schemaNames(node: PlanNode): ReadonlySet<string> {
  return new Set(node.schema.fields.map((f) => f.name));
}

export function narrowed(node: PlanNode, names: ReadonlySet<string>): ProjectNode {
  const fields = node.schema.fields.filter((f) => names.has(f.name));
  const columns = fields.map((f): NamedExpression => {
    const type = f.type.kind === "dictionary" ? f.type.value : f.type;
    return { name: f.name, expression: Object.freeze({ kind: "column", name: f.name, type, nullable: f.nullable }) };
  });
  return Object.freeze({
    kind: "project",
    id: node.id,
    input: node,
    columns: Object.freeze(columns),
    schema: { fields },
  });
}
