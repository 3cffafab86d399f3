import { readdirSync, readFileSync } from "node:fs";
import { zstdDecompressSync } from "node:zlib";
import { expect, test } from "vitest";
import {
  Arena,
  type Cell,
  type DataType,
  readIpc,
  releaseBatch,
  rowsOf,
  type Schema,
  valueType,
} from "../../src/arrow/mod.ts";

const FOLDER = new URL("../data/", import.meta.url);
const arena = Arena.create({ limitBytes: 2 ** 28 });

interface Expected {
  readonly schema: readonly { readonly name: string; readonly type: string; readonly nullable: boolean }[];
  readonly rowCount: number;
  readonly rows: readonly (readonly unknown[])[];
}

/** A cell as the fixtures' README writes it. */
function plain(type: DataType, cell: Cell | undefined, wire: string): unknown {
  if (cell === null || cell === undefined) return null;
  const value = valueType(type);
  if (value.kind === "list") {
    const items = (cell as Cell[]).map((item) => plain(value.item.type, item, ""));
    return wire.startsWith("map") ? items.map((item) => Object.values(item as object)) : items;
  }
  if (value.kind === "struct") {
    const row = cell as { readonly [name: string]: Cell };
    return Object.fromEntries(value.fields.map((f) => [f.name, plain(f.type, row[f.name], "")]));
  }
  if (cell instanceof Uint8Array) return Buffer.from(cell).toString("hex");
  if (value.kind === "float32" || value.kind === "float64") {
    return Object.is(cell, -0) ? "-0" : Number.isFinite(cell) ? cell : String(cell);
  }
  const asText = ["int64", "uint64", "date32", "time", "timestamp", "duration"].includes(value.kind);
  return asText ? String(cell) : cell;
}

function zoneOf(type: DataType): string | null {
  return type.kind === "timestamp" ? type.timezone : null;
}

function checkSchema(schema: Schema, expected: Expected): void {
  expect(schema.fields.map((f) => [f.name, f.nullable])).toEqual(expected.schema.map((f) => [f.name, f.nullable]));
  expected.schema.forEach(({ type }, i) => {
    const ours = schema.fields[i]?.type as DataType;
    expect(zoneOf(ours)).toBe(/^timestamp.*tz=(.*)\]$/.exec(type)?.[1] ?? null);
    const index = /^dictionary<values=.*, indices=(\w+), ordered=(\d)/.exec(type);
    if (index !== null) expect(ours).toMatchObject({ kind: "dictionary", index: index[1], ordered: index[2] === "1" });
  });
}

const names = readdirSync(FOLDER).filter((name) => /\.arrows?$/.test(name));

for (const name of names) {
  test(`${name} is read as its writer meant it`, () => {
    const expected = JSON.parse(readFileSync(new URL(`${name}.expected.json`, FOLDER), "utf8")) as Expected;
    const decompress = (_codec: string, input: Uint8Array) => zstdDecompressSync(input);
    const options = name.includes("zstd") ? { owner: 1, decompress } : { owner: 1 };
    const reader = readIpc(arena, readFileSync(new URL(name, FOLDER)), options);
    const rows: unknown[][] = [];
    for (const batch of reader) {
      for (const row of rowsOf(arena, batch)) {
        rows.push(reader.schema.fields.map((f, i) => plain(f.type, row[f.name], expected.schema[i]?.type ?? "")));
      }
      releaseBatch(arena, batch);
    }
    checkSchema(reader.schema, expected);
    expect(rows.length).toBe(expected.rowCount);
    rows.forEach((row, i) => {
      expect(row, `row ${i}`).toEqual(expected.rows[i]);
    });
    reader.close();
    expect(arena.bytesInUse()).toBe(0);
  });
}

test("there are fixtures of other writers", () => {
  expect(names.length).toBeGreaterThan(20);
});
