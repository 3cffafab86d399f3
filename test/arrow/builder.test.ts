import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  Arena,
  ArrowError,
  BatchBuilder,
  batchBytes,
  batchFromRows,
  type DataType,
  date32,
  decimal,
  dictionary,
  emptyBatch,
  field,
  gatherColumn,
  int8,
  int32,
  int64,
  list,
  NULL_ROW,
  readCell,
  releaseBatch,
  retainBatch,
  rowsOf,
  schema,
  selectColumns,
  sliceBatch,
  struct,
  time,
  timestamp,
  uint64,
  utf8,
} from "../../src/arrow/mod.ts";
import { anySample, build, EVERY_TYPE, SEED } from "./samples.ts";

const arena = Arena.create({ limitBytes: 2 ** 28 });

function roundTrip(type: DataType, values: unknown[]): unknown[] {
  const batch = batchFromRows(
    arena,
    schema([field("v", type)]),
    values.map((v) => ({ v }) as never),
    0,
  );
  const read = [...rowsOf(arena, batch)].map((row) => row["v"]);
  releaseBatch(arena, batch);
  return read;
}

describe("building and reading", () => {
  test(`rows of any schema come back equal, whole, sliced and gathered (seed ${SEED})`, () => {
    const property = fc.property(anySample, fc.nat(), fc.nat(), (sample, a, b) => {
      const batch = build(arena, sample);
      expect([...rowsOf(arena, batch)]).toEqual(sample.rows);
      const n = sample.rows.length;
      const [start, end] = [a % (n + 1), b % (n + 1)].sort((x, y) => x - y) as [number, number];
      const slice = sliceBatch(arena, batch, start, end, 2);
      const rows = Uint32Array.from(sample.rows, (_row, i) => (i % 5 === 4 ? NULL_ROW : (i * 7) % n));
      const gathered = batch.columns.map((c, i) =>
        gatherColumn(arena, c, i % 2 === 0 ? { rows, owner: 3 } : { rows, owner: 3, shared: batch.blocks }),
      );
      releaseBatch(arena, batch);
      expect([...rowsOf(arena, slice)]).toEqual(sample.rows.slice(start, end));
      releaseBatch(arena, slice);
      gathered.forEach(({ column, blocks }, c) => {
        rows.forEach((row, i) => {
          const cell = row === NULL_ROW ? null : sample.rows[row]?.[`c${c}`];
          expect(readCell(arena, column, i)).toEqual(cell);
        });
        for (const block of blocks) arena.release(block);
      });
      expect(arena.bytesInUse()).toBe(0);
    });
    fc.assert(property, { seed: SEED, numRuns: 150 });
  });

  test("many rows grow every buffer, and one builder makes many batches", () => {
    const s = schema([field("n", int64), field("t", utf8), field("d", dictionary(utf8)), field("l", list(int32))]);
    const builder = new BatchBuilder(arena, s, 0);
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < 5_000; i++) {
        const n = i % 7 === 0 ? null : BigInt(i);
        builder.append({ n, t: "é".repeat(i % 40), d: `d${i % 300}`, l: i % 3 === 0 ? null : [i, null, i + 1] });
      }
      const batch = builder.finish();
      let i = 0;
      for (const row of rowsOf(arena, batch)) {
        if (
          row["n"] !== (i % 7 === 0 ? null : BigInt(i)) ||
          row["t"] !== "é".repeat(i % 40) ||
          row["d"] !== `d${i % 300}`
        ) {
          expect(row).toBe(i);
        }
        i++;
      }
      expect(i).toBe(5_000);
      expect(batch.columns[2]?.dictionary?.length).toBe(300);
      releaseBatch(arena, batch);
    }
    expect(arena.bytesInUse()).toBe(0);
  });

  test("an empty batch of every type can be built, sliced, gathered and read", () => {
    const s = schema(EVERY_TYPE.map((type, i) => field(`c${i}`, type)));
    for (const batch of [emptyBatch(s), new BatchBuilder(arena, s, 0).finish()]) {
      expect([...rowsOf(arena, batch)]).toEqual([]);
      expect(batchBytes(arena, batch)).toBeLessThan(500);
      releaseBatch(arena, sliceBatch(arena, batch, 0, 0, 0));
      for (const column of batch.columns) {
        const { blocks } = gatherColumn(arena, column, { rows: new Uint32Array(), owner: 0 });
        for (const block of blocks) arena.release(block);
      }
      releaseBatch(arena, batch);
    }
    expect(arena.bytesInUse()).toBe(0);
  });

  test("a value of the wrong type is an error that names column, row, value and type, and takes the row back", () => {
    const item = struct([field("x", int8), field("y", utf8, false)]);
    const s = schema([field("a", int64, false), field("b", list(item)), field("c", dictionary(utf8))]);
    const builder = new BatchBuilder(arena, s, 0);
    builder.append({ a: 1n, b: [{ x: 1, y: "one" }], c: "c" });
    const bad: [Record<string, unknown>, RegExp][] = [
      [{ a: null }, /Column "a", row 1: expected int64 not null, got null/],
      [{ a: 2 ** 60 }, /Column "a".*expected int64 not null, got 1152921504606847000 \(number\)/],
      [{ a: 1.5 }, /got 1\.5/],
      [
        {
          a: 2,
          b: [
            { x: 1, y: "s" },
            { x: 300, y: "s" },
          ],
        },
        /Column "b".*list<struct<x: int8, y: utf8 not null>>/,
      ],
      [{ a: 2, b: [{ x: 1, y: "s" }, { x: 3 }] }, /Column "b"/],
      [{ a: 2, b: [null, { x: 3, y: "z" }], c: 5 }, /Column "c".*got 5 \(number\)/],
    ];
    for (const [row, message] of bad) {
      expect(() => builder.append(row as never)).toThrow(message);
      expect(() => builder.append(row as never)).toThrow(ArrowError);
    }
    builder.append({ a: 3n, b: [{ x: null, y: "two" }], c: null });
    const batch = builder.finish();
    expect([...rowsOf(arena, batch)]).toEqual([
      { a: 1n, b: [{ x: 1, y: "one" }], c: "c" },
      { a: 3n, b: [{ x: null, y: "two" }], c: null },
    ]);
    releaseBatch(arena, batch);
    expect(arena.bytesInUse()).toBe(0);
  });

  test("running out of memory in the middle of a row frees everything on abort", () => {
    const small = Arena.create({ limitBytes: 200_000 });
    const builder = new BatchBuilder(small, schema([field("a", int64), field("t", list(utf8))]), 4);
    expect(() => {
      for (let i = 0; ; i++) builder.append({ a: i, t: ["x".repeat(50), "y"] });
    }).toThrow(/operator 4/);
    const kept = builder.rowCount;
    const batch = builder.finish();
    expect([...rowsOf(small, batch)].length).toBe(kept);
    releaseBatch(small, batch);
    builder.abort();
    expect(small.bytesInUse()).toBe(0);
  });

  test("integers keep all their bits and refuse what does not fit", () => {
    expect(roundTrip(int64, [-(2n ** 63n), 2n ** 63n - 1n, -1, 2 ** 53 - 1, -(2 ** 53) + 1, 0])).toEqual([
      -(2n ** 63n),
      2n ** 63n - 1n,
      -1n,
      2n ** 53n - 1n,
      -(2n ** 53n) + 1n,
      0n,
    ]);
    expect(roundTrip(uint64, [2n ** 64n - 1n, 2 ** 40])).toEqual([2n ** 64n - 1n, 2n ** 40n]);
    for (const [type, value] of [
      [uint64, -1],
      [uint64, -1n],
      [int64, 2n ** 63n],
      [int8, 128],
      [int8, 128n],
      [int32, NaN],
    ] as const) {
      expect(() => roundTrip(type, [value])).toThrow(ArrowError);
    }
  });

  test("decimals are exact text and refuse digits that would be lost", () => {
    expect(roundTrip(decimal(12, 2), ["1", "-0.05", "1e3", 2.5, 7n, "9999999999.99", "1.500"])).toEqual([
      "1.00",
      "-0.05",
      "1000.00",
      "2.50",
      "7.00",
      "9999999999.99",
      "1.50",
    ]);
    expect(roundTrip(decimal(3, -2), ["12300", "0"])).toEqual(["12300", "0"]);
    for (const value of ["1.005", "10000000000", "abc", "", ".", "NaN", Number.NaN, "1e9999"]) {
      expect(() => roundTrip(decimal(12, 2), [value])).toThrow(ArrowError);
    }
  });

  test("dates are taken for date and timestamp columns", () => {
    const date = new Date("1969-12-31T23:59:59.999Z");
    expect(roundTrip(date32, [date, 10])).toEqual([-1, 10]);
    expect(roundTrip(timestamp("second"), [date])).toEqual([-1n]);
    expect(roundTrip(timestamp("millisecond"), [date])).toEqual([-1n]);
    expect(roundTrip(timestamp("nanosecond"), [date])).toEqual([-1_000_000n]);
    expect(() => roundTrip(timestamp("second"), [new Date(Number.NaN)])).toThrow(ArrowError);
    expect(() => roundTrip(time("second"), [86_401])).toThrow(ArrowError);
  });

  test("selecting columns hands the memory on, retaining keeps it for two", () => {
    const s = schema([field("a", int32), field("b", utf8)]);
    const batch = batchFromRows(arena, s, [{ a: 1, b: "x" }], 0);
    retainBatch(arena, batch);
    const picked = selectColumns(batch, ["b"]);
    releaseBatch(arena, batch);
    expect([...rowsOf(arena, picked)]).toEqual([{ b: "x" }]);
    expect(() => selectColumns(batch, ["c"])).toThrow(/column "c": the batch has a, b/);
    releaseBatch(arena, picked);
    expect(arena.bytesInUse()).toBe(0);
  });

  test("a column may have the name of an object's built-in property", () => {
    const s = schema([field("__proto__", int32), field("constructor", utf8)]);
    const batch = batchFromRows(arena, s, [JSON.parse('{"__proto__": 5, "constructor": "c"}')], 0);
    const [row] = [...rowsOf(arena, batch)];
    expect(Object.entries(row ?? {})).toEqual([
      ["__proto__", 5],
      ["constructor", "c"],
    ]);
    releaseBatch(arena, batch);
  });
});
