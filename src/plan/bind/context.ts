import { type Field, field, type Schema, schema } from "../../arrow/mod.ts";
import { PlanError } from "../error.ts";
import type { Expression } from "../expression.ts";
import type { LogicalNode, NamedLogicalExpression } from "../logical.ts";
import { typedColumn } from "../make.ts";
import type { ConnectorSpec, NamedExpression, OperatorId, PlanNode, ProjectNode } from "../node.ts";
import { operatorText } from "../operator_text.ts";
import { printExpression } from "../print.ts";
import { columnsHint } from "../suggest.ts";
import type { TypedExpression } from "../typed.ts";
import { bindExpression } from "./expression.ts";
import { BindScope } from "./scope.ts";

/** Tells the columns of a source: the caller has looked at all of them before. */
export type SchemaOfSource = (spec: ConnectorSpec) => Schema;

export interface BindContext {
  readonly sources: SchemaOfSource;
  idOf(node: LogicalNode): OperatorId;
  /** The bound form of an operator; the same object each time. */
  bound(node: LogicalNode): PlanNode;
}

/** The name of a column that was given none: its alias, the column it is, or its text. */
export function defaultName(e: Expression): string {
  if (e.kind === "alias" || e.kind === "column" || e.kind === "field") return e.name;
  return e.kind === "cast" ? defaultName(e.operand) : printExpression(e);
}

export function nameOf(column: NamedLogicalExpression): string {
  return column.name ?? defaultName(column.expression);
}

/** A column's field: an unchanged column keeps its own type (a dictionary, say). */
export function fieldFor(name: string, expression: TypedExpression, input: Schema): Field {
  const source = expression.kind === "column" ? input.fields.find((f) => f.name === expression.name) : undefined;
  return field(name, source?.type ?? expression.type, expression.nullable);
}

/** The output schema; two columns of one name are an error that says who made them. */
export function uniqueSchema(fields: readonly Field[], operator: string, advice: string): Schema {
  const seen = new Set<string>();
  for (const { name } of fields) {
    if (seen.has(name)) {
      throw new PlanError("duplicateColumn", `Two columns of ${operator} are named "${name}". ${advice}`);
    }
    seen.add(name);
  }
  return schema(fields);
}

export function projectNode(
  id: OperatorId,
  input: PlanNode,
  columns: readonly NamedExpression[],
  operator: string,
): ProjectNode {
  const fields = columns.map((c) => fieldFor(c.name, c.expression, input.schema));
  const out = uniqueSchema(fields, operator, "Give one of them another name with .alias().");
  return Object.freeze({
    kind: "project",
    id,
    input,
    columns: Object.freeze(columns.map((c) => Object.freeze(c))),
    schema: out,
  });
}

export function bindNamed(columns: readonly NamedLogicalExpression[], scope: BindScope): NamedExpression[] {
  return columns.map((c) => ({ name: nameOf(c), expression: bindExpression(c.expression, scope) }));
}

/** Columns of a schema as they are. */
export function columnsOf(input: Schema): NamedExpression[] {
  return input.fields.map((f) => ({ name: f.name, expression: typedColumn(f) }));
}

/** Throws when one of the names is no column. */
export function requireNames(names: readonly string[], input: Schema, node: LogicalNode): void {
  const known = input.fields.map((f) => f.name);
  for (const name of names) {
    if (known.includes(name)) continue;
    const message = `Unknown column "${name}" in ${operatorText(node)}.${columnsHint(name, known)}`;
    throw new PlanError("unknownColumn", message);
  }
}

export function scopeOf(node: LogicalNode, input: Schema): BindScope {
  return BindScope.of(operatorText(node), input);
}
