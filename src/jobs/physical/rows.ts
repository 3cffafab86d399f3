/** Operators that work on single rows, unions and limits. */
import { type Schema, schema } from "../../arrow/mod.ts";
import type {
  FilterNode,
  LimitNode,
  PlanNode,
  ProjectNode,
  SortNode,
  UnionNode,
  UnnestNode,
  UserFunctionNode,
} from "../../plan/mod.ts";
import { type Builder, fused, visible } from "./builder.ts";
import { columnOf, fieldNamed, namesOf, orderKey } from "./columns.ts";
import { NO_ORDER, type Open } from "./open.ts";
import { restored } from "./sort.ts";

/** Hidden columns that tell the order. */
export function orderColumns(open: Open): readonly string[] {
  return open.order.kind === "columns" ? open.order.columns : [];
}

function withHidden(of: Schema, open: Open): Schema {
  const hidden = orderColumns(open).map((name) => fieldNamed(open.node.schema, name));
  return hidden.length === 0 ? of : schema([...of.fields, ...hidden]);
}

export function planFilter(builder: Builder, node: FilterNode, input: Open): Open {
  const open = builder.live(input);
  return { ...open, node: Object.freeze({ ...node, input: open.node, schema: open.node.schema }) };
}

export function planProject(builder: Builder, node: ProjectNode, input: Open): Open {
  const open = builder.live(input);
  const hidden = orderColumns(open).map((name) => {
    return { name, expression: columnOf(fieldNamed(open.node.schema, name)) };
  });
  const columns = Object.freeze([...node.columns, ...hidden]);
  const projected = Object.freeze({ ...node, input: open.node, columns, schema: withHidden(node.schema, open) });
  return { ...open, node: projected, hashed: renamed(open.hashed, node) };
}

/** Under the names that columns have behind a projection; a set is lost when one of them is. */
function renamed(hashed: Open["hashed"], { columns }: Pick<ProjectNode, "columns">): Open["hashed"] {
  const nameOf = (before: string): string | undefined => {
    return columns.find(({ expression }) => expression.kind === "column" && expression.name === before)?.name;
  };
  return hashed.flatMap((names) => {
    const after = names.map(nameOf);
    return after.every((name) => name !== undefined) ? [after] : [];
  });
}

export function planUnnest(builder: Builder, node: UnnestNode, input: Open): Open {
  const open = builder.live(input);
  const fields = open.node.schema.fields.map((each) => {
    return each.name === node.column ? fieldNamed(node.schema, node.column) : each;
  });
  const hashed = open.hashed.filter((names) => !names.includes(node.column));
  return { ...open, hashed, node: Object.freeze({ ...node, input: open.node, schema: schema(fields) }) };
}

/** Functions get the visible columns, and so the rows in order before. */
export function planUserFunction(builder: Builder, node: UserFunctionNode, input: Open): Open {
  const open = visible(builder.live(restored(builder, input)), node.input.schema);
  const isRepeatable = open.isRepeatable && !(node.mode === "mapBatches" && open.varies);
  const hashed = node.mode === "filter" ? open.hashed : [];
  return { ...open, hashed, isRepeatable, node: Object.freeze({ ...node, input: open.node }) };
}

/**
 * In one fragment where that keeps the order that is wanted, or none is. Else each task of each input is a task of the
 * union, in their order.
 */
export function planUnion(
  builder: Builder,
  node: UnionNode,
  of: { readonly inputs: readonly Open[]; readonly isOrdered: boolean },
): Open {
  const opens = of.inputs.map((input, i) => {
    const ready = of.isOrdered ? restored(builder, input) : input;
    return visible(builder.live(ready), (node.inputs[i] as PlanNode).schema);
  });
  const sizes = new Set(opens.map(({ parallelism }) => parallelism));
  if (sizes.size === 1 && (!of.isOrdered || sizes.has(1))) return unionOf(node, opens);
  const parallelism = opens.reduce((sum, open) => sum + open.parallelism, 0);
  let offset = 0;
  const moved = opens.map((open) => {
    const there = builder.cross(open, { kind: "forward", offset }, { parallelism });
    offset += open.parallelism;
    return there;
  });
  return { ...unionOf(node, moved), order: of.isOrdered ? { kind: "position" } : NO_ORDER };
}

function unionOf(node: UnionNode, opens: readonly Open[]): Open {
  const inputs = Object.freeze(opens.map((open) => open.node));
  return fused(opens, Object.freeze({ ...node, inputs }));
}

export function planLimit(builder: Builder, node: LimitNode, input: Open): Open {
  const open = builder.live(input);
  const isRepeatable = open.isRepeatable && !open.varies;
  const columns = orderColumns(open);
  if (columns.length > 0) return firstByColumns(builder, node, { open: { ...open, isRepeatable }, columns });
  const limited = (over: Open, range: { readonly count: number; readonly offset: number }): Open => {
    return {
      ...over,
      isRepeatable,
      node: Object.freeze({ ...node, ...range, input: over.node, schema: over.node.schema }),
    };
  };
  if (open.parallelism === 1) return limited(open, node);
  const local = limited(open, { count: node.count + node.offset, offset: 0 });
  return limited(builder.gathered(local), node);
}

/** The first rows by hidden columns are a top-k. */
function firstByColumns(
  builder: Builder,
  node: LimitNode,
  of: { readonly open: Open; readonly columns: readonly string[] },
): Open {
  const top = (over: Open, range: { readonly limit: number; readonly offset: number }): Open => {
    const keys = of.columns.map((name) => orderKey(over.node.schema, name));
    const sorted: SortNode = { kind: "sort", id: node.id, input: over.node, schema: over.node.schema, keys, ...range };
    return { ...over, node: Object.freeze(sorted) };
  };
  const end = node.count + node.offset;
  const local = of.open.parallelism === 1 ? of.open : top(of.open, { limit: end, offset: 0 });
  const whole = top(builder.gathered(local), { limit: node.count, offset: node.offset });
  const kept = namesOf(whole.node.schema).filter((name) => !of.columns.includes(name));
  const wanted = schema(kept.map((name) => fieldNamed(whole.node.schema, name)));
  return { ...visible(whole, wanted), order: { kind: "position" } };
}
