import { expect, test } from "vitest";
import {
  Arena,
  type Batch,
  batchFromRows,
  type Cell,
  parseType,
  releaseBatch,
  rowsOf,
  schema,
} from "../../src/arrow/mod.ts";
import { executePlan, InlinePool } from "../../src/exec/mod.ts";
import { bind, optimise } from "../../src/plan/mod.ts";
import { coalesce, col, lit, Stream, when } from "../../src/stream/mod.ts";

type Row = Record<string, Cell>;

const TYPES = { id: "int64", s: "struct<a: int32, inner: struct<b: utf8>, l: list<int64>>", tags: "list<utf8>" };

const ROWS: Row[] = [
  { id: 1n, s: { a: 10, inner: { b: "x" }, l: [1n, 2n] }, tags: ["p", null, "q"] },
  { id: 2n, s: null, tags: [] },
  { id: 3n, s: { a: null, inner: null, l: null }, tags: null },
  { id: 4n, s: { a: 40, inner: { b: null }, l: [] }, tags: ["r"] },
];

async function run(make: (rows: Stream) => Stream): Promise<Row[]> {
  const arena = Arena.create({ limitBytes: 64 << 20 });
  const fields = Object.entries(TYPES).map(([name, text]) => ({
    name,
    type: parseType(text) as never,
    nullable: true,
  }));
  const batch = batchFromRows(arena, schema(fields), ROWS, 0);
  const before = arena.bytesInUse();
  const source = new Stream({ kind: "scan", source: { connector: "memory", options: { table: "t" } } });
  const bound = bind({ name: "nested", roots: [make(source).node] }, () => batch.schema);
  const tools = null as never;
  const pool = new InlinePool({ arena, tools, userFunctions: new Map() });
  const tables = new Map<string, readonly Batch[]>([["t", [batch]]]);
  const execution = executePlan(optimise(bound), pool, { tools, tables, batchRows: 3, morselRows: 2 });
  const rows: Row[] = [];
  for await (const out of execution.rows(0)) {
    rows.push(...rowsOf(arena, out));
    releaseBatch(arena, out);
  }
  await execution.close();
  expect(arena.bytesInUse()).toBe(before);
  return rows;
}

test("nested columns pass a filter unchanged", async () => {
  expect(await run((rows) => rows.filter(col("id").ne(2n)))).toEqual([ROWS[0], ROWS[2], ROWS[3]]);
});

test("a struct's field is null where the struct is", async () => {
  const rows = await run((all) =>
    all.select(col("s").field("a").alias("a"), col("s").field("inner").field("b").alias("b")),
  );
  expect(rows).toEqual([
    { a: 10, b: "x" },
    { a: null, b: null },
    { a: null, b: null },
    { a: 40, b: null },
  ]);
});

test("nested fields of a struct are selected as columns", async () => {
  const rows = await run((all) =>
    all.filter(col("id").gt(1n)).select(col("s").field("l").alias("l"), col("s").field("inner").alias("i")),
  );
  expect(rows).toEqual([
    { l: null, i: null },
    { l: null, i: null },
    { l: [], i: { b: null } },
  ]);
});

test("a field of a renamed struct is found", async () => {
  const rows = await run((all) =>
    all.rename({ s: "t" }).filter(col("t").field("a").ge(10)).select(col("t").field("a").add(1).alias("a")),
  );
  expect(rows).toEqual([{ a: 11 }, { a: 41 }]);
});

test("whether a nested column is null can be asked", async () => {
  const rows = await run((all) => all.filter(col("s").isNotNull().and(col("tags").isNotNull())).select("id"));
  expect(rows).toEqual([{ id: 1n }, { id: 4n }]);
});

test("unnest gives one row an item, outer also those without", async () => {
  expect(await run((all) => all.select("id", "tags").unnest("tags"))).toEqual([
    { id: 1n, tags: "p" },
    { id: 1n, tags: null },
    { id: 1n, tags: "q" },
    { id: 4n, tags: "r" },
  ]);
  expect(
    await run((all) => all.select("id", "tags").unnest("tags", { outer: true }).filter(col("tags").isNull())),
  ).toEqual([
    { id: 1n, tags: null },
    { id: 2n, tags: null },
    { id: 3n, tags: null },
  ]);
});

test("nested columns pass a sort, a limit and a join's probe side", async () => {
  expect(await run((all) => all.orderBy({ id: "desc" }).limit(2))).toEqual([ROWS[3], ROWS[2]]);
  const joined = await run((all) => all.join(all.select(col("id").alias("key")), { on: { id: "key" } }));
  expect(joined).toEqual(ROWS.map((row) => ({ ...row, key: row["id"] })));
});

test("nested columns pass the build side of a join", async () => {
  const rows = await run((all) =>
    all
      .select(col("id").alias("key"))
      .join(all, { on: { key: "id" }, how: "left" })
      .orderBy("key"),
  );
  expect(rows).toEqual(ROWS.map((row) => ({ key: row["id"], ...row })));
});

test("distinct over nested columns is refused when it is planned", async () => {
  await expect(run((all) => all.distinct("id"))).rejects.toThrow("distinct takes no lists and structs");
});

test("a struct's field is found after a join", async () => {
  const rows = await run((all) =>
    all.join(all.select(col("id").alias("key")), { on: { id: "key" } }).select("id", col("s").field("a").alias("a")),
  );
  expect(rows.map(({ a }) => a)).toEqual([10, null, null, 40]);
});

test("a literal null can have a nested type", async () => {
  const rows = await run((all) =>
    all
      .select(
        "id",
        lit(null)
          .cast(parseType("list<int64>") as never)
          .alias("l"),
        lit(null)
          .cast(parseType("struct<a: int32>") as never)
          .alias("s"),
      )
      .filter(col("id").le(2n)),
  );
  expect(rows).toEqual([
    { id: 1n, l: null, s: null },
    { id: 2n, l: null, s: null },
  ]);
});

test("a union takes nulls for nested columns that one input lacks", async () => {
  const rows = await run((all) =>
    all
      .select("id", "tags")
      .limit(1)
      .union(all.select("id", lit(null).alias("tags")).limit(1)),
  );
  expect(rows).toEqual([
    { id: 1n, tags: ["p", null, "q"] },
    { id: 1n, tags: null },
  ]);
});

test("choosing between nested values is refused when it is planned", async () => {
  const chosen = when(col("id").gt(1n)).then(col("tags")).otherwise(col("tags"));
  await expect(run((all) => all.select(chosen.alias("x")))).rejects.toThrow("lists and structs are only carried");
  const first = coalesce(col("tags"), col("tags"));
  await expect(run((all) => all.select(first.alias("x")))).rejects.toThrow("lists and structs are only carried");
});
