/** Hand-written dataflows over two tables, run whole and in tasks. */
import { Arena, type Batch, batchFromRows, type CellInput, releaseBatch, type Schema } from "../../../src/arrow/mod.ts";
import { explainPhysical, type PhysicalOptions, type PhysicalPlan, planPhysical } from "../../../src/jobs/mod.ts";
import { bind, type LogicalNode, optimise, type Plan, userFunctionsOf } from "../../../src/plan/mod.ts";
import { Stream } from "../../../src/stream/mod.ts";
import type { Row } from "./exchanges.ts";
import { runTasks, runWhole, type Setup } from "./harness.ts";

export interface TableOf {
  readonly schema: Schema;
  readonly rows: readonly Readonly<Record<string, CellInput>>[];
}

const BATCH_ROWS = 37;

export interface Outcome {
  readonly rows: Row[][];
  readonly physical: PhysicalPlan;
  readonly text: string;
}

export interface Compared {
  readonly whole: Row[][];
  /** By option. */
  readonly outcomes: readonly Outcome[];
}

type Roots = (streams: { readonly [name: string]: Stream }) => readonly { readonly node: LogicalNode }[];

export function memoryScan(table: string): LogicalNode {
  return { kind: "scan", source: { connector: "memory", options: { table } } };
}

/** Runs the flow both ways; everything has to be free after it. */
export async function compareFlow(
  build: Roots,
  of: {
    readonly tables: Readonly<Record<string, TableOf>>;
    readonly options: readonly Partial<PhysicalOptions>[];
    readonly optimised?: boolean;
  },
): Promise<Compared> {
  const arena = Arena.create({ limitBytes: 1 << 28 });
  const streams = Object.fromEntries(Object.keys(of.tables).map((name) => [name, new Stream(memoryScan(name))]));
  const logical = { name: "flow", roots: build(streams).map(({ node }) => node) };
  const bound = bind(logical, (spec) => (of.tables[String(spec.options["table"])] as TableOf).schema);
  const facts: PhysicalOptions["facts"] = ({ options }) => {
    return { rowCount: of.tables[String(options["table"])]?.rows.length ?? null, splitCount: null };
  };
  const statistics = { rowCount: (spec: Parameters<typeof facts>[0]) => facts(spec).rowCount };
  const plan: Plan = of.optimised === false ? bound : optimise(bound, statistics);
  const tables = new Map<string, Batch[]>();
  for (const [name, table] of Object.entries(of.tables)) tables.set(name, batchesOf(arena, table));
  const before = arena.bytesInUse();
  const setup: Setup = { arena, tables, userFunctions: userFunctionsOf(logical) };
  const whole = await runWhole(plan, setup);
  const outcomes: Outcome[] = [];
  for (const each of of.options) {
    const physical = planPhysical(plan, { slots: 7, facts, ...each });
    outcomes.push({ rows: await runTasks(physical, setup), physical, text: explainPhysical(physical) });
  }
  if (arena.bytesInUse() !== before) throw new Error(`${arena.bytesInUse() - before} bytes were not given back`);
  for (const batches of tables.values()) for (const batch of batches) releaseBatch(arena, batch);
  return { whole, outcomes };
}

function batchesOf(arena: Arena, table: TableOf): Batch[] {
  const batches: Batch[] = [];
  for (let start = 0; start < Math.max(1, table.rows.length); start += BATCH_ROWS) {
    batches.push(batchFromRows(arena, table.schema, table.rows.slice(start, start + BATCH_ROWS), 0));
  }
  return batches;
}

export function texts(rows: readonly Row[]): string[] {
  return rows.map((row) => {
    return JSON.stringify(row, (_, value: unknown) => {
      if (typeof value === "bigint") return `${value}n`;
      return typeof value === "number" && !Number.isInteger(value) ? value.toPrecision(9) : value;
    });
  });
}
