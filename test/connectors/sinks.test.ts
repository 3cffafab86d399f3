import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { releaseBatch } from "../../src/arrow/mod.ts";
import { sinkOf } from "../../src/connectors/mod.ts";
import { batches, expectedRows, FLAT, flatRow, NESTED, nestedRow, parquet, write } from "./sink_rows.ts";
import { arena, load, plainRows, spec, tools } from "./support.ts";
import { csvOptions } from "./text_fixtures.ts";

const directory = mkdtempSync(join(tmpdir(), "sage-sinks-"));
afterAll(() => rmSync(directory, { recursive: true }));
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
      expect(readdirSync(place)).toEqual(["a"]);
      expect(readdirSync(join(place, "a"))).toEqual(["other"]);
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
