import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { type Batch, gatherColumn, releaseBatch } from "../src/arrow/mod.ts";
import { createEngine, type Engine } from "../src/platform/mod.ts";
import { Stream } from "../src/stream/mod.ts";

/** Both engines with the same tables in memory: made by SQL in DuckDB, handed over as Parquet. */
export interface Setting extends AsyncDisposable {
  readonly connection: DuckDBConnection;
  readonly engine: Engine;
  readonly tables: Map<string, readonly Batch[]>;
}

export interface TableSpec {
  readonly name: string;
  /** A query that gives the rows. */
  readonly sql: string;
  /** Columns that SAGE holds as plain strings although the file has dictionaries. */
  readonly plain?: readonly string[];
}

/** Rows of a row group and so of a batch in memory. */
const GROUP_ROWS = 122_880;
const THREADS = 2;
const MEMORY_BYTES = 3.5 * 2 ** 30;

export async function openSetting(specs: readonly TableSpec[]): Promise<Setting> {
  const directory = mkdtempSync(join(tmpdir(), "sage-bench-"));
  const connection = await (await DuckDBInstance.create(":memory:")).connect();
  await connection.run(`SET threads = ${THREADS}`);
  const engine = await createEngine({ workers: THREADS, memoryBytes: MEMORY_BYTES });
  const tables = new Map<string, readonly Batch[]>();
  try {
    for (const spec of specs) {
      const path = join(directory, `${spec.name}.parquet`);
      await connection.run(`CREATE TABLE ${spec.name} AS ${spec.sql}`);
      await connection.run(`COPY ${spec.name} TO '${path}' (FORMAT parquet, ROW_GROUP_SIZE ${GROUP_ROWS})`);
      tables.set(spec.name, await load(engine, path, spec.plain ?? []));
      rmSync(path);
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
  return {
    connection,
    engine,
    tables,
    [Symbol.asyncDispose]: async () => {
      await engine.close();
      connection.closeSync();
    },
  };
}

async function load(engine: Engine, path: string, plain: readonly string[]): Promise<Batch[]> {
  const batches: Batch[] = [];
  await using run = await engine.run({ name: "load", roots: [Stream.fromParquet(path).node] });
  for await (const batch of run.roots[0]?.batches ?? []) batches.push(withoutDictionaries(engine, batch, plain));
  return batches;
}

function withoutDictionaries(engine: Engine, batch: Batch, names: readonly string[]): Batch {
  if (names.length === 0) return batch;
  const rows = Uint32Array.from({ length: batch.rowCount }, (_, i) => i);
  const blocks = [...batch.blocks];
  const columns = batch.columns.map((column, i) => {
    if (!names.includes(batch.schema.fields[i]?.name ?? "") || column.dictionary === null) return column;
    const decoded = gatherColumn(engine.arena, { ...column, type: column.dictionary.type }, { rows, owner: 0 });
    blocks.push(...decoded.blocks);
    return decoded.column;
  });
  return { ...batch, columns, blocks };
}

export function dropBatches(engine: Engine, batches: Iterable<Batch>): void {
  for (const batch of batches) releaseBatch(engine.arena, batch);
}
