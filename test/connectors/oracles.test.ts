import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { type CellInput, type DataType, dictionary, type Schema } from "../../src/arrow/mod.ts";
import { sinkOf, sourceOf } from "../../src/connectors/mod.ts";
import { arrowRows, arrowRsRows, duckdb, duckdbRows, hyparquetRows } from "./oracles.ts";
import { batches, expectedRows, FLAT, flatRow, NESTED, nestedRow, parquet, write } from "./sink_rows.ts";
import { arena, forEachBatch, load, plainRows, spec, tools } from "./support.ts";

const directory = mkdtempSync(join(tmpdir(), "sage-oracles-"));
afterAll(() => rmSync(directory, { recursive: true }));
const SIZES = [700, 0, 1, 1500];
const ROWS = 2201;

/** hyparquet gives decimals as numbers that are a little off. */
function numbers(rows: unknown[][], schema: Schema): unknown[][] {
  return mapCells(rows, schema, (type, cell) => (type.kind === "decimal" ? Number(cell).toPrecision(15) : cell));
}

/** DuckDB's instants have microseconds. */
function microseconds(rows: unknown[][], schema: Schema): unknown[][] {
  return mapCells(rows, schema, (type, cell) => {
    const isLong = type.kind === "timestamp" && type.unit === "nanosecond" && type.timezone !== null;
    return isLong ? String((BigInt(cell as string) / 1000n) * 1000n) : cell;
  });
}

function mapCells(rows: unknown[][], schema: Schema, map: (type: DataType, cell: unknown) => unknown): unknown[][] {
  return rows.map((row) =>
    row.map((cell, i) => (cell === null ? null : map(schema.fields[i]?.type as DataType, cell))),
  );
}

async function expectEverywhere(path: string, schema: Schema, expected: unknown[][]): Promise<void> {
  expect(await duckdbRows(path, schema)).toEqual(microseconds(expected, schema));
  expect(await hyparquetRows(path, schema)).toEqual(numbers(expected, schema));
  expect(await arrowRsRows(path, schema)).toEqual(expected);
}

describe("a Parquet file that SAGE wrote", () => {
  for (const codec of ["none", "snappy", "gzip", "zstd", "lz4", "brotli"]) {
    it(`with every flat type, nulls, several row groups and codec ${codec} is read equally by others`, async () => {
      const path = join(directory, `flat_${codec}.parquet`);
      await write("parquet", parquet(path, { codec }), FLAT, batches(FLAT, flatRow, SIZES));
      await expectEverywhere(path, FLAT, expectedRows(FLAT, flatRow, ROWS));
    });
  }

  it("with many small row groups is read equally by others", async () => {
    const path = join(directory, "groups.parquet");
    await write("parquet", parquet(path, { rowGroupRows: 7 }), FLAT, batches(FLAT, flatRow, [500]));
    await expectEverywhere(path, FLAT, expectedRows(FLAT, flatRow, 500));
  });

  it("without rows has its columns for others", async () => {
    const path = join(directory, "empty.parquet");
    await write("parquet", parquet(path), FLAT, []);
    await expectEverywhere(path, FLAT, []);
    const described = await duckdb(`select column_name from (describe select * from '${path}')`);
    expect(described.map(([name]) => name)).toEqual(FLAT.fields.map((field) => field.name));
  });

  it("with dictionary columns is read equally by others", async () => {
    const text = dictionary({ kind: "utf8" }, "int32");
    const schema: Schema = {
      fields: [
        { name: "few", type: text, nullable: true },
        { name: "many", type: text, nullable: false },
        { name: "id", type: { kind: "int32" }, nullable: false },
      ],
    };
    const row = (i: number): CellInput[] => [i % 5 === 0 ? null : `k${i % 3}`, `value ${i}`, i];
    const path = join(directory, "dictionary.parquet");
    await write("parquet", parquet(path), schema, batches(schema, row, SIZES));
    await expectEverywhere(path, schema, expectedRows(schema, row, ROWS));
  });

  it("with repeated values in plain columns is read equally by others, and not larger than DuckDB writes it", async () => {
    const schema: Schema = {
      fields: [
        { name: "id", type: { kind: "int64" }, nullable: false },
        { name: "city", type: { kind: "utf8" }, nullable: true },
        { name: "code", type: { kind: "int64" }, nullable: true },
        { name: "price", type: { kind: "float64" }, nullable: false },
        { name: "amount", type: { kind: "decimal", precision: 12, scale: 2 }, nullable: true },
        { name: "late", type: { kind: "utf8" }, nullable: false },
        { name: "nothing", type: { kind: "utf8" }, nullable: true },
      ],
    };
    const mixed = (i: number) => Math.imul(i, 2654435761) >>> 8;
    const row = (i: number): CellInput[] => [
      BigInt(mixed(i)) * 1_000_003n,
      i % 17 === 0 ? null : `city of ${mixed(i) % 90}`,
      i % 19 === 0 ? null : BigInt(mixed(i + 1) % 700) * 1_000_000_007n,
      i % 100 === 7 ? -0 : (mixed(i + 2) % 500) / 4,
      `${mixed(i + 3) % 60}.25`,
      // Repeated in the first page, all different after it.
      i < 20_000 ? `kind ${i % 5}` : `text ${mixed(i)}`,
      null,
    ];
    const path = join(directory, "repeated.parquet");
    const theirs = join(directory, "repeated_duckdb.parquet");
    await write(
      "parquet",
      parquet(path, { rowGroupRows: 50_000 }),
      schema,
      batches(schema, row, [20_000, 25_000, 5_000]),
    );
    await expectEverywhere(path, schema, expectedRows(schema, row, 50_000));
    await duckdb(`copy (from '${path}') to '${theirs}' (codec zstd, row_group_size 50000)`);
    expect(statSync(path).size).toBeLessThan(1.1 * statSync(theirs).size);
    const stated = await duckdb(
      `select stats_min_value, stats_max_value, stats_null_count::int, encodings like '%RLE_DICTIONARY%'
       from parquet_metadata('${path}') where path_in_schema in ('city', 'code', 'price', 'late') order by column_id`,
    );
    const found = await duckdb(
      ["city", "code", "price", "late"]
        .map(
          (name) =>
            `select min(${name})::varchar, max(${name})::varchar, count(*) filter (${name} is null)::int from '${path}'`,
        )
        .join(" union all "),
    );
    expect(stated.map((columns) => columns.slice(0, 3))).toEqual(found);
    expect(stated.map((columns) => columns[3])).toEqual([true, true, true, true]);
  });

  it("with nested columns is read equally by DuckDB", async () => {
    const path = join(directory, "nested.parquet");
    await write("parquet", parquet(path, { rowGroupRows: 70 }), NESTED, batches(NESTED, nestedRow, [100, 57]));
    const rows = await duckdbRows(path, NESTED);
    const parsed = rows.map((row) => row.map((cell) => (typeof cell === "string" ? JSON.parse(cell) : cell)));
    const unquoted = (value: unknown): unknown => JSON.parse(JSON.stringify(value).replace(/"(\d+)"/g, "$1"));
    expect(parsed).toEqual(expectedRows(NESTED, nestedRow, 157).map((row) => row.map(unquoted)));
  });

  it("says bounds and null counts that DuckDB finds in the data", async () => {
    const path = join(directory, "statistics.parquet");
    await write("parquet", parquet(path), FLAT, batches(FLAT, flatRow, [3000]));
    const stated = await duckdb(
      `select row_group_id, path_in_schema, stats_min_value, stats_max_value, stats_null_count::int
       from parquet_metadata('${path}') where path_in_schema in ('id', 'i8', 'u64', 'text', 'day') order by all`,
    );
    const groups = "select (file_row_number // 1000)::bigint as g, * from read_parquet('PATH', file_row_number = true)";
    const found = await duckdb(
      ["id", "i8", "u64", "text", "day"]
        .map(
          (name) =>
            `select g, '${name}', min(${name})::varchar, max(${name})::varchar, count(*) filter (${name} is null)::int
             from (${groups.replace("PATH", path)}) group by g`,
        )
        .join(" union all ")
        .concat(" order by all"),
    );
    expect(stated).toEqual(found);
  });
});

it("a file of DuckDB's, dictionaries kept, written again is equal to DuckDB", async () => {
  const [from, to] = [join(directory, "theirs.parquet"), join(directory, "ours.parquet")];
  await duckdb(
    `copy (select i::int as id, case when i % 11 = 0 then null else 'name ' || (i % 40) end as who, (i % 9)::bigint as few,
     i / 8 as ratio, date '2020-01-01' + (i % 500)::int as day from range(20000) t(i)) to '${from}' (row_group_size 6000)`,
  );
  const source = spec("parquet", { paths: [from], schema: null });
  const { schema } = await sourceOf(source).describe(source, tools);
  const sink = spec("parquet", parquet(to, { rowGroupRows: 7000 }));
  const writer = sinkOf(sink).open(sink, schema, { ...tools, arena });
  const dictionaries = new Set<string>();
  await forEachBatch(source, {}, (batch) => {
    batch.columns.forEach((column, i) => {
      if (column.dictionary !== null) dictionaries.add(schema.fields[i]?.name as string);
    });
    return writer.write(batch);
  });
  await writer.commit(1);
  expect([...dictionaries]).toContain("who");
  expect(
    await duckdb(`(from '${from}' except all from '${to}') union all (from '${to}' except all from '${from}')`),
  ).toEqual([]);
  expect((await duckdb(`select count(*)::int from '${to}'`))[0]).toEqual([20000]);
});

describe("an Arrow file that SAGE wrote", () => {
  for (const format of ["file", "stream"]) {
    it(`(${format}) is read equally by apache-arrow`, async () => {
      const path = join(directory, `all_${format}.arrow`);
      await write("arrow", { path, format }, FLAT, batches(FLAT, flatRow, SIZES));
      expect(arrowRows(readFileSync(path), FLAT)).toEqual(expectedRows(FLAT, flatRow, ROWS));
      const empty = join(directory, `empty_${format}.arrow`);
      await write("arrow", { path: empty, format }, FLAT, []);
      expect(arrowRows(readFileSync(empty), FLAT)).toEqual([]);
      expect(plainRows(await load(spec("arrow", { paths: [empty], schema: null })))).toEqual([]);
    });
  }
});
