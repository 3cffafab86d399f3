import {
  type DataType,
  decimal,
  field,
  float64,
  int64,
  isFloat,
  isInteger,
  isNested,
  isNumeric,
  isSignedInteger,
  type Schema,
  typeName,
  uint64,
} from "../../arrow/mod.ts";
import { invariant } from "../../kernel/mod.ts";
import { PlanError } from "../error.ts";
import { type AggregateExpression, column, containsAggregate, type Expression, mapParts } from "../expression.ts";
import type { LogicalAggregate, LogicalDistinct, LogicalNode, NamedLogicalExpression } from "../logical.ts";
import { castTo, typedColumn } from "../make.ts";
import type { AggregateCall, AggregateNode, NamedExpression, OperatorId, PlanNode } from "../node.ts";
import { operatorText } from "../operator_text.ts";
import { printExpression } from "../print.ts";
import type { TypedExpression } from "../typed.ts";
import {
  type BindContext,
  bindNamed,
  columnsOf,
  nameOf,
  projectNode,
  requireNames,
  scopeOf,
  uniqueSchema,
} from "./context.ts";
import { bindExpression } from "./expression.ts";
import { BindScope, describeTyped } from "./scope.ts";

/** Result type of an aggregate; null when the function does not take the argument's type. */
export function aggregateType(fn: AggregateCall["fn"], argument: DataType | null): DataType | null {
  if (fn === "count") return int64;
  if (argument === null) return null;
  switch (fn) {
    case "countDistinct":
      return isNested(argument) ? null : int64;
    case "min":
    case "max":
    case "first":
    case "last":
      return isNested(argument) ? null : argument;
    case "sum":
      if (isInteger(argument)) return isSignedInteger(argument) ? int64 : uint64;
      if (argument.kind === "decimal") return decimal(38, argument.scale);
      return isFloat(argument) ? float64 : null;
    default:
      return isNumeric(argument) ? float64 : null;
  }
}

const TO_FLOAT: ReadonlySet<string> = new Set(["variance", "stddev", "quantile"]);

function bindCall(e: AggregateExpression, name: string, scope: BindScope): AggregateCall {
  if (e.argument !== null && containsAggregate(e.argument)) {
    throw scope.fail("aggregate", e, "an aggregate cannot be inside an aggregate. Aggregate twice instead.");
  }
  if (e.argument === null && e.fn !== "count") throw scope.fail("argument", e, `${e.fn} needs an argument.`);
  if (e.fn === "quantile" && !(e.quantile !== null && e.quantile >= 0 && e.quantile <= 1)) {
    throw scope.fail("argument", e, `quantile takes a share from 0 to 1, not ${e.quantile}.`);
  }
  const argument = e.argument === null ? null : bindExpression(e.argument, scope);
  const type = aggregateType(e.fn, argument?.type.kind === "null" ? int64 : (argument?.type ?? null));
  if (type === null) {
    invariant(e.argument !== null && argument !== null, "only an argument can have a wrong type");
    throw scope.fail(
      "type",
      e,
      `${e.fn} does not take ${typeName(argument.type)} (${describeTyped(e.argument, argument)}).`,
    );
  }
  const cast =
    argument === null || !(TO_FLOAT.has(e.fn) || argument.type.kind === "null") ? argument : castTo(argument, type);
  return Object.freeze({ name, fn: e.fn, argument: cast, ...(e.quantile === null ? {} : { quantile: e.quantile }) });
}

function callField(call: AggregateCall, hasKeys: boolean) {
  const type = aggregateType(call.fn, call.argument?.type ?? null);
  invariant(type !== null, "a bound aggregate has a type");
  const counts = call.fn === "count" || call.fn === "countDistinct";
  const spread = call.fn === "variance" || call.fn === "stddev";
  return field(call.name, type, !counts && (!hasKeys || spread || (call.argument?.nullable ?? false)));
}

export function aggregateNode(
  base: { readonly id: OperatorId; readonly operator: string },
  input: PlanNode,
  keys: readonly NamedExpression[],
  aggregates: readonly AggregateCall[],
): AggregateNode {
  for (const key of keys) {
    if (!isNested(key.expression.type)) continue;
    const rule = `"${key.name}" is ${typeName(key.expression.type)}; lists and structs cannot be keys`;
    throw new PlanError("type", `Cannot group in ${base.operator}: ${rule}. Use their fields, or drop the column.`);
  }
  const fields = [
    ...keys.map((k) => field(k.name, k.expression.type, k.expression.nullable)),
    ...aggregates.map((a) => callField(a, keys.length > 0)),
  ];
  const out = uniqueSchema(fields, base.operator, "Give one of them another name.");
  const parts = { keys: Object.freeze([...keys]), aggregates: Object.freeze([...aggregates]) };
  return Object.freeze({ kind: "aggregate", id: base.id, input, ...parts, schema: out });
}

/** Text that is equal only for equal expressions: `1` and `1n` are not, nor a Date and its text. */
function expressionKey(e: Expression): string {
  return JSON.stringify(e, function (this: Record<string, unknown>, key, value: unknown) {
    if (this[key] instanceof Date) return `date ${String(value)}`; // `value` is its text already
    if (typeof value === "bigint") return `bigint ${value}`;
    if (typeof value === "number") return Object.is(value, -0) ? "number -0" : `number ${value}`;
    return typeof value === "string" ? `"${value}"` : value;
  });
}

/** What the aggregates of one operator are computed as, each distinct one once. */
class CallCollector {
  readonly calls: AggregateCall[] = [];
  readonly #names = new Map<string, string>();
  readonly #scope: BindScope;
  readonly #taken: Set<string>;

  constructor(scope: BindScope, taken: Iterable<string>) {
    this.#scope = scope;
    this.#taken = new Set(taken);
  }

  add(e: AggregateExpression, wanted: string | null = null): string {
    const key = expressionKey(e);
    const known = this.#names.get(key);
    if (known !== undefined) return known;
    let name = wanted ?? printExpression(e);
    while (this.#taken.has(name)) name += "'";
    this.#taken.add(name);
    this.#names.set(key, name);
    this.calls.push(bindCall(e, name, this.#scope));
    return name;
  }

  /** The expression with every aggregate replaced by the column that holds it. */
  replace(e: Expression): Expression {
    return e.kind === "aggregate" ? column(this.add(e)) : mapParts(e, (part) => this.replace(part));
  }
}

function plainAggregate(e: Expression): AggregateExpression | null {
  if (e.kind === "alias") return plainAggregate(e.operand);
  return e.kind === "aggregate" ? e : null;
}

function requireAggregate({ expression }: NamedLogicalExpression, node: LogicalNode, keys: readonly string[]): void {
  if (containsAggregate(expression)) return;
  if (expression.kind === "column" && keys.includes(expression.name)) return;
  const hint = "Wrap it in an aggregate such as first() or sum(), or make it a key of groupBy.";
  throw new PlanError(
    "aggregate",
    `Cannot use ${printExpression(expression)} in ${operatorText(node)}: it is no aggregate. ${hint}`,
  );
}

export function bindAggregate(node: LogicalAggregate, context: BindContext): PlanNode {
  const input = context.bound(node.input);
  const scope = scopeOf(node, input.schema);
  const base = { id: context.idOf(node), operator: scope.operator };
  const keys = bindNamed(node.keys, scope);
  const keyNames = keys.map((k) => k.name);
  for (const call of node.aggregates) requireAggregate(call, node, keyNames);
  const plain = node.aggregates.map((a) => plainAggregate(a.expression));
  if (plain.every((p) => p !== null)) {
    const calls = plain.map((p, i) => bindCall(p, nameOf(node.aggregates[i] as NamedLogicalExpression), scope));
    return aggregateNode(base, input, keys, calls);
  }
  return bindComputedAggregates(node, { base, input, keys, scope });
}

interface ComputedParts {
  readonly base: { readonly id: OperatorId; readonly operator: string };
  readonly input: PlanNode;
  readonly keys: readonly NamedExpression[];
  readonly scope: BindScope;
}

/** `sum("a").div(count())`: aggregates first, then the rest of the expression over them. */
function bindComputedAggregates(node: LogicalAggregate, { base, input, keys, scope }: ComputedParts): PlanNode {
  const keyNames = keys.map((k) => k.name);
  const collector = new CallCollector(scope, keyNames);
  for (const output of node.aggregates) {
    const plain = plainAggregate(output.expression);
    if (plain !== null && !keyNames.includes(nameOf(output))) collector.add(plain, nameOf(output));
  }
  const outputs = node.aggregates.map((a) => ({ name: nameOf(a), expression: collector.replace(a.expression) }));
  const aggregated = aggregateNode(base, input, keys, collector.calls);
  const above = new BindScope(
    base.operator,
    aggregated.schema.fields.map((f) => ({ name: f.name, side: null, column: typedColumn(f) })),
  );
  const keyColumns = columnsOf({ fields: aggregated.schema.fields.slice(0, keys.length) });
  return projectNode(base.id, aggregated, [...keyColumns, ...bindNamed(outputs, above)], base.operator);
}

/** Whole rows, or the first row of each combination of the named columns. */
export function bindDistinct(node: LogicalDistinct, context: BindContext): PlanNode {
  const input = context.bound(node.input);
  const base = { id: context.idOf(node), operator: operatorText(node) };
  const all = columnsOf(input.schema);
  requireFlat(input.schema, base.operator);
  if (node.names === null) return aggregateNode(base, input, all, []);
  requireNames(node.names, input.schema, node);
  const wanted = new Set(node.names);
  const keys = all.filter((c) => wanted.has(c.name));
  const rest = all.filter((c) => !wanted.has(c.name));
  const firsts = rest.map((c): AggregateCall => Object.freeze({ name: c.name, fn: "first", argument: c.expression }));
  const aggregated = aggregateNode(base, input, keys, firsts);
  const inOrder = all.map((c) => ({ name: c.name, expression: columnNamed(aggregated, c.name) }));
  return projectNode(base.id, aggregated, inOrder, base.operator);
}

/** Rows with lists or structs cannot be grouped, nor kept in groups. */
function requireFlat(input: Schema, operator: string): void {
  const nested = input.fields.find((f) => isNested(f.type));
  if (nested === undefined) return;
  const what = `column ${nested.name} is ${typeName(nested.type)}, and distinct takes no lists and structs`;
  throw new PlanError("type", `Cannot plan ${operator}: ${what}. Select other columns or fields of it first.`);
}

function columnNamed(node: PlanNode, name: string): TypedExpression {
  const found = node.schema.fields.find((f) => f.name === name);
  invariant(found !== undefined, `column ${name} is in the schema`);
  return typedColumn(found);
}
