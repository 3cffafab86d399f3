import { existsSync, mkdtempSync, readdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { describe, expect, it } from "vitest";
import {
  type Batch,
  BatchBuilder,
  type CellInput,
  type DataType,
  releaseBatch,
  type Schema,
} from "../../src/arrow/mod.ts";
import { sinkOf } from "../../src/connectors/mod.ts";
import { arena, load, plain, plainRows, spec, tools } from "./support.ts";
import { csvOptions } from "./text_fixtures.ts";

const directory = mkdtempSync(join(tmpdir(), "sage-sinks-"));
const f = (name: string, type: DataType, nullable = true) => ({ name, type, nullable });

const FLAT: Schema = {
  fields: [
    f("id", { kind: "int64" }, false),
    f("flag", { kind: "bool" }),
    f("i8", { kind: "int8" }),
    f("u8", { kind: "uint8" }),
    f("i16", { kind: "int16" }),
    f("u16", { kind: "uint16" }),
    f("i32", { kind: "int32" }),
    f("u32", { kind: "uint32" }),
    f("u64", { kind: "uint64" }),
    f("f32", { kind: "float32" }),
    f("f64", { kind: "float64" }),
    f("dec", { kind: "decimal", precision: 38, scale: 4 }),
    f("text", { kind: "utf8" }),
    f("day", { kind: "date32" }),
    f("ts", { kind: "timestamp", unit: "microsecond", timezone: null }),
    f("tsn", { kind: "timestamp", unit: "nanosecond", timezone: "UTC" }),
    f("tod", { kind: "time", unit: "microsecond" }),
  ],
};

function flatRow(i: number): CellInput[] {
  if (i % 7 === 3) return [BigInt(i), ...FLAT.fields.slice(1).map(() => null)];
  const sign = i % 2 === 0 ? 1 : -1;
  const big = i === 0 ? 9223372036854775807n : i === 1 ? -9223372036854775808n : BigInt(sign * i * 1_000_003);
  return [
    big,
    i % 3 === 0,
    sign * (i % 128),
    i % 256,
    sign * (i % 32768),
    i % 65536,
    sign * i * 1000,
    i === 0 ? 4294967295 : i,
    i === 0 ? 18446744073709551615n : BigInt(i),
    i === 4 ? Number.NaN : i / 4,
    i === 4 ? Number.NEGATIVE_INFINITY : i === 5 ? -0 : i / 3,
    i === 0 ? "-9999999999999999999999999999999999.9999" : `${sign * i}.2500`,
    i === 0 ? "" : i % 5 === 0 ? 'he said "hi", 漢字\nnew' : `text ${i % 50}`,
    i - 500,
    BigInt(i) * 1_234_567_891n,
    BigInt(i) * 1_234_567_891_011n,
    BigInt(i) * 1_000_001n,
  ];
}

const NESTED: Schema = {
  fields: [
    f("id", { kind: "int32" }),
    f("list", { kind: "list", item: f("item", { kind: "int64" }) }),
    f("point", { kind: "struct", fields: [f("x", { kind: "float64" }), f("name", { kind: "utf8" })] }),
    f("deep", {
      kind: "list",
      item: f("item", { kind: "struct", fields: [f("tags", { kind: "list", item: f("item", { kind: "utf8" }) })] }),
    }),
  ],
};

function nestedRow(i: number): CellInput[] {
  const list = i % 4 === 0 ? null : Array.from({ length: i % 3 }, (_, k) => (k === 1 ? null : BigInt(i + k)));
  const point = i % 5 === 0 ? null : { x: i / 2, name: i % 2 === 0 ? null : `p${i}` };
  const deep =
    i % 6 === 0
      ? null
      : Array.from({ length: i % 4 }, (_, k) => (k === 2 ? null : { tags: k === 1 ? [] : [`t${i}`, null] }));
  return [i, list, point, deep];
}

function batches(schema: Schema, row: (i: number) => CellInput[], sizes: readonly number[]): Batch[] {
  let next = 0;
  return sizes.map((size) => {
    const builder = new BatchBuilder(arena, schema, 0, Math.max(size, 1));
    for (let i = 0; i < size; i++) builder.appendValues(row(next++));
    return builder.finish();
  });
}

async function write(
  connector: string,
  options: Record<string, unknown>,
  schema: Schema,
  given: Batch[],
): Promise<void> {
  const writer = sinkOf(spec(connector, options)).open(spec(connector, options), schema, { ...tools, arena });
  for (const batch of given) {
    await writer.write(batch);
    releaseBatch(arena, batch);
  }
  await writer.prepare(1);
  await writer.commit(1);
  await writer.commit(1);
}

function expectedRows(schema: Schema, row: (i: number) => CellInput[], count: number): unknown[][] {
  const given = batches(schema, row, [count]);
  return Array.from({ length: count }, (_, i) =>
    row(i).map((cell, c) => normal(schema.fields[c]?.type as DataType, cell, given)),
  );
}

function normal(type: DataType, cell: CellInput, _given: Batch[]): unknown {
  if (type.kind === "float32" && typeof cell === "number") return plain(type, Math.fround(cell));
  return plain(type, cell as never);
}

const parquet = (path: string, changes: Record<string, unknown> = {}) => ({
  path,
  codec: "zstd",
  rowGroupRows: 1000,
  ...changes,
});

describe("the Parquet sink", () => {
  for (const codec of ["none", "snappy", "gzip", "zstd", "lz4", "brotli"]) {
    it(`writes every flat type with codec ${codec}, and it reads back equal`, async () => {
      const path = join(directory, `flat_${codec}.parquet`);
      await write("parquet", parquet(path, { codec }), FLAT, batches(FLAT, flatRow, [700, 0, 1, 1500]));
      const loaded = await load(spec("parquet", { paths: [path], schema: null }), { batchRows: 600 });
      expect(loaded.schema).toEqual(FLAT);
      expect(plainRows(loaded)).toEqual(expectedRows(FLAT, flatRow, 2201));
    });
  }

  it("writes nested columns that read back equal", async () => {
    const path = join(directory, "nested.parquet");
    await write("parquet", parquet(path, { rowGroupRows: 70 }), NESTED, batches(NESTED, nestedRow, [100, 57]));
    const loaded = await load(spec("parquet", { paths: [path], schema: null }), { batchRows: 13 });
    expect(plainRows(loaded)).toEqual(expectedRows(NESTED, nestedRow, 157));
  });

  it("is read equally by DuckDB", async () => {
    const path = join(directory, "duck.parquet");
    await write("parquet", parquet(path), FLAT, batches(FLAT, flatRow, [2000]));
    const nested = join(directory, "duck_nested.parquet");
    await write("parquet", parquet(nested), NESTED, batches(NESTED, nestedRow, [157]));
    const connection = await (await DuckDBInstance.create()).connect();
    const rows = await connection.runAndReadAll(
      `select id::varchar, u64::varchar, dec::varchar, text, day::varchar, epoch_us(ts)::varchar, i8, u32, f64 from '${path}'`,
    );
    const ours = await load(spec("parquet", { paths: [path], schema: null }), {
      columns: ["id", "u64", "dec", "text", "day", "ts", "i8", "u32", "f64"],
    });
    const day = (value: unknown) =>
      value === null ? null : new Date(Number(value) * 86_400_000).toISOString().slice(0, 10);
    const text = (value: unknown) => (value === null ? null : String(value));
    const mine = ours.rows.map(([id, u64, dec, t, d, ts, i8, u32, f64]) => [
      text(id),
      text(u64),
      dec,
      t,
      day(d),
      text(ts),
      i8,
      u32,
      f64,
    ]);
    expect(rows.getRows()).toEqual(mine);
    const lists = await connection.runAndReadAll(
      `select to_json(list)::varchar, to_json(point)::varchar, to_json(deep)::varchar from '${nested}'`,
    );
    const parsed = lists.getRows().map((row) => row.map((cell) => (cell === null ? null : JSON.parse(String(cell)))));
    const plainNested = expectedRows(NESTED, nestedRow, 157).map((row) => row.slice(1));
    const numbers = (value: unknown): unknown => JSON.parse(JSON.stringify(value).replace(/"(\d+)"/g, "$1"));
    expect(parsed).toEqual(plainNested.map(numbers));
  });

  it("writes a file without rows that keeps its columns", async () => {
    const path = join(directory, "empty.parquet");
    await write("parquet", parquet(path), FLAT, []);
    const loaded = await load(spec("parquet", { paths: [path], schema: null }));
    expect(loaded.schema).toEqual(FLAT);
    expect(loaded.rows).toEqual([]);
  });
});

describe("the Arrow sink", () => {
  for (const format of ["file", "stream"]) {
    it(`writes a ${format} that reads back equal`, async () => {
      const path = join(directory, `all_${format}.arrow`);
      await write("arrow", { path, format }, FLAT, batches(FLAT, flatRow, [100, 200]));
      const loaded = await load(spec("arrow", { paths: [path], schema: null }), { batchRows: 64 });
      expect(plainRows(loaded)).toEqual(expectedRows(FLAT, flatRow, 300));
    });
  }
});

const TEXT_TYPES = FLAT.fields;

describe("the CSV sink", () => {
  for (const compression of ["none", "gzip"]) {
    it(`writes (${compression}) what reads back equal with the same schema`, async () => {
      const path = join(directory, compression === "gzip" ? "all.csv.gz" : "all.csv");
      const options = { path, delimiter: ",", quote: '"', header: true, null: "", newline: "\n", compression };
      await write("csv", options, FLAT, batches(FLAT, flatRow, [50, 250]));
      const schema = { fields: TEXT_TYPES.map((field) => ({ ...field, nullable: true })) };
      const loaded = await load(spec("csv", csvOptions([path], { schema })));
      expect(plainRows(loaded)).toEqual(expectedRows(FLAT, flatRow, 300));
    });
  }
});

describe("the JSON sink", () => {
  it("writes lines that read back equal with the same schema", async () => {
    for (const [schema, row] of [
      [FLAT, flatRow],
      [NESTED, nestedRow],
    ] as const) {
      const path = join(directory, "all.jsonl");
      await write("json", { path, compression: "none" }, schema, batches(schema, row, [50, 250]));
      const loaded = await load(spec("json", { paths: [path], schema, onBadRow: "fail", inferRows: 1000 }), {
        batchRows: 77,
      });
      expect(plainRows(loaded)).toEqual(expectedRows(schema, row, 300));
    }
  });
});

describe("every file sink", () => {
  const kinds: [string, (path: string) => Record<string, unknown>][] = [
    ["parquet", (path) => parquet(path)],
    ["arrow", (path) => ({ path, format: "file" })],
    ["json", (path) => ({ path, compression: "none" })],
    [
      "csv",
      (path) => ({ path, delimiter: ",", quote: '"', header: true, null: "", newline: "\n", compression: "none" }),
    ],
  ];
  for (const [connector, optionsOf] of kinds) {
    it(`(${connector}) leaves nothing after abort and keeps what stood there`, () => {
      const place = mkdtempSync(join(directory, "abort-"));
      const path = join(place, "out");
      writeFileSync(path, "old");
      const options = optionsOf(path);
      const writer = sinkOf(spec(connector, options)).open(spec(connector, options), FLAT, { ...tools, arena });
      for (const batch of batches(FLAT, flatRow, [10])) {
        void writer.write(batch);
        releaseBatch(arena, batch);
      }
      void writer.abort(1);
      void writer.abort(1);
      expect(readdirSync(place)).toEqual(["out"]);
    });

    it(`(${connector}) makes missing directories, and an abort removes those that are empty`, () => {
      const place = mkdtempSync(join(directory, "parents-"));
      const path = join(place, "a", "b", "out");
      const open = () =>
        sinkOf(spec(connector, optionsOf(path))).open(spec(connector, optionsOf(path)), FLAT, { ...tools, arena });
      void open().abort(1);
      expect(readdirSync(place)).toEqual([]);
      const writer = open();
      writeFileSync(join(place, "a", "other"), "");
      void writer.abort(1);
      expect(readdirSync(place, { recursive: true }).sort()).toEqual(["a", "a/other"]);
      void open().commit(1);
      expect(existsSync(path)).toBe(true);
    });

    it(`(${connector}) says so when it cannot write, and leaves no directory`, () => {
      const place = mkdtempSync(join(directory, "fails-"));
      writeFileSync(join(place, "file"), "");
      const open = (path: string) =>
        sinkOf(spec(connector, optionsOf(path))).open(spec(connector, optionsOf(path)), FLAT, { ...tools, arena });
      expect(() => open(join(place, "file", "out"))).toThrow(/Cannot write .*file\/out: .*(ENOTDIR|EEXIST)/);
      expect(() => open(join(place, "new", "x".repeat(250)))).toThrow(/Cannot write .*: .*ENAMETOOLONG/);
      expect(readdirSync(place)).toEqual(["file"]);
    });
  }

  it("frees all it took", () => {
    expect(arena.bytesInUse()).toBe(arena.bytesInUse(0));
  });
});
