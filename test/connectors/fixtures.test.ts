import { describe, expect, it } from "vitest";
import { DATA, type Expected, expectedOf, fixtures, type Loaded, load, plainRows, spec, types } from "./support.ts";
import { ABSCHEMA, csvFixtureOptions } from "./text_fixtures.ts";

/** pyarrow's type name as SAGE's: it has one width of text, and knows no map. */
function typeOf(name: string): string {
  return name
    .replace(/dictionary<values=(\w+), .*>$/, "$1")
    .replaceAll("large_", "")
    .replaceAll("decimal128", "decimal")
    .replaceAll("string", "utf8")
    .replaceAll("double", "float64")
    .replace(/\bfloat\b/g, "float32")
    .replaceAll("date32[day]", "date32")
    .replace(/time(32|64)\[/g, "time[")
    .replaceAll("tz=", "")
    .replaceAll("fixed_size_binary", "fixedSizeBinary");
}

function simple(type: string): string {
  return type
    .replaceAll("large", "")
    .replaceAll("Utf8", "utf8")
    .replaceAll("Binary", "binary")
    .replace(/dictionary<\w+, (\w+)>/, "$1")
    .replace(/list<\w+: /g, "list<");
}

function check(loaded: Loaded, expected: Expected, options: { typed: boolean }): void {
  const rows = plainRows(loaded);
  const maps = new Set(expected.schema.flatMap(({ type }, i) => (type.startsWith("map<") ? [i] : [])));
  const pairs = (cell: unknown) =>
    (cell as { key: unknown; value: unknown }[] | null)?.map(({ key, value }) => [key, value]) ?? null;
  expect(rows.map((row) => row.map((cell, i) => (maps.has(i) ? pairs(cell) : cell)))).toEqual(
    expected.rows.filter((row) => row),
  );
  if (!options.typed) return;
  const wanted = expected.schema.map(({ name, type }) => simple(`${name}: ${typeOf(type)}`));
  expect(
    types(loaded.schema)
      .filter((_, i) => !maps.has(i))
      .map(simple),
  ).toEqual(wanted.filter((_, i) => !maps.has(i)));
}

describe("Parquet files of others", () => {
  for (const name of fixtures(".parquet")) {
    it(`${name} is read as expected`, async () => {
      const source = spec("parquet", { paths: [DATA + name], schema: null });
      check(await load(source), expectedOf(name), { typed: true });
      check(await load(source, { batchRows: 7 }), expectedOf(name), { typed: false });
    });
  }
});

describe("Arrow files of others", () => {
  for (const name of fixtures(".arrow", ".arrows")) {
    it(`${name} is read as expected`, async () => {
      const source = spec("arrow", { paths: [DATA + name], schema: null });
      check(await load(source, { batchRows: 3 }), expectedOf(name), { typed: false });
    });
  }
});

describe("CSV files of others", () => {
  for (const name of fixtures(".csv", ".tsv")) {
    if (name === "duplicate_header.csv") continue;
    const expected = expectedOf(name);
    it(`${name} is read as expected`, async () => {
      const loaded = await load(spec("csv", csvFixtureOptions(name)), { batchRows: 2 });
      check(loaded, expected, { typed: expected.options?.header !== false });
      expect(loaded.skippedRows).toBe(expected.badRows?.length ?? 0);
    });
    const [first] = expected.badRows ?? [];
    if (first === undefined) continue;
    it(`${name} fails at line ${first} when bad rows are not allowed`, async () => {
      const source = spec("csv", { ...csvFixtureOptions(name), onBadRow: "fail" });
      await expect(load(source)).rejects.toThrow(new RegExp(`${name}: line ${first}\\b`));
    });
  }

  it("a header with one name twice is refused", async () => {
    const source = spec("csv", csvFixtureOptions("duplicate_header.csv"));
    await expect(load(source)).rejects.toThrow('its header names two columns "a"');
  });
});

describe("JSON files of others", () => {
  for (const name of fixtures(".jsonl")) {
    const expected = expectedOf(name);
    const schema =
      expected.note?.startsWith("read with the schema") === true ? { fields: ABSCHEMA.fields.slice(0, 1) } : null;
    const options = { paths: [DATA + name], schema, inferRows: 1000 };
    it(`${name} is read as expected`, async () => {
      const onBadRow = expected.badRows === undefined ? "fail" : "skip";
      const loaded = await load(spec("json", { ...options, onBadRow }), { batchRows: 2 });
      check(loaded, expected, { typed: !name.startsWith("nested") });
      expect(loaded.skippedRows).toBe(expected.badRows?.length ?? 0);
    });
    const [first] = expected.badRows ?? [];
    if (first === undefined) continue;
    it(`${name} fails at line ${first} when bad rows are not allowed`, async () => {
      await expect(load(spec("json", { ...options, onBadRow: "fail" }))).rejects.toThrow(
        new RegExp(`${name}: line ${first}\\b`),
      );
    });
  }
});
