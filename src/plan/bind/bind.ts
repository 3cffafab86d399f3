import { field, type Schema, typeEquals, typeName, valueType } from "../../arrow/mod.ts";
import { invariant, unreachable } from "../../kernel/mod.ts";
import { commonType } from "../common_type.ts";
import { PlanError } from "../error.ts";
import { type LogicalNode, type LogicalPlan, type LogicalScan, numberOperators } from "../logical.ts";
import { castTo, typedColumn } from "../make.ts";
import type { LimitNode, NamedExpression, OperatorInfo, Plan, PlanNode, SortNode, UnnestNode } from "../node.ts";
import { operatorText } from "../operator_text.ts";
import { originOf, setCause } from "../origin.ts";
import { columnsHint } from "../suggest.ts";
import { bindAggregate, bindDistinct } from "./aggregate.ts";
import {
  type BindContext,
  bindNamed,
  columnsOf,
  nameOf,
  projectNode,
  requireNames,
  type SchemaOfSource,
  scopeOf,
  uniqueSchema,
} from "./context.ts";
import { bindCondition, bindExpression } from "./expression.ts";
import { bindJoin } from "./join.ts";

type Of<K extends LogicalNode["kind"]> = Extract<LogicalNode, { kind: K }>;

function bindScan(node: LogicalScan, context: BindContext): PlanNode {
  const id = context.idOf(node);
  const schema = context.sources(node.source);
  return Object.freeze({ kind: "scan", id, source: node.source, schema, predicate: null, rowLimit: null });
}

function bindSelect(node: Of<"select">, context: BindContext): PlanNode {
  const input = context.bound(node.input);
  const scope = scopeOf(node, input.schema);
  if (node.columns.length === 0) {
    throw new PlanError("argument", "Cannot plan select(): it needs at least one column.");
  }
  return projectNode(context.idOf(node), input, bindNamed(node.columns, scope), scope.operator);
}

function bindWithColumns(node: Of<"withColumns">, context: BindContext): PlanNode {
  const input = context.bound(node.input);
  const scope = scopeOf(node, input.schema);
  const added = bindNamed(node.columns, scope);
  const names = node.columns.map(nameOf);
  uniqueSchema(
    added.map((c) => field(c.name, c.expression.type)),
    scope.operator,
    "Give one of them another name with .alias().",
  );
  const kept = columnsOf(input.schema).map((c) => added.find((a) => a.name === c.name) ?? c);
  const fresh = added.filter((a) => names.includes(a.name) && !input.schema.fields.some((f) => f.name === a.name));
  return projectNode(context.idOf(node), input, [...kept, ...fresh], scope.operator);
}

function bindDrop(node: Of<"drop">, context: BindContext): PlanNode {
  const input = context.bound(node.input);
  requireNames(node.names, input.schema, node);
  const kept = columnsOf(input.schema).filter((c) => !node.names.includes(c.name));
  if (kept.length === 0) {
    throw new PlanError("argument", `Cannot plan ${operatorText(node)}: no column is left. Keep at least one.`);
  }
  return projectNode(context.idOf(node), input, kept, operatorText(node));
}

function bindRename(node: Of<"rename">, context: BindContext): PlanNode {
  const input = context.bound(node.input);
  requireNames(
    node.names.map((n) => n.from),
    input.schema,
    node,
  );
  const names = new Map(node.names.map((n) => [n.from, n.to]));
  const columns = columnsOf(input.schema).map((c) => ({ ...c, name: names.get(c.name) ?? c.name }));
  return projectNode(context.idOf(node), input, columns, operatorText(node));
}

function bindFilter(node: Of<"filter">, context: BindContext): PlanNode {
  const input = context.bound(node.input);
  const predicate = bindCondition(node.predicate, scopeOf(node, input.schema));
  return Object.freeze({ kind: "filter", id: context.idOf(node), input, predicate, schema: input.schema });
}

function bindSort(node: Of<"sort">, context: BindContext): SortNode {
  const input = context.bound(node.input);
  const scope = scopeOf(node, input.schema);
  if (node.keys.length === 0) throw new PlanError("argument", "Cannot plan orderBy(): it needs at least one column.");
  const keys = node.keys.map((k) => {
    const expression = bindExpression(k.expression, scope);
    if (expression.type.kind === "list" || expression.type.kind === "struct") {
      throw scope.fail("type", k.expression, `rows cannot be ordered by ${typeName(expression.type)}.`);
    }
    return Object.freeze({ ...k, expression });
  });
  const base = { id: context.idOf(node), input, schema: input.schema };
  return Object.freeze({ kind: "sort", ...base, keys: Object.freeze(keys), limit: null, offset: 0 });
}

function bindLimit(node: Of<"limit">, context: BindContext): LimitNode {
  const input = context.bound(node.input);
  for (const [name, value] of [["count", node.count] as const, ["offset", node.offset] as const]) {
    if (Number.isSafeInteger(value) && value >= 0) continue;
    throw new PlanError("argument", `Cannot plan ${operatorText(node)}: its ${name} must be a whole number from 0 on.`);
  }
  const { count, offset } = node;
  return Object.freeze({ kind: "limit", id: context.idOf(node), input, count, offset, schema: input.schema });
}

function unionSchema(node: Of<"union">, inputs: readonly PlanNode[]): Schema {
  const [first, ...others] = inputs;
  if (first === undefined) throw new PlanError("argument", "Cannot plan union(): it needs an input.");
  for (const [i, other] of others.entries()) {
    for (const [a, b] of [[first, other] as const, [other, first] as const]) {
      const names = b.schema.fields.map((f) => f.name);
      const missing = a.schema.fields.find((f) => !names.includes(f.name));
      if (missing === undefined) continue;
      const which = b === first ? "The first input" : `Input ${i + 2}`;
      const message = `${which} of ${operatorText(node)} has no column "${missing.name}".${columnsHint(missing.name, names)} Inputs need the same columns.`;
      throw new PlanError("unknownColumn", message);
    }
  }
  const fields = first.schema.fields.map((f) => {
    let { type, nullable } = f;
    for (const other of others) {
      const same = other.schema.fields.find((o) => o.name === f.name);
      invariant(same !== undefined, "inputs have the same names");
      const common = commonType(type, same.type);
      if (common === null) {
        const rule = `"${f.name}" is ${typeName(type)} in one input and ${typeName(same.type)} in another`;
        throw new PlanError("type", `Cannot plan ${operatorText(node)}: ${rule}. Cast one of them.`);
      }
      type = common;
      nullable ||= same.nullable;
    }
    return field(f.name, type, nullable);
  });
  return { fields };
}

/** All inputs in the order and types of the common schema, which may be nullable where one input is not. */
function bindUnion(node: Of<"union">, context: BindContext): PlanNode {
  const bound = node.inputs.map((input) => context.bound(input));
  const schema = unionSchema(node, bound);
  const id = context.idOf(node);
  const inputs = bound.map((input) => {
    const fits = input.schema.fields.every((f, i) => {
      const wanted = schema.fields[i];
      return wanted !== undefined && f.name === wanted.name && typeEquals(f.type, wanted.type);
    });
    if (fits) return input;
    const converted = projectNode(id, input, conversions(input.schema, schema), operatorText(node));
    return Object.freeze({ ...converted, schema });
  });
  return Object.freeze({ kind: "union", id, inputs: Object.freeze(inputs), schema });
}

function conversions(from: Schema, to: Schema): NamedExpression[] {
  return to.fields.map((wanted) => {
    const source = from.fields.find((f) => f.name === wanted.name);
    invariant(source !== undefined, "inputs have the same names");
    return { name: wanted.name, expression: castTo(typedColumn(source), valueType(wanted.type)) };
  });
}

function bindUnnest(node: Of<"unnest">, context: BindContext): UnnestNode {
  const input = context.bound(node.input);
  requireNames([node.column], input.schema, node);
  const fields = input.schema.fields.map((f) => {
    if (f.name !== node.column) return f;
    if (f.type.kind !== "list") {
      const message = `Cannot plan ${operatorText(node)}: only a list has items, but "${f.name}" is ${typeName(f.type)}.`;
      throw new PlanError("type", message);
    }
    return field(f.name, f.type.item.type, f.type.item.nullable || node.outer);
  });
  const { column, outer } = node;
  return Object.freeze({ kind: "unnest", id: context.idOf(node), input, column, outer, schema: { fields } });
}

function bindUserFunction(node: Of<"userFunction">, context: BindContext): PlanNode {
  const input = context.bound(node.input);
  const { mode } = node;
  const schema = node.schema ?? input.schema;
  return Object.freeze({ kind: "userFunction", id: context.idOf(node), input, mode, schema });
}

function bindNode(node: LogicalNode, context: BindContext): PlanNode {
  switch (node.kind) {
    case "scan":
      return bindScan(node, context);
    case "select":
      return bindSelect(node, context);
    case "withColumns":
      return bindWithColumns(node, context);
    case "drop":
      return bindDrop(node, context);
    case "rename":
      return bindRename(node, context);
    case "filter":
      return bindFilter(node, context);
    case "aggregate":
      return bindAggregate(node, context);
    case "distinct":
      return bindDistinct(node, context);
    case "join":
      return bindJoin(node, context);
    case "sort":
      return bindSort(node, context);
    case "limit":
      return bindLimit(node, context);
    case "union":
      return bindUnion(node, context);
    case "unnest":
      return bindUnnest(node, context);
    case "userFunction":
      return bindUserFunction(node, context);
    case "sink": {
      const input = context.bound(node.input);
      return Object.freeze({ kind: "sink", id: context.idOf(node), input, sink: node.sink, schema: input.schema });
    }
    default:
      return unreachable(node);
  }
}

/**
 * Checks names and types of everything the user wrote and gives the bound plan. `sources` knows the columns of every
 * spec of `sourcesOf(plan)`. Throws `PlanError`.
 */
export function bind(plan: LogicalPlan, sources: SchemaOfSource): Plan {
  if (plan.roots.length === 0) {
    throw new PlanError("dataflow", `Cannot plan "${plan.name}": it returns no stream. Return a stream or a sink.`);
  }
  const ids = numberOperators(plan);
  const bound = new Map<LogicalNode, PlanNode>();
  const context: BindContext = {
    sources,
    idOf: (node) => ids.get(node) ?? 0,
    bound: (node) => {
      const known = bound.get(node);
      invariant(known !== undefined, "inputs are bound before their users");
      return known;
    },
  };
  for (const node of ids.keys())
    bound.set(
      node,
      withOrigin(node, () => bindNode(node, context)),
    );
  const operators = [...ids].map(
    ([node, id]): OperatorInfo => Object.freeze({ id, name: nameOfKind(node), text: operatorText(node) }),
  );
  return Object.freeze({
    name: plan.name,
    roots: Object.freeze(plan.roots.map((root) => context.bound(root))),
    operators: Object.freeze(operators),
  });
}

/** What is wrong with an operator leads to where it was written. */
function withOrigin(node: LogicalNode, bindIt: () => PlanNode): PlanNode {
  try {
    return bindIt();
  } catch (error) {
    throw setCause(error, originOf(node));
  }
}

function nameOfKind(node: LogicalNode): string {
  if (node.kind === "scan") return "source";
  if (node.kind === "sort") return "orderBy";
  if (node.kind !== "userFunction") return node.kind;
  return node.mode === "filter" ? "filterRows" : node.mode;
}
