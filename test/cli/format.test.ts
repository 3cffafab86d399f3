import { tableFromIPC } from "apache-arrow";
import { createColors } from "picocolors";
import stringWidth from "string-width";
import { expect, test } from "vitest";
import {
  Arena,
  type Batch,
  BatchBuilder,
  type CellInput,
  field,
  parseType,
  releaseBatch,
  type Schema,
  schema,
} from "../../src/arrow/mod.ts";
import { rowWriter } from "../../src/cli/format/row_writer.ts";
import type { Format } from "../../src/cli/values.ts";

const types: Readonly<Record<string, string>> = {
  id: "int64",
  name: "utf8",
  price: "decimal(12, 2)",
  at: "timestamp[us, Europe/Berlin]",
  ratio: "float64",
  tags: "list<utf8>",
};

const rows: readonly CellInput[][] = [
  [9223372036854775807n, 'say "hi", ok', "1234567890.10", 0n, Number.NaN, ["a", null, "b,c"]],
  [-9223372036854775808n, "日本語\nline two", "-0.05", -1n, -0, []],
  [null, "", null, null, Number.NEGATIVE_INFINITY, null],
  [0n, null, "0.00", 86400000000n, 0.1, ["x"]],
];

function schemaOf(columns: Readonly<Record<string, string>>): Schema {
  return schema(
    Object.entries(columns).map(([name, text]) => {
      const type = parseType(text);
      if (type === null) throw new Error(`no type ${text}`);
      return field(name, type);
    }),
  );
}

interface Printed {
  readonly text: string;
  readonly bytes: Uint8Array;
}

async function print(
  format: Format,
  cells: readonly (readonly CellInput[])[],
  options: {
    columns?: Readonly<Record<string, string>>;
    width?: number | null;
    batchRows?: number;
    isFile?: boolean;
  } = {},
): Promise<Printed> {
  const arena = Arena.create({ limitBytes: 64 * 2 ** 20 });
  const rowSchema = schemaOf(options.columns ?? types);
  const chunks: Uint8Array[] = [];
  const writer = await rowWriter(format, {
    arena,
    schema: rowSchema,
    emit: async (chunk) =>
      void chunks.push(typeof chunk === "string" ? new TextEncoder().encode(chunk) : chunk.slice()),
    width: options.width ?? null,
    paint: createColors(false),
    isFile: options.isFile ?? false,
  });
  const batchRows = options.batchRows ?? 1_000;
  for (let start = 0; start < cells.length; start += batchRows) {
    const batch = build(arena, rowSchema, cells.slice(start, start + batchRows));
    await writer.write(batch);
    releaseBatch(arena, batch);
  }
  await writer.end();
  expect(arena.bytesInUse()).toBe(0);
  const bytes = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return { text: new TextDecoder().decode(bytes), bytes };
}

function build(arena: Arena, rowSchema: Schema, cells: readonly (readonly CellInput[])[]): Batch {
  const builder = new BatchBuilder(arena, rowSchema, 1);
  for (const row of cells) builder.appendValues([...row]);
  return builder.finish();
}

test("JSON lines keep every digit and write what JSON lacks as strings", async () => {
  expect((await print("json", rows)).text.split("\n")).toEqual([
    '{"id":9223372036854775807,"name":"say \\"hi\\", ok","price":1234567890.10,"at":"1970-01-01T01:00:00+01:00","ratio":"NaN","tags":["a",null,"b,c"]}',
    '{"id":-9223372036854775808,"name":"日本語\\nline two","price":-0.05,"at":"1970-01-01T00:59:59.999999+01:00","ratio":-0,"tags":[]}',
    '{"id":null,"name":"","price":null,"at":null,"ratio":"-Infinity","tags":null}',
    '{"id":0,"name":null,"price":0.00,"at":"1970-01-02T01:00:00+01:00","ratio":0.1,"tags":["x"]}',
    "",
  ]);
});

test("CSV quotes as RFC 4180 says and tells null from the empty text", async () => {
  expect((await print("csv", rows, { columns: { ...types } })).text).toBe(
    [
      "id,name,price,at,ratio,tags",
      '9223372036854775807,"say ""hi"", ok",1234567890.10,1970-01-01T01:00:00+01:00,NaN,"[""a"", null, ""b,c""]"',
      '-9223372036854775808,"日本語\nline two",-0.05,1970-01-01T00:59:59.999999+01:00,-0,[]',
      ',"",,,-Infinity,',
      '0,,0.00,1970-01-02T01:00:00+01:00,0.1,"[""x""]"',
      "",
    ].join("\n"),
  );
});

test("Arrow is read by apache-arrow, as stream and as file", async () => {
  for (const isFile of [false, true]) {
    const table = tableFromIPC((await print("arrow", rows, { isFile, batchRows: 3 })).bytes);
    expect(table.schema.names).toEqual(Object.keys(types));
    expect([...(table.getChild("id") ?? [])]).toEqual(rows.map((row) => row[0]));
    expect([...(table.getChild("name") ?? [])]).toEqual(rows.map((row) => row[1]));
  }
});

test("every format writes a result without rows", async () => {
  expect((await print("json", [])).text).toBe("");
  expect((await print("csv", [])).text).toBe("id,name,price,at,ratio,tags\n");
  expect((await print("table", [], { columns: { a: "int32" } })).text).toBe("    a\nint32\n─────\n(0 rows)\n");
  expect(tableFromIPC((await print("arrow", [])).bytes).numRows).toBe(0);
});

test("a table aligns numbers right and shows types, nulls and control characters", async () => {
  await expect((await print("table", rows)).text).toMatchFileSnapshot("goldens/table_wide.txt");
});

test.each([10, 20, 40, 60, 80, 120, 200])("a table on %i columns keeps within them", async (width) => {
  const { text } = await print("table", rows, { width });
  const lines = text.split("\n").slice(0, -2);
  for (const line of lines) expect(stringWidth(line)).toBeLessThanOrEqual(width);
  await expect(text).toMatchFileSnapshot(`goldens/table_${width}.txt`);
});

test("of a long result the first and last 20 rows are shown", async () => {
  const cells = Array.from({ length: 1_234 }, (_, index) => [index]);
  for (const batchRows of [1, 7, 1_000, 5_000]) {
    const lines = (await print("table", cells, { columns: { n: "int32" }, batchRows })).text.trimEnd().split("\n");
    expect(lines.slice(3, 23).map(Number)).toEqual(Array.from({ length: 20 }, (_, index) => index));
    expect(lines[23]).toBe("… 1,194 more rows");
    expect(lines.slice(24, 44).map(Number)).toEqual(Array.from({ length: 20 }, (_, index) => 1_214 + index));
    expect(lines[44]).toBe("(1,234 rows)");
  }
});

test.each([40, 41, 45, 60, 61])("a result of %i rows is shown without a gap or a double", async (count) => {
  const cells = Array.from({ length: count }, (_, index) => [index]);
  const lines = (await print("table", cells, { columns: { n: "int32" }, batchRows: 9 })).text.trimEnd().split("\n");
  const shown = lines.slice(3, -1).filter((line) => !line.startsWith("…"));
  expect(shown.length).toBe(40);
  expect(new Set(shown).size).toBe(40);
});
