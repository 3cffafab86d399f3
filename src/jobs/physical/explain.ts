import { unreachable } from "../../kernel/mod.ts";
import { explainPlan } from "../../plan/mod.ts";
import type { Exchange, Fragment, PhysicalPlan } from "./model.ts";

/** The plan as text: every fragment with its operators, where its rows come from and where they go. */
export function explainPhysical(plan: PhysicalPlan): string {
  return plan.fragments.map((fragment) => fragmentText(plan, fragment)).join("\n\n");
}

function fragmentText(plan: PhysicalPlan, fragment: Fragment): string {
  const { id, parallelism, estimatedRows, isRepeatable } = fragment;
  const rows = estimatedRows === null ? "" : `, ~${Math.round(estimatedRows)} rows`;
  const varies = isRepeatable ? "" : ", not repeatable";
  const tasks = parallelism === 1 ? "1 task" : `${parallelism} tasks`;
  const operators = explainPlan(fragment.plan)
    .split("\n")
    .map((line) => `  ${line}`);
  return [`Fragment ${id} (${tasks}${rows}${varies})`, ...operators, ...outputLines(plan, fragment)].join("\n");
}

function outputLines(plan: PhysicalPlan, { output }: Fragment): string[] {
  switch (output.kind) {
    case "client":
      return [`  → root ${output.root}, to the client`];
    case "sink":
      return [`  → root ${output.root}, written to ${output.sink.connector}`];
    case "exchanges":
      return output.exchanges.map((id) => `  → ${exchangeText(plan.exchanges[id] as Exchange)}`);
    default:
      return unreachable(output);
  }
}

function exchangeText(exchange: Exchange): string {
  const marks = [
    exchange.isOrdered ? "in order" : null,
    exchange.isBlocking ? null : "pipelined",
    exchange.ordinal === null ? null : `numbered as ${exchange.ordinal}`,
    exchange.role === "bounds" ? "bounds" : null,
  ].filter((mark) => mark !== null);
  const text = marks.length === 0 ? "" : ` (${marks.join(", ")})`;
  return `exchange ${exchange.id} to fragment ${exchange.to}: ${wayText(exchange)}${text}`;
}

function wayText(exchange: Exchange): string {
  switch (exchange.kind) {
    case "hash":
      return `hash by ${exchange.keys.join(", ")}`;
    case "range": {
      const keys = exchange.keys.map(({ column, descending }) => `${column}${descending ? " desc" : ""}`);
      return `range by ${keys.join(", ")}, bounds from exchange ${exchange.boundsFrom}`;
    }
    case "gather":
      return exchange.sampleRowsMax === null ? "gather" : `gather a sample of ${exchange.sampleRowsMax} rows a task`;
    case "forward":
      return exchange.offset === 0 ? "forward" : `forward from task ${exchange.offset} on`;
    case "broadcast":
      return "broadcast";
    case "roundRobin":
      return "round-robin";
    case "rebalance":
      return "rebalance";
    default:
      return unreachable(exchange);
  }
}
