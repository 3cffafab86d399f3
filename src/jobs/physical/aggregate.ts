import type { AggregateNode, NamedExpression } from "../../plan/mod.ts";
import type { Builder } from "./builder.ts";
import { isColumn, namesOf } from "./columns.ts";
import { takesFirst } from "./needs.ts";
import { NO_ORDER, type Open } from "./open.ts";
import { sortedWithinTasks } from "./sort.ts";
import { canSplit, finalOf, partialOf, type TwoPhases, twoPhases } from "./two_phase.ts";

/**
 * In the tasks as they are where each has all rows of its groups; else groups are made task by task, sent to the task
 * that their keys name and made one there. Where an aggregate cannot be made in two phases the rows themselves are sent.
 */
export function planAggregate(builder: Builder, node: AggregateNode, input: Open): Open {
  const open = builder.live(input);
  const isFirst = takesFirst(node);
  const isRepeatable = open.isRepeatable && !(isFirst && open.varies);
  const here = { ...open, isRepeatable };
  if (open.parallelism === 1 || isSharedOut(node, open))
    return aggregated(node, isFirst ? sortedWithinTasks(here) : here);
  if (!canSplit(node) || (isFirst && open.order.kind === "columns")) return inOnePhase(builder, node, here);
  return inTwoPhases(builder, node, here);
}

/** Whether rows of one group are in one task already. */
function isSharedOut(node: AggregateNode, { hashed }: Open): boolean {
  const names = node.keys.flatMap(({ expression }) => (isColumn(expression) ? [expression.name] : []));
  return hashed.some((columns) => columns.every((name) => names.includes(name)));
}

function aggregated(node: AggregateNode, open: Open): Open {
  const over = Object.freeze({ ...node, input: open.node });
  return {
    ...open,
    node: over,
    order: NO_ORDER,
    hashed: behindKeys(open.hashed, node.keys),
    varies: open.varies || node.keys.length > 0,
  };
}

/** Sets of columns under the names that the keys give them. */
function behindKeys(hashed: Open["hashed"], keys: readonly NamedExpression[]): Open["hashed"] {
  return hashed.flatMap((columns) => {
    const names = columns.map((column) =>
      keys.find(({ expression }) => isColumn(expression) && expression.name === column),
    );
    return names.every((key) => key !== undefined) ? [names.map(({ name }) => name)] : [];
  });
}

function inOnePhase(builder: Builder, node: AggregateNode, open: Open): Open {
  const isFirst = takesFirst(node);
  if (node.keys.length === 0) {
    const there = builder.gathered(open);
    return aggregated(node, isFirst ? sortedWithinTasks(there) : there);
  }
  const columns = namesOf(open.node.schema);
  const keyed = builder.keyed(
    open,
    node.keys.map(({ expression }) => expression),
  );
  const parallelism = builder.tasksFor(open.estimatedRows);
  const there = builder.cross(keyed.open, { kind: "hash", keys: keyed.names }, { parallelism, columns });
  return { ...aggregated(node, isFirst ? sortedWithinTasks(there) : there), hashed: [keyNames(node)] };
}

function inTwoPhases(builder: Builder, node: AggregateNode, open: Open): Open {
  const phases: TwoPhases = twoPhases(builder, node);
  const partial = { ...open, node: partialOf(phases, node, open.node), hashed: [] };
  if (node.keys.length === 0) {
    const there = builder.gathered(partial);
    return { ...there, node: finalOf(phases, node, there.node), order: NO_ORDER };
  }
  const parallelism = builder.tasksFor(open.estimatedRows);
  const keys = keyNames(node);
  const there = builder.cross(partial, { kind: "hash", keys }, { parallelism, columns: namesOf(partial.node.schema) });
  return { ...there, node: finalOf(phases, node, there.node), order: NO_ORDER, hashed: [keys], varies: true };
}

function keyNames({ keys }: AggregateNode): string[] {
  return keys.map(({ name }) => name);
}
