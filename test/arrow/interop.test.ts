import { readFileSync } from "node:fs";
import {
  Field,
  Int32,
  List,
  makeVector,
  RecordBatch,
  Table,
  tableFromArrays,
  tableFromIPC,
  vectorFromArray,
} from "apache-arrow";
import fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import {
  Arena,
  ArrowError,
  batchFromRows,
  bool,
  type DataType,
  dictionary,
  field,
  float64,
  fromArrowTable,
  fromColumns,
  int32,
  int64,
  list,
  loadApacheArrow,
  readIpc,
  releaseBatch,
  rowsOf,
  schema,
  timestamp,
  toArrowTable,
  utf8,
} from "../../src/arrow/mod.ts";
import { anySample, build, SEED } from "./samples.ts";

const arena = Arena.create({ limitBytes: 2 ** 29 });
beforeAll(loadApacheArrow);

test(`a batch as a table and back is equal (seed ${SEED})`, () => {
  const property = fc.property(anySample, (sample) => {
    const batch = build(arena, sample);
    const table = toArrowTable(arena, [batch, batch]);
    expect(table.numRows).toBe(2 * sample.rows.length);
    const back = fromArrowTable(arena, table, 3);
    expect([...rowsOf(arena, back)]).toEqual([...sample.rows, ...sample.rows]);
    releaseBatch(arena, back);
    const part = fromArrowTable(arena, table.slice(1, 4), 3);
    expect([...rowsOf(arena, part)]).toEqual([...sample.rows, ...sample.rows].slice(1, 4));
    releaseBatch(arena, part);
    const declared = fromColumns(arena, table, { schema: sample.schema, owner: 3 });
    expect(declared.schema).toBe(sample.schema);
    expect([...rowsOf(arena, declared)]).toEqual([...sample.rows, ...sample.rows]);
    releaseBatch(arena, declared);
    releaseBatch(arena, batch);
    expect(arena.bytesInUse()).toBe(0);
  });
  fc.assert(property, { seed: SEED, numRuns: 80, endOnFailure: true });
});

test("a table lies over the arena's own bytes", () => {
  const batch = batchFromRows(arena, schema([field("v", float64)]), [{ v: 1 }, { v: 2 }], 0);
  const table = toArrowTable(arena, [batch]);
  arena.f64[((batch.columns[0]?.data ?? 0) >>> 3) + 1] = 7;
  expect(table.getChild("v")?.get(1)).toBe(7);
  releaseBatch(arena, batch);
});

function made(type: DataType, values: unknown): unknown[] {
  const batch = fromColumns(arena, { v: values }, { schema: schema([field("v", type)]), owner: 0 });
  try {
    return [...rowsOf(arena, batch)].map((row) => row["v"]);
  } finally {
    releaseBatch(arena, batch);
  }
}

test("columns may be arrays, typed arrays or vectors, of another numeric type where each value fits", () => {
  expect(made(int64, [1, 2n, null])).toEqual([1n, 2n, null]);
  expect(made(float64, Float64Array.of(1, -0))).toEqual([1, -0]);
  expect(made(int64, Int32Array.of(1, -2))).toEqual([1n, -2n]);
  expect(made(int32, Float64Array.of(3))).toEqual([3]);
  expect(made(int64, makeVector(Int32Array.of(5, 6)))).toEqual([5n, 6n]);
  expect(made(utf8, vectorFromArray(["a", null, "b"]))).toEqual(["a", null, "b"]);
  expect(made(dictionary(utf8), ["a", "a"])).toEqual(["a", "a"]);
  expect(made(list(int32), vectorFromArray([[1, 2], []], new List(new Field("item", new Int32()))))).toEqual([
    [1, 2],
    [],
  ]);
  expect(arena.bytesInUse()).toBe(0);
});

test("wrong columns are errors that name the column", () => {
  const s = schema([field("a", int64), field("b", utf8, false)]);
  const cases: [object, RegExp][] = [
    [{ a: [1] }, /Column "b" \(utf8\) is missing; there are: a/],
    [{ a: [1], b: ["x", "y"] }, /Column "b" has 2 rows, but "a" has 1/],
    [{ a: [1], b: [null] }, /Column "b", row 0: expected utf8 not null, got null/],
    [{ a: [1.5], b: ["x"] }, /Column "a", row 0: expected int64, got 1.5/],
    [{ a: "text", b: ["x"] }, /Column "a": expected an array, a typed array or a vector/],
    [{ a: Float64Array.of(0.5), b: ["x"] }, /Column "a", row 0/],
    [tableFromArrays({ a: Int32Array.of(1) }), /Column "b" \(utf8\) is missing/],
    [tableFromArrays({ a: ["x"], b: ["y"] }), /Column "a": expected int64, got dictionary/],
  ];
  for (const [source, message] of cases) {
    expect(() => fromColumns(arena, source, { schema: s, owner: 0 })).toThrow(message);
    expect(() => fromColumns(arena, source, { schema: s, owner: 0 })).toThrow(ArrowError);
  }
  const dates = new Table({ a: vectorFromArray([new Date(5)]) });
  expect(() => fromColumns(arena, dates, { schema: schema([field("a", timestamp("second"))]), owner: 0 })).toThrow(
    ArrowError,
  );
  expect(() => made(bool, [1])).toThrow(ArrowError);
  expect(arena.bytesInUse()).toBe(0);
});

test("a record batch is taken like a table", () => {
  const record = new RecordBatch({ a: vectorFromArray([1, 2], new Int32()).data[0] as never });
  const batch = fromColumns(arena, record, { schema: schema([field("a", int32)]), owner: 0 });
  expect([...rowsOf(arena, batch)]).toEqual([{ a: 1 }, { a: 2 }]);
  releaseBatch(arena, batch);
});

test("a file of 200,000 flights reads as apache-arrow reads it", () => {
  const bytes = readFileSync(new URL("../../node_modules/vega-datasets/data/flights-200k.arrow", import.meta.url));
  const theirs = tableFromIPC(bytes);
  const reader = readIpc(arena, bytes, { owner: 0 });
  let row = 0;
  const columns = reader.schema.fields.map((f) => theirs.getChild(f.name));
  for (const batch of reader) {
    for (const ours of rowsOf(arena, batch)) {
      const at = row++;
      reader.schema.fields.forEach((f, i) => {
        if (!Object.is(ours[f.name], columns[i]?.get(at))) expect(ours[f.name]).toBe(columns[i]?.get(at));
      });
    }
    releaseBatch(arena, batch);
  }
  reader.close();
  expect(row).toBe(theirs.numRows);
  expect(arena.bytesInUse()).toBe(0);
});
