import type { ConnectorSpec, Plan, PlanNode } from "../../plan/mod.ts";
import { planInputs, withInputs } from "../../plan/mod.ts";
import { EXCHANGE, type ExchangeScanOptions, type Fragment, PART, type PartScanOptions } from "./model.ts";

/** The plan that one task runs: its scans read the task's part of sources and of exchanges. */
export function taskPlan(fragment: Fragment, index: number): Plan {
  const done = new Map<PlanNode, PlanNode>();
  const rewrite = (node: PlanNode): PlanNode => {
    const known = done.get(node);
    if (known !== undefined) return known;
    const source = node.kind === "scan" ? sourceOfTask(node.source, { index, count: fragment.parallelism }) : null;
    const after =
      node.kind === "scan" && source !== null
        ? Object.freeze({ ...node, source })
        : withInputs(node, planInputs(node).map(rewrite));
    done.set(node, after);
    return after;
  };
  return Object.freeze({ ...fragment.plan, roots: Object.freeze(fragment.plan.roots.map(rewrite)) });
}

function sourceOfTask(source: ConnectorSpec, task: { readonly index: number; readonly count: number }): ConnectorSpec {
  if (source.connector === EXCHANGE) {
    const { edge } = source.options as ExchangeScanOptions; // written by `Builder.cross`
    const options: ExchangeScanOptions = { edge, task: task.index };
    return Object.freeze({ connector: EXCHANGE, options });
  }
  if (task.count === 1) return source;
  const options: PartScanOptions = { source, ...task };
  return Object.freeze({ connector: PART, options });
}

/**
 * Splits that a task reads: contiguous runs of about equal bytes, all splits in order when the tasks are. The same in
 * every task that has found the same splits.
 */
export function splitsOfTask<S extends { readonly estimatedBytes: number }>(
  splits: readonly S[],
  task: { readonly index: number; readonly count: number },
): S[] {
  const total = splits.reduce((sum, { estimatedBytes }) => sum + weightOf(estimatedBytes), 0);
  let before = 0;
  return splits.filter(({ estimatedBytes }) => {
    const weight = weightOf(estimatedBytes);
    const owner = Math.min(task.count - 1, Math.floor(((before + weight / 2) * task.count) / total));
    before += weight;
    return owner === task.index;
  });
}

/** Splits of which nothing is known count too. */
function weightOf(bytes: number): number {
  return Number.isFinite(bytes) && bytes > 0 ? bytes : 1;
}

/** Which rows of a sorted sample are the bounds between so many parts: at most one less, without repeats. */
export function boundRows(sampleRows: number, parts: number): number[] {
  const rows = Array.from({ length: parts - 1 }, (_, i) => Math.floor(((i + 1) * sampleRows) / parts));
  return [...new Set(rows)].filter((row) => row > 0 && row < sampleRows);
}
