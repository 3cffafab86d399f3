import { unreachable } from "../kernel/mod.ts";
import type { LogicalJoin, LogicalNode, NamedLogicalExpression } from "./logical.ts";
import type { ConnectorSpec } from "./node.ts";
import { nameText, printExpression } from "./print.ts";

/** One line for one operator as the user wrote it: how messages and plans call it. */

const TEXT_MAX = 200;

function shortened(text: string): string {
  if (text.length <= TEXT_MAX) return text;
  // Not in the middle of a character: half of one cannot be sent.
  return `${text.slice(0, TEXT_MAX - 1).replace(/[\ud800-\udbff]$/, "")}…`;
}

function named({ name, expression }: NamedLogicalExpression): string {
  const text = printExpression(expression);
  return name === null || nameText(name) === text ? text : `${nameText(name)}: ${text}`;
}

function list(columns: readonly NamedLogicalExpression[]): string {
  return columns.map(named).join(", ");
}

/** `csv "a.csv"`, `generate 1000 rows`. */
export function connectorText({ connector, options }: ConnectorSpec): string {
  const paths = Array.isArray(options["paths"]) ? options["paths"] : [options["path"]];
  const files = paths.filter((p): p is string => typeof p === "string").map((p) => JSON.stringify(p));
  if (files.length > 0) return `${connector} ${shortened(files.join(", "))}`;
  const { rows } = options;
  const count = Array.isArray(rows) ? rows.length : rows;
  return typeof count === "number" ? `${connector} ${count} rows` : connector;
}

function joinText(node: LogicalJoin): string {
  const keys = node.on.map((k) =>
    k.merged === null ? `${printExpression(k.left)} = ${printExpression(k.right)}` : nameText(k.merged),
  );
  const where = node.where === null ? [] : [`where ${printExpression(node.where)}`];
  return [...keys, ...where].join(", ");
}

function sortText(node: Extract<LogicalNode, { kind: "sort" }>): string {
  const keys = node.keys.map(
    (k) => `${printExpression(k.expression)}${k.descending ? " desc" : ""}${k.nullsFirst ? " nulls first" : ""}`,
  );
  return keys.join(", ");
}

function aggregateText(node: Extract<LogicalNode, { kind: "aggregate" }>): string {
  const keys = node.keys.length === 0 ? "" : `groupBy(${list(node.keys)}).`;
  return `${keys}aggregate(${list(node.aggregates)})`;
}

function textOf(node: LogicalNode): string {
  switch (node.kind) {
    case "scan":
      return `source(${connectorText(node.source)})`;
    case "select":
    case "withColumns":
      return `${node.kind}(${list(node.columns)})`;
    case "drop":
      return `drop(${node.names.map(nameText).join(", ")})`;
    case "rename":
      return `rename(${node.names.map((n) => `${nameText(n.from)}: ${nameText(n.to)}`).join(", ")})`;
    case "filter":
      return `filter(${printExpression(node.predicate)})`;
    case "aggregate":
      return aggregateText(node);
    case "distinct":
      return `distinct(${node.names === null ? "" : node.names.map(nameText).join(", ")})`;
    case "join":
      return `join(${node.how}${node.on.length + (node.where === null ? 0 : 1) === 0 ? "" : `: ${joinText(node)}`})`;
    case "sort":
      return `orderBy(${sortText(node)})`;
    case "limit":
      return `limit(${node.count}${node.offset === 0 ? "" : `, ${node.offset}`})`;
    case "union":
      return `union(${node.inputs.length} inputs)`;
    case "unnest":
      return `unnest(${nameText(node.column)})`;
    case "userFunction":
      return `${node.mode === "filter" ? "filterRows" : node.mode}(${node.fn.name || "function"})`;
    case "sink":
      return `sink(${connectorText(node.sink)})`;
    default:
      return unreachable(node);
  }
}

export function operatorText(node: LogicalNode): string {
  return shortened(textOf(node));
}
