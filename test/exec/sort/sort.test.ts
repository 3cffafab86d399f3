import { describe, expect, test } from "vitest";
import {
  Arena,
  type DataType,
  dictionary,
  field,
  int32,
  int64,
  list,
  releaseBatch,
  schema,
  typeName,
  utf8,
  valueType,
} from "../../../src/arrow/mod.ts";
import { SeededRandom } from "../../codegen/random.ts";
import {
  batchesOf,
  expectedOrder,
  KEY_TYPES,
  runPlan,
  scanOf,
  sortKey,
  sortOf,
  type TestKey,
  type TestRow,
  testRows,
  testSchema,
} from "./support.ts";

const SEED = 20_261_123;

interface SortCase {
  readonly types: readonly DataType[];
  readonly rows: readonly TestRow[];
  readonly keys: readonly TestKey[];
  readonly workers?: number;
  readonly batchRows?: number;
  readonly morselRows?: number;
  readonly limit?: number | null;
  readonly offset?: number;
  readonly rowsMax?: number;
}

/** Runs the sort, checks order, values and that nothing leaks. */
async function checkSort(given: SortCase, random: SeededRandom): Promise<void> {
  const { types, rows, keys, workers = 1, batchRows = 400, morselRows = 100, limit = null, offset = 0 } = given;
  const of = testSchema(types);
  const arena = Arena.create({ limitBytes: 2 ** 28 });
  const batches = batchesOf(arena, of, { rows, random, rowsMax: given.rowsMax ?? 300 });
  const before = arena.bytesInUse();
  const node = sortOf(scanOf(of), { keys: keys.map((key) => sortKey(of, key)), limit, offset });
  const got = await runPlan(arena, node, { batches, workers, batchRows, morselRows });
  expect(arena.bytesInUse()).toBe(before);
  const end = limit === null ? undefined : offset + limit;
  const expected = expectedOrder(of, rows, keys).slice(offset, end);
  expect(got.map((row) => row["id"])).toEqual(expected.map((row) => row["id"]));
  const whole = ({ text = null, flag = null, amount = null }: TestRow) => ({ text, flag, amount });
  expect(got.map((row) => whole(row as TestRow))).toEqual(expected.map(whole));
  for (const batch of batches) releaseBatch(arena, batch);
  expect(arena.bytesInUse()).toBe(0);
}

const DIRECTIONS = [
  { descending: false, nullsFirst: false },
  { descending: false, nullsFirst: true },
  { descending: true, nullsFirst: false },
  { descending: true, nullsFirst: true },
];

describe("a sort by one key", () => {
  for (const type of KEY_TYPES) {
    test(`of type ${typeName(type)} orders rows both ways, nulls first or last, ties in input order`, async () => {
      const random = new SeededRandom(SEED);
      for (const direction of DIRECTIONS) {
        const keys = [{ column: "k0", ...direction }];
        await checkSort({ types: [type], rows: testRows([type], { random, count: 700 }), keys }, random);
        const noNulls = testRows([type], { random, count: 300, nullShare: 0 });
        await checkSort({ types: [type], rows: noNulls, keys, workers: 2, limit: 37, offset: 5 }, random);
      }
    });
  }
});

describe("a sort by several keys", () => {
  test(`gives the same with 1, 2 and 5 workers and any batch size (seed ${SEED})`, async () => {
    const random = new SeededRandom(SEED);
    for (let round = 0; round < 40; round++) {
      const types = Array.from({ length: 1 + random.below(4) }, () => random.pick(KEY_TYPES));
      const keys = types.map((_, i) => ({ column: `k${i}`, ...random.pick(DIRECTIONS) }));
      const rows = testRows(types, { random, count: random.below(1500), nullShare: random.pick([0, 3, 20]) });
      const limit = random.pick([null, null, 1, 10, 500]);
      const offset = limit === null ? 0 : random.below(20);
      const batchRows = random.pick([1, 7, 100, 65_536]);
      const morselRows = random.pick([1, 13, 16_384]);
      const workers = random.pick([1, 2, 5]);
      await checkSort({ types, rows, keys, workers, batchRows, morselRows, limit, offset }, random);
    }
  });

  test("is right for more rows than one worker sorts alone, with few and with many equal keys", async () => {
    const random = new SeededRandom(SEED);
    const types = [KEY_TYPES[3] as DataType, utf8, int64];
    const rows = testRows(types, { random, count: 40_000 });
    const keys = [0, 1, 2].map((i) => ({ column: `k${i}`, ...(DIRECTIONS[i] as (typeof DIRECTIONS)[number]) }));
    const common = { types, rows, batchRows: 6_000, morselRows: 2_000, rowsMax: 9_000 };
    await checkSort({ ...common, keys, workers: 3 }, random);
    await checkSort({ ...common, keys: keys.slice(1, 2), workers: 2 }, random);
    await checkSort({ ...common, keys: keys.slice(2), workers: 5, limit: 700, offset: 20_000 }, random);
    await checkSort({ ...common, keys, workers: 2, limit: 3_000, offset: 10 }, random);
  });
});

describe("a parallel sort of strings that start alike", () => {
  test("is right when all, or all but one, share a long beginning", async () => {
    const random = new SeededRandom(SEED);
    const stem = "https://example.org/a/rather/long/path/";
    const odd = ["https://example.org/a/b", stem, null, `${stem.slice(0, 14)}x`, "zebra"];
    for (const exception of [undefined, ...odd]) {
      const rows = testRows([utf8], { random, count: 34_000 }).map((row, i) => {
        return { ...row, k0: i === 20_000 && exception !== undefined ? exception : `${stem}${(i * 7919) % 5000}` };
      });
      const keys = [{ column: "k0", descending: exception === null, nullsFirst: exception === stem }];
      await checkSort({ types: [utf8], rows, keys, workers: 2, batchRows: 9_000, rowsMax: 9_000 }, random);
    }
  });
});

describe("a sort", () => {
  const types = [utf8];
  const keys = [{ column: "k0", descending: false, nullsFirst: false }];

  test("of no rows and of one row gives them back", async () => {
    const random = new SeededRandom(SEED);
    for (const limit of [null, 0, 10]) {
      await checkSort({ types, rows: [], keys, limit }, random);
      await checkSort({ types, rows: testRows(types, { random, count: 1 }), keys, limit }, random);
    }
  });

  test("with an offset past the end gives nothing", async () => {
    const random = new SeededRandom(SEED);
    const rows = testRows(types, { random, count: 50 });
    await checkSort({ types, rows, keys, limit: 10, offset: 60 }, random);
    await checkSort({ types, rows, keys, limit: 10, offset: 45 }, random);
  });

  test("tells long strings apart that differ only at their end, each a prefix of the next", async () => {
    const random = new SeededRandom(SEED);
    const rows = testRows(types, { random, count: 600 }).map((row, i) => {
      return { ...row, k0: "x".repeat((i * 7919) % 600) };
    });
    await checkSort({ types, rows, keys }, random);
    await checkSort({ types, rows, keys: [{ ...keys[0], descending: true } as TestKey], limit: 20 }, random);
  });

  test("by an expression sorts by its values and does not show them", async () => {
    const arena = Arena.create({ limitBytes: 2 ** 28 });
    const of = schema([field("id", int64), field("sortKey", utf8)]);
    const rows = Array.from({ length: 100 }, (_, id) => ({ id: BigInt(id), sortKey: `s${id}` }));
    const batches = batchesOf(arena, of, { rows, random: new SeededRandom(SEED), rowsMax: 30 });
    const id = { kind: "column", name: "id", type: int64, nullable: true } as const;
    const ten = { kind: "literal", value: 10n, type: int64, nullable: false } as const;
    const expression = { kind: "call", fn: "modulo", args: [id, ten], type: int64, nullable: true } as const;
    for (const limit of [null, 15]) {
      const node = sortOf(scanOf(of), { keys: [{ expression, descending: true, nullsFirst: false }], limit });
      const got = await runPlan(arena, node, { batches, workers: 2, batchRows: 17 });
      const expected = [...rows].sort((a, b) => Number((b.id % 10n) - (a.id % 10n))).slice(0, limit ?? undefined);
      expect(got).toEqual(expected);
    }
  });

  test("carries lists and dictionaries that differ between batches", async () => {
    const arena = Arena.create({ limitBytes: 2 ** 28 });
    const dictionaryText = KEY_TYPES.filter((type) => type.kind === "dictionary");
    const of = schema([
      field("id", int64),
      field("items", list(utf8)),
      ...dictionaryText.map((type, i) => field(`d${i}`, type)),
    ]);
    const rows = Array.from({ length: 200 }, (_, i) => ({
      id: BigInt((i * 37) % 101),
      items: i % 5 === 0 ? null : Array.from({ length: i % 4 }, (_, j) => `item ${i}.${j}`),
      d0: i % 7 === 0 ? null : `word ${i % 23}`,
      d1: i % 9 === 0 ? null : i % 31,
    }));
    const batches = batchesOf(arena, of, { rows, random: new SeededRandom(SEED), rowsMax: 40 });
    const before = arena.bytesInUse();
    const key = sortKey(of, { column: "id", descending: false, nullsFirst: false });
    for (const limit of [null, 30]) {
      const node = sortOf(scanOf(of), { keys: [key], limit });
      const got = await runPlan(arena, node, { batches, workers: 2, batchRows: 33 });
      const expected = rows
        .map((row, i) => ({ row, i }))
        .sort((a, b) => Number(a.row.id - b.row.id) || a.i - b.i)
        .map(({ row }) => row);
      expect(got).toEqual(expected.slice(0, limit ?? undefined));
      expect(arena.bytesInUse()).toBe(before);
    }
  });

  test("carries columns that are declared as dictionaries but come as plain values", async () => {
    const arena = Arena.create({ limitBytes: 2 ** 28 });
    const declared = schema([field("id", int64), field("text", dictionary(utf8)), field("number", dictionary(int32))]);
    const plain = schema(declared.fields.map((f) => field(f.name, valueType(f.type))));
    const rows = Array.from({ length: 50 }, (_, i) => ({
      id: BigInt((i * 7) % 50),
      text: i % 6 === 0 ? null : `word ${i % 5}`,
      number: i % 4,
    }));
    const made = batchesOf(arena, plain, { rows, random: new SeededRandom(SEED), rowsMax: 20 });
    const batches = made.map((batch) => ({ ...batch, schema: declared }));
    const key = sortKey(declared, { column: "id", descending: false, nullsFirst: false });
    for (const limit of [null, 20]) {
      const node = sortOf(scanOf(declared), { keys: [key], limit });
      const got = await runPlan(arena, node, { batches, workers: 2, batchRows: 9 });
      const expected = [...rows].sort((a, b) => Number(a.id - b.id));
      expect(got).toEqual(expected.slice(0, limit ?? undefined));
    }
  });
});
