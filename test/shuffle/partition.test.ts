import fc from "fast-check";
import { expect, test } from "vitest";
import {
  Arena,
  type Batch,
  batchFromRows,
  bool,
  type Cell,
  type DataType,
  dictionary,
  field,
  float32,
  float64,
  int8,
  int32,
  int64,
  list,
  releaseBatch,
  retainBatch,
  rowsOf,
  schema,
  utf8,
} from "../../src/arrow/mod.ts";
import { createPartitioner, type Partitioning, rangeBounds, rangeWords } from "../../src/shuffle/mod.ts";
import { SEED } from "../arrow/samples.ts";

const arena = Arena.create({ limitBytes: 2 ** 29 });

/** Rows of each partition. */
function split(partitioning: Partitioning, batches: readonly Batch[]): Record<string, Cell>[][] {
  const rows: Record<string, Cell>[][] = [];
  const [first] = batches;
  const partitioner = createPartitioner(partitioning, {
    arena,
    owner: 1,
    schema: (first as Batch).schema,
    emit(partition, batch) {
      rows[partition] = [...(rows[partition] ?? []), ...rowsOf(arena, batch)];
      releaseBatch(arena, batch);
    },
  });
  for (const batch of batches) partitioner.add(batch);
  partitioner.flush();
  partitioner.close();
  expect(arena.bytesInUse()).toBe(0);
  return Array.from({ length: partitioner.partitions }, (_, i) => rows[i] ?? []);
}

function column(type: DataType, values: readonly Cell[]): Batch {
  return batchFromRows(
    arena,
    schema([field("k", type), field("n", int32)]),
    values.map((k, n) => ({ k, n })),
    1,
  );
}

/** The partition of each value, in the order given. */
function places(type: DataType, values: readonly Cell[], partitions = 64): number[] {
  const result: number[] = [];
  split({ kind: "hash", keys: ["k"], partitions }, [column(type, values)]).forEach((rows, partition) => {
    for (const { n } of rows) result[n as number] = partition;
  });
  return result;
}

test("equal keys go to one partition, whatever form they come in", () => {
  const numbers = [...Array.from({ length: 50 }, (_, i) => i - 25), null];
  const wanted = places(int32, numbers);
  expect(new Set(wanted).size).toBeGreaterThan(20);
  expect(places(int8, numbers)).toEqual(wanted);
  expect(
    places(
      int64,
      numbers.map((n) => (n === null ? null : BigInt(n))),
    ),
  ).toEqual(wanted);
  const floats = places(float64, [0, -0, Number.NaN, -Number.NaN, 1.5, null]);
  expect(floats[0]).toBe(floats[1]);
  expect(floats[2]).toBe(floats[3]);
  expect(places(float32, [0, -0, Number.NaN, -Number.NaN, 1.5, null])).toEqual(floats);
  const texts = ["", "a", "Grüße", "a string of more than eight bytes", null, "a"];
  expect(places(dictionary(utf8), texts)).toEqual(places(utf8, texts));
  expect(places(utf8, texts)[1]).toBe(places(utf8, texts)[5]);
});

test(`rows with equal keys of several columns meet, in the order in which they came (seed ${SEED})`, () => {
  const row = fc.record({
    a: fc.option(fc.integer({ min: 0, max: 5 })),
    b: fc.constantFrom("", "x", "longer than eight"),
  });
  const property = fc.property(
    fc.array(row, { maxLength: 300 }),
    fc.integer({ min: 1, max: 300 }),
    (rows, partitions) => {
      const numbered = rows.map((each, n) => ({ ...each, n }));
      const of = schema([field("a", int32), field("b", utf8), field("n", int32)]);
      const halves = [numbered.slice(0, 100), numbered.slice(100)];
      const parts = split(
        { kind: "hash", keys: ["a", "b"], partitions },
        halves.map((half) => batchFromRows(arena, of, half, 1)),
      );
      const home = new Map<string, number>();
      parts.forEach((part, partition) => {
        expect(part.map(({ n }) => n)).toEqual(part.map(({ n }) => n as number).sort((x, y) => x - y));
        for (const { a, b } of part) {
          const key = JSON.stringify([a, b]);
          expect(home.get(key) ?? partition).toBe(partition);
          home.set(key, partition);
        }
      });
      expect(parts.flat()).toHaveLength(rows.length);
    },
  );
  fc.assert(property, { seed: SEED, numRuns: 40 });
});

test("keys are spread evenly over any number of partitions", () => {
  const values = Array.from({ length: 60_000 }, (_, i) => BigInt(i) * 1_024n);
  for (const partitions of [2, 7, 64]) {
    const parts = split({ kind: "hash", keys: ["k"], partitions }, [column(int64, values)]);
    const mean = values.length / partitions;
    for (const part of parts) expect(Math.abs(part.length - mean)).toBeLessThan(0.15 * mean);
  }
});

test("of long batches each partition gets its rows in order and whole, and the same ones whether or not keys have nulls", () => {
  const of = schema([
    field("k", int64),
    field("n", int32),
    field("text", utf8),
    field("flag", bool),
    field("list", list(field("item", int32))),
  ]);
  const rowAt = (n: number) => ({
    k: BigInt((n * 7_919) % 1_000),
    n,
    text: n % 5 === 0 ? null : `text ${n % 321}`,
    flag: n % 3 === 0 ? null : n % 2 === 0,
    list: n % 11 === 0 ? null : [n, n + 1],
  });
  const rows = Array.from({ length: 9_001 }, (_, n) => rowAt(n));
  const withNull = [...rows, { ...rowAt(9_001), k: null }];
  for (const partitions of [2, 3, 16, 17]) {
    const partitioning = { kind: "hash", keys: ["k"], partitions } as const;
    const parts = split(partitioning, [batchFromRows(arena, of, rows, 1), batchFromRows(arena, of, rows, 1)]);
    for (const part of parts) {
      const half = part.slice(0, part.length / 2);
      expect(half).toEqual(half.map(({ n }) => rowAt(n as number)));
      expect(half.map(({ n }) => n)).toEqual(half.map(({ n }) => n as number).sort((x, y) => x - y));
      expect(part.slice(part.length / 2)).toEqual(half);
    }
    expect(parts.flat()).toHaveLength(2 * rows.length);
    const others = split(partitioning, [batchFromRows(arena, of, withNull, 1)]);
    const wanted = parts.map((part) => part.slice(0, part.length / 2));
    expect(others.map((part) => part.filter(({ k }) => k !== null))).toEqual(wanted);
  }
});

test(`ranges are in the order of their keys, and equal first words stay together (seed ${SEED})`, () => {
  const value = fc.option(fc.oneof(fc.double(), fc.constant(0), fc.constant(-0)), { freq: 6 });
  const property = fc.property(
    fc.array(value, { minLength: 1, maxLength: 200 }),
    fc.boolean(),
    fc.boolean(),
    fc.integer({ min: 1, max: 9 }),
    (values, descending, nullsFirst, partitions) => {
      const keys = [{ name: "k", descending, nullsFirst }];
      const batch = column(float64, values);
      const bounds = rangeBounds(rangeWords(arena, batch, keys), partitions);
      const parts = split({ kind: "range", keys, bounds }, [batch]);
      expect(parts.flat()).toHaveLength(values.length);
      const rank = (cell: Cell): number => {
        if (cell === null) return nullsFirst ? -1e9 : 1e9;
        const sorted = values.filter((v): v is number => v !== null).sort(byFloat);
        const at = sorted.findIndex((v) => v === cell || Object.is(v, cell) || (v === 0 && cell === 0));
        return descending ? -at : at;
      };
      let before = Number.NEGATIVE_INFINITY;
      for (const part of parts) {
        const ranks = part.map(({ k }) => rank(k as Cell));
        if (ranks.length === 0) continue;
        expect(Math.min(...ranks)).toBeGreaterThanOrEqual(before);
        before = Math.max(...ranks);
      }
    },
  );
  fc.assert(property, { seed: SEED, numRuns: 60 });
});

/** NaN is the greatest. */
function byFloat(a: number, b: number): number {
  if (Number.isNaN(a)) return Number.isNaN(b) ? 0 : 1;
  return Number.isNaN(b) ? -1 : a - b;
}

test("round-robin deals runs of rows in turn", () => {
  const values = Array.from({ length: 40_000 }, (_, i) => i);
  const parts = split({ kind: "roundRobin", partitions: 2 }, [column(int32, values), column(int32, values)]);
  expect(parts.map((part) => part.length)).toEqual([40_000, 40_000]);
});

test("broadcast gives every partition the batch itself, forward passes it on", () => {
  for (const partitioning of [{ kind: "broadcast", partitions: 3 }, { kind: "forward" }] as const) {
    const batch = column(int32, [1, 2, 3]);
    const emitted: [number, Batch][] = [];
    const emit = (partition: number, given: Batch): void => void emitted.push([partition, given]);
    createPartitioner(partitioning, { arena, owner: 1, schema: batch.schema, emit }).add(batch);
    expect(emitted).toEqual(partitioning.kind === "forward" ? [[0, batch]] : [0, 1, 2].map((p) => [p, batch]));
    for (const [, given] of emitted) releaseBatch(arena, given);
    expect(arena.bytesInUse()).toBe(0);
  }
});

test("many small batches leave as few large ones", () => {
  const emitted: Batch[] = [];
  const of = schema([field("k", int32), field("n", int32)]);
  const emit = (_: number, batch: Batch): void => void emitted.push(batch);
  const partitioner = createPartitioner(
    { kind: "hash", keys: ["k"], partitions: 10 },
    { arena, owner: 1, schema: of, emit },
  );
  const batch = column(
    int32,
    Array.from({ length: 1_000 }, (_, i) => i),
  );
  for (let i = 0; i < 100; i++) {
    retainBatch(arena, batch);
    partitioner.add(batch);
  }
  partitioner.flush();
  releaseBatch(arena, batch);
  expect(emitted.length).toBeLessThanOrEqual(20);
  expect(emitted.reduce((sum, { rowCount }) => sum + rowCount, 0)).toBe(100_000);
  for (const each of emitted) releaseBatch(arena, each);
  expect(arena.bytesInUse()).toBe(0);
});

test("keys that cannot be partitioned by are refused with a reason", () => {
  const of = schema([field("a", int32), field("l", list(int32))]);
  const make = (partitioning: Partitioning) => () =>
    createPartitioner(partitioning, { arena, owner: 1, schema: of, emit: () => undefined });
  expect(make({ kind: "hash", keys: ["b"], partitions: 2 })).toThrow('Cannot partition by "b": the rows have a, l.');
  expect(make({ kind: "hash", keys: ["l"], partitions: 2 })).toThrow(/Cannot partition by column "l", a list/);
  expect(make({ kind: "hash", keys: ["a"], partitions: 5_000 })).toThrow(/Cannot make 5000 partitions/);
  const keys = [{ name: "l", descending: false, nullsFirst: false }];
  expect(make({ kind: "range", keys, bounds: [1n] })).toThrow(/Cannot order by column "l"/);
  expect(make({ kind: "range", keys: [{ ...keys[0], name: "a" } as never], bounds: [2n, 1n] })).toThrow(/must rise/);
});

test("a partitioner whose memory runs out frees all it holds", () => {
  const small = Arena.create({ limitBytes: 2 ** 20 });
  const of = schema([field("k", int32), field("n", int32)]);
  const emit = (_: number, batch: Batch): void => releaseBatch(small, batch);
  const partitioner = createPartitioner(
    { kind: "hash", keys: ["k"], partitions: 10 },
    { arena: small, owner: 1, schema: of, emit },
  );
  const rows = Array.from({ length: 4_000 }, (_, n) => ({ k: n, n }));
  expect(() => {
    for (let i = 0; i < 100; i++) partitioner.add(batchFromRows(small, of, rows, 1));
  }).toThrow(/Cannot allocate/);
  partitioner.close();
  expect(small.bytesInUse()).toBe(0);
});
