/** Runs one aggregation over rows in the arena and gives its rows as JavaScript values. */
import {
  Arena,
  type Batch,
  batchFromRows,
  type Cell,
  type CellInput,
  type DataType,
  decimal,
  field,
  float64,
  int64,
  isInteger,
  isSignedInteger,
  releaseBatch,
  rowsOf,
  type Schema,
  schema,
  uint64,
} from "../../../src/arrow/mod.ts";
import { executePlan, InlinePool } from "../../../src/exec/mod.ts";
import type { AggregateCall, AggregateFunction, PlanNode, TypedExpression } from "../../../src/plan/mod.ts";

export type Row = { readonly [name: string]: CellInput };
export type ResultRow = Record<string, Cell>;

export const arena = Arena.create({ limitBytes: 2 ** 31 });

export interface AggregateCase {
  readonly schema: Schema;
  readonly rows: readonly Row[];
  readonly keys: readonly string[];
  /** [function, column or null, quantile]. */
  readonly aggregates: readonly (readonly [AggregateFunction, string | null, number?])[];
  readonly filter?: TypedExpression;
  /** Arguments are made decimals first. */
  readonly widens?: boolean;
  readonly workers?: number;
  readonly batchRows?: number;
  readonly morselRows?: number;
  readonly arena?: Arena;
}

export function column(of: Schema, name: string): TypedExpression {
  const found = of.fields.find((f) => f.name === name);
  if (found === undefined) throw new Error(`no column ${name}`);
  const type = found.type.kind === "dictionary" ? found.type.value : found.type;
  return { kind: "column", name, type, nullable: found.nullable };
}

export function resultType(fn: AggregateFunction, type: DataType | undefined): DataType {
  if (fn === "count" || fn === "countDistinct") return int64;
  if (fn === "avg" || fn === "variance" || fn === "stddev" || fn === "quantile") return float64;
  if (type === undefined) throw new Error(`${fn} wants an argument`);
  if (fn !== "sum") return type;
  if (type.kind === "decimal") return decimal(38, type.scale);
  if (isInteger(type)) return isSignedInteger(type) ? int64 : uint64;
  return float64;
}

export function aggregateName(fn: AggregateFunction, name: string | null, quantile?: number): string {
  return `${fn}_${name ?? "rows"}${quantile === undefined ? "" : `_${quantile}`}`;
}

function argumentOf({ widens }: AggregateCase, operand: TypedExpression): TypedExpression {
  if (widens !== true) return operand;
  return { kind: "cast", operand, type: decimal(38, 0), onError: "fail", nullable: operand.nullable };
}

function planOf(test: AggregateCase): PlanNode {
  const calls: AggregateCall[] = test.aggregates.map(([fn, name, quantile]) => ({
    name: aggregateName(fn, name, quantile),
    fn,
    argument: name === null ? null : argumentOf(test, column(test.schema, name)),
    ...(quantile === undefined ? {} : { quantile }),
  }));
  const scan: PlanNode = {
    kind: "scan",
    id: 1,
    schema: test.schema,
    source: { connector: "memory", options: { table: "t" } },
    predicate: null,
    rowLimit: null,
  };
  const input: PlanNode =
    test.filter === undefined
      ? scan
      : { kind: "filter", id: 2, schema: test.schema, input: scan, predicate: test.filter };
  const keys = test.keys.map((name) => ({ name, expression: column(test.schema, name) }));
  const fields = [
    ...keys.map(({ name, expression }) => field(name, expression.type, true)),
    ...calls.map((call) => field(call.name, resultType(call.fn, call.argument?.type), true)),
  ];
  return { kind: "aggregate", id: 3, schema: schema(fields), input, keys, aggregates: calls };
}

/** The result's rows; fails when anything is left in the arena. */
export async function runAggregation(test: AggregateCase): Promise<ResultRow[]> {
  const memory = test.arena ?? arena;
  const before = memory.bytesInUse();
  const { batchRows = 65_536, morselRows = 16_384 } = test;
  const batches: Batch[] = [];
  for (let start = 0; start < test.rows.length; start += batchRows) {
    batches.push(batchFromRows(memory, test.schema, test.rows.slice(start, start + batchRows), 0));
  }
  const free = () => {
    for (const batch of batches) releaseBatch(memory, batch);
    if (memory.bytesInUse() !== before) throw new Error(`${memory.bytesInUse() - before} bytes are left`);
  };
  const rows = await runOver(test, { memory, batches, batchRows, morselRows }).catch((error: unknown) => {
    free();
    throw error;
  });
  free();
  return rows;
}

async function runOver(
  test: AggregateCase,
  on: {
    readonly memory: Arena;
    readonly batches: readonly Batch[];
    readonly batchRows: number;
    readonly morselRows: number;
  },
): Promise<ResultRow[]> {
  const { memory, batches, batchRows, morselRows } = on;
  const tools = null as never; // nothing is read from files here
  const pool = new InlinePool({ arena: memory, tools, userFunctions: new Map(), size: test.workers ?? 1 });
  const plan = { name: "test", roots: [planOf(test)] };
  const execution = executePlan(plan, pool, { tools, batchRows, morselRows, tables: new Map([["t", batches]]) });
  const rows: ResultRow[] = [];
  try {
    for await (const batch of execution.rows(0)) {
      rows.push(...rowsOf(memory, batch));
      releaseBatch(memory, batch);
    }
  } finally {
    await execution.close();
    await pool.close();
  }
  return rows;
}

/** Text by which rows of equal values are equal: floats rounded, as sums are added in another order. */
export function rowText(row: ResultRow): string {
  return JSON.stringify(row, (_, value: unknown) => {
    if (typeof value === "bigint") return `${value}n`;
    if (value instanceof Uint8Array) return `bytes ${value.join(",")}`;
    if (typeof value !== "number") return value;
    if (Object.is(value, -0)) return 0;
    return Number.isFinite(value) ? Number(value.toPrecision(9)) : String(value);
  });
}

export function sortedTexts(rows: readonly ResultRow[]): string[] {
  return rows.map(rowText).sort();
}
