/** Dataflows over two tables, and what one machine gives for them. */
import { Arena, type CellInput, type Schema, schema as schemaOf } from "../../src/arrow/mod.ts";
import { executePlan, InlinePool } from "../../src/exec/mod.ts";
import { type PhysicalOptions, type PhysicalPlan, planPhysical } from "../../src/jobs/mod.ts";
import {
  bind,
  type LogicalPlan,
  type OperatorId,
  optimise,
  type Plan,
  planInputs,
  type UserFunction,
  withInputs,
} from "../../src/plan/mod.ts";
import { nodeCompression } from "../../src/platform/compression.ts";
import { nodeDisk } from "../../src/platform/disk.ts";
import { type Row, takeRows } from "../jobs/physical/exchanges.ts";
import { TABLE, tables } from "./table_source.ts";

type Node = Plan["roots"][number];

/** The optimised plan of a dataflow over tables. */
export function planned(logical: LogicalPlan): Plan {
  const tableOf = (options: { readonly [key: string]: unknown }) => tables.get(String(options["table"]));
  const bound = bind(logical, ({ options }) => tableOf(options)?.schema ?? schemaOf([]));
  const statistics = { rowCount: ({ options }: { options: object }) => tableOf(options as never)?.rows.length ?? null };
  return withConnector(optimise(bound, statistics));
}

/** Scans of tables "in memory" read the tables of this process instead. */
export function withConnector(plan: Plan): Plan {
  const done = new Map<Node, Node>();
  const rewrite = (node: Node): Node => {
    const known = done.get(node);
    if (known !== undefined) return known;
    const isMemory = node.kind === "scan" && node.source.connector === "memory";
    const after = isMemory
      ? { ...node, source: { connector: TABLE, options: node.source.options } }
      : withInputs(node, planInputs(node).map(rewrite));
    done.set(node, after);
    return after;
  };
  return { ...plan, roots: plan.roots.map(rewrite) };
}

export function physicalOf(plan: Plan, options: Partial<PhysicalOptions>): PhysicalPlan {
  const facts: PhysicalOptions["facts"] = ({ options: of }) => {
    return { rowCount: tables.get(String(of["table"]))?.rows.length ?? null, splitCount: null };
  };
  return planPhysical(plan, { slots: 7, facts, ...options });
}

/** Rows by root, of sinks those that they are given. */
export async function runWhole(plan: Plan, userFunctions: ReadonlyMap<OperatorId, UserFunction>): Promise<Row[][]> {
  const arena = Arena.create({ limitBytes: 1 << 28 });
  const tools = { disk: nodeDisk(), compression: nodeCompression() };
  const pool = new InlinePool({ arena, tools, userFunctions });
  const roots = plan.roots.map((root) => (root.kind === "sink" ? root.input : root));
  const execution = executePlan({ ...plan, roots }, pool, { tools });
  try {
    const all: Row[][] = [];
    for (const i of roots.keys()) all.push(await takeRows(arena, execution.rows(i)));
    return all;
  } finally {
    await execution.close();
  }
}

export function rowsAsCells(schema: Schema, rows: readonly Readonly<Record<string, CellInput>>[]): CellInput[][] {
  return rows.map((row) => schema.fields.map(({ name }) => row[name] ?? null));
}
