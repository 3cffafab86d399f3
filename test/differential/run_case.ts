import type { DuckDBConnection } from "@duckdb/node-api";
import { type Arena, type Batch, BatchBuilder, type Cell, releaseBatch, rowsOf, schema } from "../../src/arrow/mod.ts";
import { executePlan, type Pool } from "../../src/exec/mod.ts";
import { bind, optimise } from "../../src/plan/mod.ts";
import { differenceOf, type Plain, plainOfCell, plainOfDuck } from "./compare.ts";
import type { Case } from "./plans.ts";
import type { TestTable } from "./tables.ts";

export type Outcome =
  | { readonly kind: "equal"; readonly rows: number }
  /** Both sides, or one because of values that are out of range, refused. */
  | { readonly kind: "refused"; readonly reason: string }
  | { readonly kind: "different"; readonly difference: string };

/** Errors that depend on which rows an expression is computed for: not compared between engines. */
const RANGE_ERROR =
  /overflow|out of range|divisionByZero|does not fit|castFailed|Could not convert|Conversion Error|precision/i;

const BATCH_ROWS = 16;

export interface Engines {
  readonly connection: DuckDBConnection;
  readonly pool: Pool;
  readonly batchRows: number;
  readonly morselRows: number;
}

export async function runCase(given: Case, engines: Engines): Promise<Outcome> {
  const theirs = await runDuckDb(given, engines.connection);
  const ours = await runSage(given, engines);
  if ("error" in ours || "error" in theirs) return judgeErrors(ours, theirs);
  const types = given.query.fields.map((field) => field.type);
  const difference = differenceOf(ours.rows, theirs.rows, { types, ordered: given.ordered });
  return difference === null ? { kind: "equal", rows: ours.rows.length } : { kind: "different", difference };
}

type Answer = { readonly rows: Plain[][] } | { readonly error: string };

function judgeErrors(ours: Answer, theirs: Answer): Outcome {
  const text = [ours, theirs].map((answer) => ("error" in answer ? answer.error : "rows"));
  const reason = `SAGE: ${text[0]}; DuckDB: ${text[1]}`;
  const excusable = [ours, theirs].every((answer) => !("error" in answer) || RANGE_ERROR.test(answer.error));
  return excusable ? { kind: "refused", reason } : { kind: "different", difference: reason };
}

async function runDuckDb(given: Case, connection: DuckDBConnection): Promise<Answer> {
  try {
    const reader = await connection.runAndReadAll(`SELECT * FROM ${given.query.sql} q`);
    const rows = reader.getRows().map((row) => {
      return given.query.fields.map((field, i) => plainOfDuck(field.type, row[i]));
    });
    return { rows };
  } catch (error) {
    return { error: String(error) };
  }
}

async function runSage(given: Case, engines: Engines): Promise<Answer> {
  const { pool, batchRows, morselRows } = engines;
  const before = pool.arena.bytesInUse();
  const tables = new Map(given.tables.map((table) => [table.name, batchesOf(pool.arena, table)]));
  let answer: Answer;
  try {
    const logical = { name: "case", roots: [given.query.node] };
    const schemas = new Map(given.tables.map((table) => [table.name, schema([...table.fields])]));
    const bound = bind(logical, (spec) => schemas.get(String(spec.options["table"])) as never);
    const plan = optimise(bound);
    const execution = executePlan(plan, pool, { tools: null as never, tables, batchRows, morselRows });
    try {
      const rows: Plain[][] = [];
      for await (const batch of execution.rows(0)) {
        for (const row of rowsOf(pool.arena, batch)) {
          rows.push(given.query.fields.map((field) => plainOfCell(field.type, row[field.name] as Cell)));
        }
        releaseBatch(pool.arena, batch);
      }
      answer = { rows };
    } finally {
      await execution.close();
    }
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    answer = { error: `${code} ${error instanceof Error ? (error.stack ?? error.message) : String(error)}` };
  }
  for (const batches of tables.values()) for (const batch of batches) releaseBatch(pool.arena, batch);
  const leaked = pool.arena.bytesInUse() - before;
  return leaked === 0
    ? answer
    : { error: `${leaked} bytes were not given back; ${"error" in answer ? answer.error : ""}` };
}

/** The table in short batches, also when it is empty. */
export function batchesOf(arena: Arena, table: TestTable): Batch[] {
  const batches: Batch[] = [];
  const tableSchema = schema([...table.fields]);
  for (let start = 0; start < Math.max(1, table.rows.length); start += BATCH_ROWS) {
    const builder = new BatchBuilder(arena, tableSchema, 0, BATCH_ROWS);
    for (const row of table.rows.slice(start, start + BATCH_ROWS)) builder.appendValues([...row]);
    batches.push(builder.finish());
  }
  return batches;
}
