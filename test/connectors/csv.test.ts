import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import type { DataType, Schema } from "../../src/arrow/mod.ts";
import { rowSpans } from "../../src/connectors/csv/borders.ts";
import { dialectOf } from "../../src/connectors/csv/dialect.ts";
import { duckdb } from "./oracles.ts";
import { batches, write } from "./sink_rows.ts";
import { load, plainRows, spec, tools } from "./support.ts";
import { csvOptions } from "./text_fixtures.ts";

const directory = mkdtempSync(join(tmpdir(), "sage-csv-"));
afterAll(() => rmSync(directory, { recursive: true }));
let files = 0;

function file(text: string | Uint8Array, ending = ".csv"): string {
  const path = join(directory, `f${files++}${ending}`);
  writeFileSync(path, text);
  return path;
}

const texts = (...names: string[]): Schema => ({
  fields: names.map((name) => ({ name, type: { kind: "utf8" }, nullable: true })),
});
const field = fc.oneof(
  fc.constantFrom("", "a", ",", '"', "\n", "\r\n", "\r", 'x"y', '""', '",', "漢", " b "),
  fc.string({ unit: "grapheme", maxLength: 6 }),
);

function quoted(text: string): string {
  return `"${text.replaceAll('"', '""')}"`;
}

describe("a file of one column", () => {
  const one: Schema = { fields: [{ name: "a", type: { kind: "int64" }, nullable: true }] };
  it("has a null for every blank line, as DuckDB reads it", async () => {
    for (const newline of ["\n", "\r\n"]) {
      const path = file(["a", "1", "", "2", "", "", "3", ""].join(newline));
      const loaded = await load(spec("csv", csvOptions([path])), { batchRows: 2 });
      expect(loaded.rows).toEqual([[1n], [null], [2n], [null], [null], [3n]]);
      expect(await duckdb(`select a from read_csv('${path}', header = true)`)).toEqual(loaded.rows);
    }
  });

  it("has nulls at its start and end, with and without a header", async () => {
    const rows = [[null], [1n], [null]];
    for (const header of [true, false]) {
      const path = file(`${header ? "a\n" : ""}\n1\n\n`);
      expect((await load(spec("csv", csvOptions([path], { header, schema: one })))).rows).toEqual(rows);
    }
    expect((await load(spec("csv", csvOptions([file("a\n")], { schema: one })))).rows).toEqual([]);
    expect((await load(spec("csv", csvOptions([file("\n\n")], { header: false, schema: one })))).rows).toEqual([
      [null],
      [null],
    ]);
  });

  it("has no rows for blank lines where empty is no null", async () => {
    const path = file("a\nx\n\ny\n");
    expect((await load(spec("csv", csvOptions([path], { nulls: ["NA"] })))).rows).toEqual([["x"], ["y"]]);
  });

  it("comes back from the sink with its nulls and empty texts", async () => {
    const path = join(directory, "one.csv");
    const text = texts("a");
    const row = (i: number) => [i % 3 === 0 ? null : i % 3 === 1 ? "" : `t${i}`];
    const options = { path, delimiter: ",", quote: '"', header: true, null: "", newline: "\n", compression: "none" };
    await write("csv", options, text, batches(text, row, [100]));
    expect((await load(spec("csv", csvOptions([path])))).rows).toEqual(Array.from({ length: 100 }, (_, i) => row(i)));
  });
});

describe("CSV text", () => {
  it("comes back as it was written, whatever is in the fields", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(field, field), { minLength: 1, maxLength: 20 }),
        fc.constantFrom("\n", "\r\n", "\r"),
        fc.boolean(),
        async (rows, newline, last) => {
          const text = `a,b${newline}${rows.map((row) => row.map(quoted).join(",")).join(newline)}${last ? newline : ""}`;
          const loaded = await load(spec("csv", csvOptions([file(text)], { schema: texts("a", "b") })), {
            batchRows: 3,
          });
          expect(loaded.rows).toEqual(rows);
        },
      ),
      { numRuns: 100 },
    );
  });

  it("is cut only at row starts, wherever quotes and line breaks are", async () => {
    const dialect = dialectOf(csvOptions([]) as never);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(field, fc.boolean()), { minLength: 5, maxLength: 60 }),
        fc.integer({ min: 3, max: 40 }),
        async (rows, splitBytes) => {
          const lines = rows.map(([text, quote]) => `1,${quote ? quoted(text) : text.replace(/[",\r\n]/g, "_")},2\n`);
          const path = file(lines.join(""));
          const starts = new Set([0]);
          let at = 0;
          for (const line of lines) starts.add((at += Buffer.byteLength(line)));
          const handle = tools.disk.openRead(path);
          const spans = await rowSpans(handle, dialect, { start: 0, splitBytes });
          handle.close();
          for (const span of spans) {
            expect(starts.has(span.start)).toBe(true);
            expect(span.end > span.start).toBe(true);
          }
          expect(spans.map((span) => span.end).slice(0, -1)).toEqual(spans.map((span) => span.start).slice(1));
          expect(spans.at(-1)?.end).toBe(at);
        },
      ),
      { numRuns: 300 },
    );
  });

  it("gives others a turn while borders are looked for, and ends when that says so", async () => {
    const path = file("1,2\n".repeat(100));
    const handle = tools.disk.openRead(path);
    const dialect = dialectOf(csvOptions([]) as never);
    let turns = 0;
    const turn = () => {
      turns++;
      if (turns === 3) throw new Error("the job is over");
    };
    await expect(rowSpans(handle, dialect, { start: 0, splitBytes: 20, turn })).rejects.toThrow("the job is over");
    handle.close();
    expect(turns).toBe(3);
  });

  it("larger than several splits and windows gives every row once", async () => {
    const rows = 400_000;
    let text = "id,t\n";
    for (let i = 0; i < rows; i++)
      text +=
        i % 1000 === 0
          ? `${i},"line ${i}\n""quoted"", still ${"x".repeat(50)}"\n`
          : `${i},some words of row number ${i} to be longer\n`;
    const loaded = await load(spec("csv", csvOptions([file(text)])));
    expect(loaded.splitCount).toBeGreaterThan(1);
    expect(loaded.rows.length).toBe(rows);
    expect(loaded.rows.every(([id], i) => id === BigInt(i))).toBe(true);
    expect(loaded.rows[5000]?.[1]).toBe(`line 5000\n"quoted", still ${"x".repeat(50)}`);
  });

  it("in gzip is read like the file itself, also of several members", async () => {
    const part = (from: number) => Array.from({ length: 50_000 }, (_, i) => `${from + i},text ${from + i}\n`).join("");
    const path = file(Buffer.concat([gzipSync(`id,t\n${part(0)}`), gzipSync(part(50_000))]), ".csv.gz");
    const loaded = await load(spec("csv", csvOptions([path])));
    expect(loaded.rows.length).toBe(100_000);
    expect(loaded.rows[99_999]).toEqual([99_999n, "text 99999"]);
  });

  it("with a field longer than the window is read", async () => {
    const long = "y".repeat(3_000_000);
    const loaded = await load(spec("csv", csvOptions([file(`a,b\n1,${long}\n2,z\n`)])));
    expect(loaded.rows).toEqual([
      [1n, long],
      [2n, "z"],
    ]);
  });

  it("gives numbers as their text says, correctly rounded", async () => {
    const numbers = fc.oneof(
      fc.double({ noNaN: true }).map(String),
      fc
        .tuple(fc.bigInt({ min: 0n, max: 10n ** 25n }), fc.integer({ min: -330, max: 310 }))
        .map(([m, e]) => `${m}e${e}`),
      fc
        .tuple(fc.bigInt({ min: 0n, max: 10n ** 20n }), fc.bigInt({ min: 0n, max: 10n ** 20n }))
        .map(([a, b]) => `-${a}.${b}`),
    );
    const schema: Schema = { fields: [{ name: "x", type: { kind: "float64" }, nullable: true }] };
    await fc.assert(
      fc.asyncProperty(fc.array(numbers, { minLength: 1, maxLength: 100 }), async (given) => {
        const loaded = await load(spec("csv", csvOptions([file(`x\n${given.join("\n")}\n`)], { schema })));
        expect(loaded.rows.map(([x]) => x)).toEqual(given.map(Number));
      }),
      { numRuns: 60 },
    );
  });

  it("reads int64 exactly and refuses what does not fit", async () => {
    const schema: Schema = { fields: [{ name: "x", type: { kind: "int64" }, nullable: true }] };
    const given = fc.bigInt({ min: -(2n ** 64n), max: 2n ** 64n });
    await fc.assert(
      fc.asyncProperty(fc.array(given, { minLength: 1, maxLength: 100 }), async (values) => {
        const loaded = await load(
          spec("csv", csvOptions([file(`x\n${values.join("\n")}\n`)], { schema, onBadRow: "skip" })),
        );
        const fitting = values.filter((value) => BigInt.asIntN(64, value) === value);
        expect(loaded.rows.map(([x]) => x)).toEqual(fitting);
        expect(loaded.skippedRows).toBe(values.length - fitting.length);
      }),
      { numRuns: 60 },
    );
  });

  const typed: [DataType, string, unknown][] = [
    [{ kind: "decimal", precision: 10, scale: 2 }, "-12345678.90", "-12345678.90"],
    [{ kind: "timestamp", unit: "millisecond", timezone: null }, "2024-02-29 12:34:56.789", "1709210096789"],
    [
      { kind: "timestamp", unit: "nanosecond", timezone: "Europe/Vienna" },
      "2024-02-29T12:34:56.123456789+02:00",
      "1709202896123456789",
    ],
    [{ kind: "time", unit: "second" }, "23:59:59", "86399"],
    [{ kind: "uint64" }, "18446744073709551615", "18446744073709551615"],
    [{ kind: "int8" }, "-128", -128],
    [{ kind: "date32" }, "1969-12-31", "-1"],
    [{ kind: "bool" }, "TRUE", true],
  ];
  for (const [type, text, value] of typed) {
    it(`${JSON.stringify(type)} from ${text}`, async () => {
      const schema: Schema = { fields: [{ name: "x", type, nullable: true }] };
      expect(plainRows(await load(spec("csv", csvOptions([file(`x\n${text}\n`)], { schema }))))).toEqual([[value]]);
    });
  }

  for (const [type, text] of [
    [{ kind: "date32" }, "2023-02-29"],
    [{ kind: "int8" }, "128"],
    [{ kind: "decimal", precision: 4, scale: 2 }, "100.00"],
    [{ kind: "timestamp", unit: "second", timezone: null }, "2024-01-01T00:00:00.5"],
    [{ kind: "bool" }, "yes"],
    [{ kind: "float64" }, "1.2.3"],
  ] as [DataType, string][]) {
    it(`${JSON.stringify(type)} refuses ${text}`, async () => {
      const schema: Schema = { fields: [{ name: "x", type, nullable: true }] };
      await expect(load(spec("csv", csvOptions([file(`x\n${text}\n`)], { schema })))).rejects.toThrow(
        `column "x": "${text}" is not`,
      );
    });
  }

  it("writes bad rows to a file of their own", async () => {
    const path = file("a,b\n1,x\noops,y\n3\n4,z\n");
    const bad = join(directory, "bad.csv");
    const schema: Schema = { fields: [{ name: "a", type: { kind: "int64" }, nullable: true }, ...texts("b").fields] };
    const loaded = await load(spec("csv", csvOptions([path], { schema, onBadRow: { path: bad } })));
    expect(loaded.rows).toEqual([
      [1n, "x"],
      [4n, "z"],
    ]);
    expect(readFileSync(bad, "utf8").split("\n").sort().join("|")).toBe("|3|oops,y");
  });

  it("writes no file of bad rows when there are none", async () => {
    const bad = join(directory, "none.csv");
    await load(spec("csv", csvOptions([file("a\n1\n")], { onBadRow: { path: bad } })));
    expect(existsSync(bad)).toBe(false);
  });

  it("leaves out comments and lines before the header", async () => {
    const path = file('made by us\n# a "comment\na,b\n1,x\n#2,y\n3,z\n');
    const loaded = await load(spec("csv", csvOptions([path], { skipRows: 1, comment: "#" })));
    expect(loaded.rows).toEqual([
      [1n, "x"],
      [3n, "z"],
    ]);
  });
});

describe("several files", () => {
  const place = join(directory, "many");
  mkdirSync(join(place, "sub"), { recursive: true });
  writeFileSync(join(place, "b.csv"), "y,x\n2,b\n");
  writeFileSync(join(place, "a.csv"), "x,y\na,1\n");
  writeFileSync(join(place, ".hidden.csv"), "q\n1\n");
  writeFileSync(join(place, "c.csv.tmp"), "q\n1\n");
  writeFileSync(join(place, "note.txt"), "q\n1\n");
  writeFileSync(join(place, "sub", "d.csv"), "x,y\nd,4\n");
  const rows = async (path: string) => (await load(spec("csv", csvOptions([path])))).rows;
  const [a, b, d] = [
    ["a", 1n],
    ["b", 2n],
    ["d", 4n],
  ];

  it("of a directory are read in order of name, columns matched by name", async () => {
    expect(await rows(place)).toEqual([a, b]);
    expect(await rows(`${place}/`)).toEqual([a, b]);
  });

  it("are found by patterns", async () => {
    expect(await rows(`${place}/*.csv`)).toEqual([a, b]);
    expect(await rows(`${place}/**/*.csv`)).toEqual([a, b, d]);
    expect(await rows(`${place}/{a,sub/d}.csv`)).toEqual([a, d]);
    expect(await rows(`${place}/[a-a].csv`)).toEqual([a]);
    expect(await rows(`${place}/?.csv`)).toEqual([a, b]);
  });

  it("that no pattern matches are one clear error", async () => {
    await expect(rows(`${place}/x*.csv`)).rejects.toThrow(
      `Cannot read ${place}/x*.csv: no file in ${place} matches the pattern.`,
    );
    await expect(rows(`${place}/none/x*.csv`)).rejects.toThrow(`there is no directory ${place}/none`);
    await expect(rows(`${place}/none.csv`)).rejects.toThrow("no such file or directory");
    await expect(rows(`${place}/none/x.csv`)).rejects.toThrow(`there is no directory ${place}/none`);
  });

  it("with other columns are refused, both named", async () => {
    writeFileSync(join(place, "sub", "e.csv"), "x,z\n1,2\n");
    await expect(rows(`${place}/sub/*.csv`)).rejects.toThrow(/e\.csv: there is no column "y" .*d\.csv has it/);
  });
});
