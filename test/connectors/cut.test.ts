import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Schema } from "../../src/arrow/mod.ts";
import { sourceOf } from "../../src/connectors/mod.ts";
import { duckdb, writeWithArrowRs } from "./oracles.ts";
import { batches, parquet, write } from "./sink_rows.ts";
import { arena, forEachBatch, load, spec, tools } from "./support.ts";

const directory = mkdtempSync(join(tmpdir(), "sage-cut-"));
afterAll(() => rmSync(directory, { recursive: true }));
const theirs = join(directory, "theirs.parquet");
const ours = join(directory, "ours.parquet");
const uneven = join(directory, "uneven.parquet");
const ROWS = 600_000;

const SCHEMA: Schema = {
  fields: [
    { name: "id", type: { kind: "int64" }, nullable: false },
    { name: "who", type: { kind: "utf8" }, nullable: true },
    { name: "ratio", type: { kind: "float64" }, nullable: true },
  ],
};
const who = (i: number) => (i % 13 === 0 ? null : `name ${i % 1000}`);
const ratio = (i: number) => (i < 200_000 ? null : i / 4);

beforeAll(async () => {
  await duckdb(
    `copy (select i as id, case when i % 13 = 0 then null else 'name ' || (i % 1000) end as who,
       case when i < 1000000 then null else i / 4 end as ratio
     from range(3000000) t(i)) to '${theirs}' (row_group_size 3000000)`,
  );
  // Of different sizes: pages end where batches do.
  const sizes = [50_000, 1, 70_000, 60_000, 19_999, 65_000, 200_000, 135_000];
  const given = batches(SCHEMA, (i) => [BigInt(i), who(i), ratio(i)], sizes);
  await write("parquet", parquet(ours, { rowGroupRows: ROWS }), SCHEMA, given);
  const stream = join(directory, "stream.arrow");
  const all = batches(SCHEMA, (i) => [BigInt(i), who(i), ratio(i)], [ROWS]);
  await write("arrow", { path: stream, format: "stream" }, SCHEMA, all);
  await writeWithArrowRs(uneven, readFileSync(stream), 100_000);
});

async function expectRowsInOrder(path: string, ratioFrom: number): Promise<{ splitCount: number; rows: number }> {
  const source = spec("parquet", { paths: [path], schema: null });
  let row = 0;
  let wrong = 0;
  const before = arena.bytesInUse();
  const { splitCount } = await forEachBatch(source, { columns: ["ratio", "id"], batchRows: 50_000 }, (batch) => {
    const [ratios, ids] = batch.columns;
    if (ratios === undefined || ids === undefined) throw new Error("a column is missing");
    const values = new BigInt64Array(arena.buffer, ids.data, batch.rowCount);
    const doubles = new Float64Array(arena.buffer, ratios.data, batch.rowCount);
    for (let i = 0; i < batch.rowCount; i++, row++) {
      const isNull = ratios.validity !== 0 && ((arena.u8[ratios.validity + (i >>> 3)] as number) >>> (i & 7)) % 2 === 0;
      if (values[i] !== BigInt(row) || isNull !== row < ratioFrom || (!isNull && doubles[i] !== row / 4)) wrong++;
    }
  });
  expect(wrong).toBe(0);
  expect(arena.bytesInUse()).toBe(before);
  return { splitCount, rows: row };
}

it("a row group of DuckDB's with 3 million rows in one page gives two splits, and the same rows in order", async () => {
  expect(await expectRowsInOrder(theirs, 1_000_000)).toEqual({ splitCount: 2, rows: 3_000_000 });
});

it("a large row group with many pages gives several splits, and the same rows in order", async () => {
  expect(await expectRowsInOrder(ours, 200_000)).toEqual({ splitCount: 5, rows: ROWS });
});

it("a row group whose columns have pages of different sizes gives several splits, and the same rows in order", async () => {
  expect(await expectRowsInOrder(uneven, 200_000)).toEqual({ splitCount: 5, rows: ROWS });
});

for (const [name, path] of [
  ["equal", ours],
  ["uneven", uneven],
] as const) {
  it(`a cut row group with ${name} pages has the same texts and nulls in order`, async () => {
    const source = spec("parquet", { paths: [path], schema: null });
    const { rows, splitCount } = await load(source, { columns: ["who", "id"] });
    expect(splitCount).toBeGreaterThan(3);
    expect(rows.length).toBe(ROWS);
    expect(rows.filter(([text, id], i) => text !== who(i) || id !== BigInt(i))).toEqual([]);
  });
}

it("pieces have only the rows that the page index does not rule out", async () => {
  const source = spec("parquet", { paths: [uneven], schema: null });
  const id = { kind: "column", name: "id", type: { kind: "int64" }, nullable: false } as const;
  const from = { kind: "literal", value: 250_000n, type: { kind: "int64" }, nullable: false } as const;
  const predicate = { kind: "call", fn: "ge", args: [id, from], type: { kind: "bool" }, nullable: false } as const;
  const { rows, splitCount } = await load(source, { columns: ["who", "id"], predicate });
  expect(splitCount).toBe(3);
  const first = rows[0]?.[1] as bigint;
  expect(first > 200_000n && first <= 250_000n).toBe(true);
  const kept = rows.filter((row) => (row[1] as bigint) >= 250_000n);
  expect(kept.map((row) => row[1])).toEqual(Array.from({ length: 350_000 }, (_, i) => BigInt(250_000 + i)));
  expect(kept.filter(([text, at]) => text !== who(Number(at)))).toEqual([]);
});

it("a row limit leaves out the pieces behind it", async () => {
  const source = spec("parquet", { paths: [ours], schema: null });
  const request = { columns: ["id"], predicate: null, rowLimit: 10 };
  expect(await sourceOf(source).splits(source, request, tools)).toHaveLength(1);
});

it("small row groups are not cut", async () => {
  const path = join(directory, "small.parquet");
  await duckdb(`copy (select i as id from range(500000) t(i)) to '${path}' (row_group_size 122880)`);
  const { splitCount, rows } = await load(spec("parquet", { paths: [path], schema: null }));
  expect(splitCount).toBe(5);
  expect(rows.length).toBe(500_000);
});
