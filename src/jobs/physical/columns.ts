import { byteWidth, type DataType, type Field, field, int64, type Schema, schema, valueType } from "../../arrow/mod.ts";
import { invariant } from "../../kernel/mod.ts";
import type { NamedExpression, PlanNode, ProjectNode, SortKey, TypedColumn, TypedExpression } from "../../plan/mod.ts";

/** Small pieces of plans. */

export function columnOf({ name, type, nullable }: Field): TypedColumn {
  return Object.freeze({ kind: "column", name, type: valueType(type), nullable });
}

export function columnNamed(of: Schema, name: string): TypedColumn {
  return columnOf(fieldNamed(of, name));
}

export function fieldNamed(of: Schema, name: string): Field {
  const found = of.fields.find((each) => each.name === name);
  invariant(found !== undefined, `column ${name} is there`);
  return found;
}

export function namesOf(of: Schema): string[] {
  return of.fields.map(({ name }) => name);
}

/** What strings and the like are taken for: nobody has looked at them. */
const TEXT_BYTES = 20;

/** A guess of what a row takes on its way. */
export function rowBytes(of: Schema): number {
  return of.fields.reduce((sum, { type }) => sum + typeBytes(valueType(type)), 0);
}

function typeBytes(type: DataType): number {
  if (type.kind === "struct") return rowBytes({ fields: type.fields });
  return type.kind === "null" || type.kind === "bool" ? 1 : byteWidth(type) || TEXT_BYTES;
}

/** The named columns, in this order. */
export function selected(of: Schema, names: readonly string[]): Schema {
  return schema(names.map((name) => fieldNamed(of, name)));
}

export function sameNames(a: Schema, b: Schema): boolean {
  return a.fields.length === b.fields.length && a.fields.every(({ name }, i) => name === b.fields[i]?.name);
}

export function project(input: PlanNode, columns: readonly NamedExpression[], fields: readonly Field[]): ProjectNode {
  const parts = { columns: Object.freeze([...columns]), schema: schema(fields) };
  return Object.freeze({ kind: "project", id: input.id, input, ...parts });
}

/** The input with more columns behind its own. */
export function withColumns(input: PlanNode, added: readonly NamedExpression[]): PlanNode {
  if (added.length === 0) return input;
  const kept = input.schema.fields.map((each) => ({ name: each.name, expression: columnOf(each) }));
  const fields = added.map(({ name, expression }) => field(name, expression.type, expression.nullable));
  return project(input, [...kept, ...added], [...input.schema.fields, ...fields]);
}

/** Only the columns of `wanted`, in its order. */
export function narrowedTo(input: PlanNode, wanted: Schema): PlanNode {
  if (sameNames(input.schema, wanted)) return input;
  const columns = wanted.fields.map(({ name }) => ({ name, expression: columnNamed(input.schema, name) }));
  return project(input, columns, wanted.fields);
}

export function orderKey(of: Schema, name: string): SortKey {
  return Object.freeze({ expression: columnNamed(of, name), descending: false, nullsFirst: false });
}

export function ordinalField(name: string): Field {
  return field(name, int64, false);
}

export function isColumn(expression: TypedExpression): expression is TypedColumn {
  return expression.kind === "column";
}
