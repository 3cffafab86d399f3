import { type Schema, typeName } from "../arrow/mod.ts";
import { unreachable } from "../kernel/mod.ts";
import type { AggregateCall, NamedExpression, Plan, PlanNode, SortKey } from "./node.ts";
import { planInputs } from "./node_inputs.ts";
import { connectorText } from "./operator_text.ts";
import { estimateRows, NO_STATISTICS, type Statistics } from "./optimise/estimate.ts";
import { nameText, printExpression } from "./print.ts";

/** Bound plans as text: a tree, each operator above what it reads from. */

function namedText({ name, expression }: NamedExpression): string {
  const text = printExpression(expression);
  return text === nameText(name) ? text : `${nameText(name)}: ${text}`;
}

function callText({ name, fn, argument, quantile }: AggregateCall): string {
  const share = quantile === undefined ? "" : `, ${quantile}`;
  const text = `${fn}(${argument === null ? "*" : printExpression(argument)}${share})`;
  return text === name ? text : `${nameText(name)}: ${text}`;
}

function sortText({ expression, descending, nullsFirst }: SortKey): string {
  return `${printExpression(expression)}${descending ? " desc" : ""}${nullsFirst ? " nulls first" : ""}`;
}

function columnsText({ fields }: Schema): string {
  return fields.map((f) => `${nameText(f.name)} ${typeName(f.type)}${f.nullable ? "" : " not null"}`).join(", ");
}

function joinText(node: Extract<PlanNode, { kind: "join" }>): string {
  const keys = node.keys.map((k) => `${printExpression(k.left)} = ${printExpression(k.right)}`).join(", ");
  const residual = node.residual === null ? "" : ` where ${printExpression(node.residual)}`;
  const build = node.how === "cross" ? "" : ` (build ${node.buildSide})`;
  return `join ${node.how}${keys === "" ? "" : ` on ${keys}`}${residual}${build}`;
}

function scanText(node: Extract<PlanNode, { kind: "scan" }>): string {
  const predicate = node.predicate === null ? "" : ` where ${printExpression(node.predicate)}`;
  const limit = node.rowLimit === null ? "" : ` limit ${node.rowLimit}`;
  return `scan ${connectorText(node.source)} [${columnsText(node.schema)}]${predicate}${limit}`;
}

function rowsText(limit: number | null, offset: number): string {
  if (limit === null) return "";
  return ` limit ${limit}${offset === 0 ? "" : ` offset ${offset}`}`;
}

function aggregateText(node: Extract<PlanNode, { kind: "aggregate" }>): string {
  const keys = node.keys.length === 0 ? "" : ` by ${node.keys.map(namedText).join(", ")}`;
  if (node.aggregates.length === 0) return `distinct${keys}`;
  return `aggregate ${node.aggregates.map(callText).join(", ")}${keys}`;
}

/** One line for one node. */
export function nodeText(node: PlanNode): string {
  switch (node.kind) {
    case "scan":
      return scanText(node);
    case "project":
      return `project ${node.columns.map(namedText).join(", ")}`;
    case "filter":
      return `filter ${printExpression(node.predicate)}`;
    case "aggregate":
      return aggregateText(node);
    case "join":
      return joinText(node);
    case "sort": {
      const keys = node.keys.map(sortText).join(", ");
      return `${node.limit === null ? "sort" : "top"} ${keys}${rowsText(node.limit, node.offset)}`;
    }
    case "limit":
      return `limit ${node.count}${node.offset === 0 ? "" : ` offset ${node.offset}`}`;
    case "union":
      return `union of ${node.inputs.length}`;
    case "unnest":
      return `unnest ${nameText(node.column)}${node.outer ? " outer" : ""}`;
    case "userFunction":
      return `${node.mode === "filter" ? "filterRows" : node.mode} by a function`;
    case "sink":
      return `sink ${connectorText(node.sink)}`;
    default:
      return unreachable(node);
  }
}

export interface ExplainOptions {
  /** Adds estimates of rows. */
  readonly statistics?: Statistics;
}

interface Printing {
  readonly lines: string[];
  readonly statistics: Statistics;
  readonly users: ReadonlyMap<PlanNode, number>;
  readonly shown: Set<PlanNode>;
}

const GROUPING = new Intl.NumberFormat("en-US");

function estimateText(node: PlanNode, statistics: Statistics): string {
  const rows = estimateRows(node, statistics);
  return rows === null ? "" : `  ~${GROUPING.format(Math.round(rows))} rows`;
}

function print(node: PlanNode, lead: string, branch: string, printing: Printing): void {
  const again = printing.shown.has(node);
  const shared = (printing.users.get(node) ?? 0) > 1 ? " (shared)" : "";
  const text = `#${node.id} ${nodeText(node)}${shared}${estimateText(node, printing.statistics)}`;
  printing.lines.push(`${lead}${branch}${again ? `${text}, see above` : text}`);
  if (again) return;
  printing.shown.add(node);
  const inputs = planInputs(node);
  const under = branch === "" ? lead : lead + (branch === "├─ " ? "│  " : "   ");
  inputs.forEach((input, i) => {
    if (inputs.length === 1) print(input, under, "└─ ", printing);
    else print(input, under, i === inputs.length - 1 ? "└─ " : "├─ ", printing);
  });
}

function countUsers(plan: Plan): Map<PlanNode, number> {
  const users = new Map<PlanNode, number>();
  const visit = (node: PlanNode): void => {
    const known = users.get(node) ?? 0;
    users.set(node, known + 1);
    if (known === 0) planInputs(node).forEach(visit);
  };
  plan.roots.forEach(visit);
  return users;
}

/** The plan as a tree of lines, without a newline at the end. `#2` is the operator's id. */
export function explainPlan(plan: Plan, options: ExplainOptions = {}): string {
  const statistics = options.statistics ?? NO_STATISTICS;
  const printing: Printing = { lines: [], statistics, users: countUsers(plan), shown: new Set() };
  for (const root of plan.roots) print(root, "", "", printing);
  return printing.lines.join("\n");
}
