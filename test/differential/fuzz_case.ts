import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import type { Arena } from "../../src/arrow/mod.ts";
import { InlinePool } from "../../src/exec/mod.ts";
import { userFunctionsOf } from "../../src/plan/mod.ts";
import { type Case, randomCase } from "./plans.ts";
import { Random } from "./random.ts";
import { type Outcome, runCase } from "./run_case.ts";
import { randomTable, sqlTable } from "./tables.ts";

const WORKER_COUNTS = [1, 2, 5];
const SIZES = [
  { batchRows: 65_536, morselRows: 16_384 },
  { batchRows: 8, morselRows: 3 },
  { batchRows: 1000, morselRows: 7 },
];

/**
 * Optimisers of DuckDB 1.5 that change results: the first takes `0 <= TRY_CAST(x AS INTEGER)` for true where `x` does not
 * fit, the others move conditions and keys of joins below limits.
 */
const WRONG_OPTIMISERS = "expression_rewriter,filter_pushdown,join_order,join_filter_pushdown";

export async function connectDuckDb(): Promise<DuckDBConnection> {
  const connection = await (await DuckDBInstance.create(":memory:")).connect();
  await connection.run("SET ieee_floating_point_ops = true; SET threads = 1");
  await connection.run(`SET disabled_optimizers = '${WRONG_OPTIMISERS}'`);
  return connection;
}

/** For cases that are run row by row, or many times. */
export const CASE_ROWS_MAX = 3_000;

/**
 * A case over two random tables, which are then in DuckDB as well.
 *
 * @param rowsMax intermediate results of more rows count as too large
 */
export async function caseIn(
  connection: DuckDBConnection,
  random: Random,
  rowsMax: number = Number.POSITIVE_INFINITY,
): Promise<Case> {
  const tables = ["t", "u"].map((name) => randomTable(random, name));
  for (const table of tables) for (const statement of sqlTable(table)) await connection.run(statement);
  return await randomCase(random, tables, async (sql) => {
    try {
      // Columns are computed as well, so that what DuckDB refuses shows.
      const reader = await connection.runAndReadAll(`SELECT count(q) FROM ${sql} q`);
      const rows = Number(reader.getRows()[0]?.[0]);
      return rows > rowsMax ? Number.POSITIVE_INFINITY : rows;
    } catch {
      return null;
    }
  });
}

/** Makes and runs the case of a seed, with a random number of workers and random batch sizes. */
export async function fuzzCase(
  seed: number,
  engines: { readonly arena: Arena; readonly connection: DuckDBConnection },
): Promise<{ given: Case; outcome: Outcome }> {
  const random = new Random(seed);
  const { arena, connection } = engines;
  const given = await caseIn(connection, random);
  const size = random.pick(WORKER_COUNTS);
  const userFunctions = userFunctionsOf({ name: "case", roots: [given.query.node] });
  // Tables are in memory: nothing reads files.
  const pool = new InlinePool({ arena, tools: null as never, userFunctions, size });
  const outcome = await runCase(given, { connection, pool, ...random.pick(SIZES) });
  return { given, outcome };
}
