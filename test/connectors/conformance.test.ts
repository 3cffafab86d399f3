import { describe, expect, it } from "vitest";
import { sourceConformance } from "./conformance.ts";
import { DATA, load, spec } from "./support.ts";
import { csvOptions } from "./text_fixtures.ts";

const VEGA = new URL("../../node_modules/vega-datasets/data/", import.meta.url).pathname;
const GENERATE = spec("generate", {
  rows: 1000,
  seed: 7,
  columns: [
    { name: "id", type: { kind: "int64" }, values: { kind: "sequence", start: 0, step: 1 }, nullFraction: 0 },
    { name: "x", type: { kind: "float64" }, values: { kind: "random", min: 0, max: 1 }, nullFraction: 0.1 },
    { name: "n", type: { kind: "int32" }, values: { kind: "random", min: -3, max: 3 }, nullFraction: 0 },
    { name: "t", type: { kind: "utf8" }, values: { kind: "text", minLength: 2, maxLength: 9 }, nullFraction: 0 },
    { name: "c", type: { kind: "utf8" }, values: { kind: "choice", values: ["a", "b"] }, nullFraction: 0 },
  ],
});
const ROWS = spec("rows", {
  schema: {
    fields: [
      { name: "a", type: { kind: "int32" }, nullable: true },
      { name: "b", type: { kind: "utf8" }, nullable: true },
    ],
  },
  rows: [
    [1, "x"],
    [null, "y"],
    [3, null],
    [4, "z"],
  ],
});

const SOURCES = {
  parquet: spec("parquet", { paths: [`${DATA}pyarrow_row_groups.parquet`], schema: null }),
  "parquet nested": spec("parquet", { paths: [`${DATA}pyarrow_nested.parquet`], schema: null }),
  "arrow file": spec("arrow", { paths: [`${DATA}pyarrow_texts.arrow`], schema: null }),
  "arrow stream": spec("arrow", { paths: [`${DATA}pyarrow_texts.arrows`], schema: null }),
  csv: spec("csv", csvOptions([`${DATA}types.csv`])),
  "csv of another writer": spec("csv", csvOptions([`${VEGA}airports.csv`])),
  json: spec("json", { paths: [`${DATA}numbers.jsonl`], schema: null, onBadRow: "fail", inferRows: 1000 }),
  "json array": spec("json", { paths: [`${VEGA}cars.json`], schema: null, onBadRow: "fail", inferRows: 1000 }),
  rows: ROWS,
  generate: GENERATE,
};

for (const [name, source] of Object.entries(SOURCES)) {
  describe(`source ${name}`, () => sourceConformance(() => source));
}

describe("generated rows", () => {
  it("lie in their ranges and depend on the seed alone", async () => {
    const first = await load(GENERATE);
    expect((await load(GENERATE)).rows).toEqual(first.rows);
    const other = await load(spec("generate", { ...GENERATE.options, seed: 8 }));
    expect(other.rows).not.toEqual(first.rows);
    for (const [id, x, n, t, c] of first.rows) {
      expect(typeof id).toBe("bigint");
      if (x !== null) expect(x as number).toBeLessThan(1);
      expect(Math.abs(n as number)).toBeLessThanOrEqual(3);
      expect(t as string).toMatch(/^[a-z]{2,9}$/);
      expect(["a", "b"]).toContain(c);
    }
    expect(first.rows.filter(([, x]) => x === null).length).toBeGreaterThan(50);
    expect(new Set(first.rows.map(([, , n]) => n)).size).toBe(7);
  });
});
