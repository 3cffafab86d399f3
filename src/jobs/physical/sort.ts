import { schema } from "../../arrow/mod.ts";
import type { PlanNode, SortKey, SortNode } from "../../plan/mod.ts";
import { type Builder, visible } from "./builder.ts";
import { columnNamed, fieldNamed, namesOf, orderKey, selected } from "./columns.ts";
import type { RangeKey } from "./model.ts";
import { BY_POSITION, type Open } from "./open.ts";

/** Rows of a top-k are kept by every task; of more rows the whole is sorted. */
export const TOP_ROWS_MAX = 1 << 20;

export function planSort(builder: Builder, node: SortNode, input: Open): Open {
  const open = builder.live(input);
  const columns = open.order.kind === "columns" ? open.order.columns : [];
  const keys = [...node.keys, ...columns.map((name) => orderKey(open.node.schema, name))];
  const sorted = sortedBy(builder, open, { node: { ...node, keys }, hidden: columns });
  return sorted;
}

/** The rows in order task by task, without the columns that told it. */
export function restored(builder: Builder, input: Open): Open {
  if (input.order.kind !== "columns") return input;
  const open = builder.live(input);
  const { columns } = input.order;
  const keys = columns.map((name) => orderKey(open.node.schema, name));
  const node: SortNode = {
    kind: "sort",
    id: open.node.id,
    input: open.node,
    schema: open.node.schema,
    keys,
    limit: null,
    offset: 0,
  };
  return sortedBy(builder, open, { node, hidden: columns });
}

/** Rows of one task by hidden columns; the others stay as they are. */
export function sortedWithinTasks(open: Open): Open {
  if (open.order.kind !== "columns") return open;
  const keys = open.order.columns.map((name) => orderKey(open.node.schema, name));
  return { ...open, node: sortOf(open.node, { id: open.node.id, keys, limit: null, offset: 0 }) };
}

interface Sorting {
  readonly node: SortNode;
  /** Columns of the order, which are of no use after. */
  readonly hidden: readonly string[];
}

function sortedBy(builder: Builder, open: Open, sorting: Sorting): Open {
  const { node, hidden } = sorting;
  const isRepeatable = open.isRepeatable && !(open.varies && node.limit !== null);
  const kept = namesOf(open.node.schema).filter((name) => !hidden.includes(name));
  const wanted = schema(kept.map((name) => fieldNamed(open.node.schema, name)));
  const done = (sorted: Open): Open => ({ ...visible(sorted, wanted), order: BY_POSITION, hashed: [] });
  const whole = (over: Open): Open => ({ ...over, node: sortOf(over.node, node) });
  if (open.parallelism === 1) return done({ ...whole(open), isRepeatable });
  const end = node.limit === null ? null : node.limit + node.offset;
  if (end !== null && end <= TOP_ROWS_MAX) {
    const local = { ...open, isRepeatable, node: sortOf(open.node, { ...node, limit: end, offset: 0 }) };
    return done(whole(builder.gathered(local)));
  }
  const isSmall = builder.options.parallelism === null && isAtMost(open.estimatedRows, builder.options.gatherRowsMax);
  if (isSmall || end !== null) return done(whole(builder.gathered(open)));
  return done(sortedByRanges(builder, open, node));
}

function isAtMost(rows: number | null, most: number): boolean {
  return rows !== null && rows <= most;
}

function sortOf(input: PlanNode, of: Pick<SortNode, "id" | "keys" | "limit" | "offset">): SortNode {
  const { id, keys, limit, offset } = of;
  return Object.freeze({ kind: "sort", id, input, schema: input.schema, keys, limit, offset });
}

/**
 * The whole order, in ranges: samples of all tasks give the bounds, every row goes to the task of its range, which sorts
 * it among its like. The rows wait in between, so that they are computed once.
 */
function sortedByRanges(builder: Builder, open: Open, node: SortNode): Open {
  const columns = namesOf(open.node.schema);
  const keyed = builder.keyed(
    open,
    node.keys.map(({ expression }) => expression),
  );
  const from = { ...keyed.open, sealed: builder.seal(keyed.open) };
  if (open.varies) builder.markUnrepeatable(from.sealed);
  const names = [...new Set(keyed.names)];
  const way = { kind: "gather", sampleRowsMax: builder.options.sampleRowsMax } as const;
  const sample = builder.cross(from, way, { parallelism: 1, columns: names });
  const keys = node.keys.map((key, i): SortKey => {
    return { ...key, expression: columnNamed(keyed.open.node.schema, keyed.names[i] as string) };
  });
  const bounds = { ...sample, node: sortOf(sample.node, { id: node.id, keys, limit: null, offset: 0 }) };
  const boundsFrom = builder.boundsInput(bounds, from.parallelism);
  const rows = builder.live(from);
  const sharing = { ...rows, inputs: [...rows.inputs, boundsFrom] };
  const rangeKeys = node.keys.map((key, i): RangeKey => {
    return { column: keyed.names[i] as string, descending: key.descending, nullsFirst: key.nullsFirst };
  });
  const parallelism = builder.tasksFor(open.estimatedRows);
  const range = { kind: "range", keys: rangeKeys, boundsFrom } as const;
  const there = builder.cross(sharing, range, { parallelism, columns });
  const sorted = sortOf(there.node, node);
  return { ...there, node: Object.freeze({ ...sorted, schema: selected(there.node.schema, columns) }) };
}
