import { field, isNested, nullType, type Schema, schema, valueType } from "../../arrow/mod.ts";
import type { NamedExpression, SortKey, SortNode, TypedColumn } from "../../plan/mod.ts";
import { ExecError } from "../error.ts";
import { type OpenPipeline, withStep } from "../open_pipeline.ts";

/** Pipelines whose rows carry every sort key as a column; columns that were computed for it come last. */
export interface KeyedInput {
  readonly pipelines: readonly OpenPipeline[];
  readonly schema: Schema;
  /** Their expressions are columns of `schema`. */
  readonly keys: readonly SortKey[];
}

export function withKeyColumns(node: SortNode, pipelines: readonly OpenPipeline[]): KeyedInput {
  for (const { expression } of node.keys) {
    if (!isNested(expression.type)) continue;
    const message = `Cannot sort by a ${expression.type.kind}: it has no order. Sort by one of its parts.`;
    throw new ExecError("invalidArgument", message, { operator: node.id });
  }
  const { fields } = node.schema;
  const computed = node.keys.filter(({ expression }) => expression.kind !== "column");
  if (computed.length === 0) return { pipelines, schema: node.schema, keys: node.keys };
  const names = freshNames(node.schema, computed.length);
  const named = new Map(computed.map((key, i) => [key, names[i] as string]));
  const columns: NamedExpression[] = [
    ...fields.map(({ name, type, nullable }) => ({ name, expression: columnOf(name, { type, nullable }) })),
    ...[...named].map(([{ expression }, name]) => ({ name, expression })),
  ];
  const keyed = schema([
    ...fields,
    ...[...named].map(([{ expression }, name]) => field(name, expression.type, expression.nullable)),
  ]);
  return {
    pipelines: pipelines.map((each) => withStep(each, { kind: "project", operator: node.id, columns }, keyed)),
    schema: keyed,
    keys: node.keys.map((key) => {
      const name = named.get(key);
      return name === undefined ? key : { ...key, expression: columnOf(name, key.expression) };
    }),
  };
}

function columnOf(name: string, of: { type: SortKey["expression"]["type"]; nullable: boolean }): TypedColumn {
  return { kind: "column", name, type: valueType(of.type), nullable: of.nullable };
}

/** `name`, or `name` with a number, that no column has. */
export function freshName(taken: Schema, name: string): string {
  const used = new Set(taken.fields.map((each) => each.name));
  let fresh = name;
  for (let i = 1; used.has(fresh); i++) fresh = `${name}${i}`;
  return fresh;
}

function freshNames(taken: Schema, count: number): string[] {
  const names: string[] = [];
  const fields = [...taken.fields];
  for (let i = 0; i < count; i++) {
    const name = freshName({ fields }, "sortKey");
    names.push(name);
    fields.push(field(name, taken.fields[0]?.type ?? nullType));
  }
  return names;
}
