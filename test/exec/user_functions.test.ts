import { describe, expect, test } from "vitest";
import {
  Arena,
  batchFromRows,
  type Cell,
  type CellInput,
  field,
  float64,
  int32,
  int64,
  releaseBatch,
  rowsOf,
  type Schema,
  schema,
  utf8,
} from "../../src/arrow/mod.ts";
import type { Tools } from "../../src/connectors/mod.ts";
import { executePlan, InlinePool } from "../../src/exec/mod.ts";
import type { PlanNode, UserFunction, UserFunctionNode } from "../../src/plan/mod.ts";

const INPUT = schema([field("id", int64), field("x", float64), field("name", utf8)]);
const ROWS = Array.from({ length: 1_000 }, (_, i) => ({
  id: BigInt(i),
  x: i % 7 === 0 ? null : i / 4,
  name: i % 11 === 0 ? null : `név ${i % 13}`,
}));

interface UserCase {
  readonly mode: UserFunctionNode["mode"];
  readonly schema: Schema;
  readonly fn: (input: never) => unknown;
  readonly rows?: readonly Record<string, CellInput>[];
  readonly input?: Schema;
  readonly workers?: number;
}

/** Runs one user function over rows in batches of 300; everything must be free after it. */
async function runUser(given: UserCase): Promise<Record<string, Cell>[]> {
  const { rows: input = ROWS, input: of = INPUT } = given;
  const arena = Arena.create({ limitBytes: 2 ** 26 });
  const batches = [];
  for (let start = 0; start < input.length; start += 300) {
    batches.push(batchFromRows(arena, of, input.slice(start, start + 300), 0));
  }
  const before = arena.bytesInUse();
  const source = { connector: "memory", options: { table: "t" } };
  const scan: PlanNode = { kind: "scan", id: 1, schema: of, source, predicate: null, rowLimit: null };
  const root: PlanNode = { kind: "userFunction", id: 2, input: scan, schema: given.schema, mode: given.mode };
  // No plan of these tests reads files.
  const tools = {} as Tools;
  const userFunctions = new Map([[2, given.fn as unknown as UserFunction]]);
  const pool = new InlinePool({ arena, tools, userFunctions, size: given.workers ?? 2 });
  const options = { tools, tables: new Map([["t", batches]]), batchRows: 170, morselRows: 64 };
  const execution = executePlan({ name: "user", roots: [root] }, pool, options);
  const rows: Record<string, Cell>[] = [];
  try {
    for await (const batch of execution.rows(0)) {
      rows.push(...(rowsOf(arena, batch) as Iterable<Record<string, Cell>>));
      releaseBatch(arena, batch);
    }
  } finally {
    await execution.close();
    expect(arena.bytesInUse()).toBe(before);
  }
  return rows;
}

interface InputRow {
  readonly id: bigint;
  readonly x: number | null;
  readonly name: string | null;
}

describe("map", () => {
  const SCHEMA = schema([field("twice", int64), field("text", utf8)]);

  test("makes a row of each row, in order, whatever the number of workers", async () => {
    for (const workers of [1, 2, 5]) {
      const fn = (row: InputRow) => ({ twice: row.id * 2n, text: row.name });
      const rows = await runUser({ mode: "map", schema: SCHEMA, fn, workers });
      expect(rows).toEqual(ROWS.map((row) => ({ twice: row.id * 2n, text: row.name })));
    }
  });

  test("gets fresh plain objects that it may keep and change", async () => {
    const kept: InputRow[] = [];
    const fn = (row: InputRow) => {
      expect(Object.getPrototypeOf(row)).toBe(Object.prototype);
      expect(Object.keys(row)).toEqual(["id", "x", "name"]);
      kept.push({ ...row });
      Object.assign(row, { name: "changed" });
      return { twice: 0n, text: "" };
    };
    await runUser({ mode: "map", schema: SCHEMA, fn, workers: 1 });
    expect(kept).toEqual(ROWS);
  });

  test("gives each column as an own property, for any number of columns and any name", async () => {
    for (let count = 1; count <= 7; count++) {
      const names = ["__proto__", "constructor", "a b", "1", "toString", "é", ""].slice(0, count);
      const of = schema(names.map((name) => field(name, int32)));
      const row = Object.fromEntries(names.map((name, i) => [name, i]));
      const fn = (got: Record<string, unknown>) => {
        expect(names.map((name) => (Object.hasOwn(got, name) ? got[name] : "missing"))).toEqual(names.map((_, i) => i));
        return got;
      };
      const rows = await runUser({ mode: "map", schema: of, input: of, rows: [row], fn });
      expect(rows.map((each) => names.map((name) => each[name]))).toEqual([names.map((_, i) => i)]);
    }
  });

  test("that throws names the operator and the row, and keeps the cause", async () => {
    const cause = new RangeError("no such name");
    const fn = (row: InputRow) => {
      if (row.id === 777n) throw cause;
      return { twice: 1n, text: "" };
    };
    const run = runUser({ mode: "map", schema: SCHEMA, fn, workers: 1 });
    await expect(run).rejects.toMatchObject({ code: "userFunction", operator: 2, row: 777 % 300, cause });
    await expect(runUser({ mode: "map", schema: SCHEMA, fn })).rejects.toThrow(/no such name/);
  });

  test("that returns something else is told what was wanted", async () => {
    const results: readonly unknown[] = [undefined, 3, [1], "text", { twice: "two", text: "" }, { twice: 1n, text: 4 }];
    for (const result of [...results, { twise: 1n, text: "" }, Promise.resolve({})]) {
      const run = runUser({ mode: "map", schema: SCHEMA, fn: () => result });
      await expect(run).rejects.toMatchObject({ code: "wrongShape", operator: 2 });
    }
  });
});

describe("flatMap", () => {
  const SCHEMA = schema([field("n", int32)]);

  test("makes any number of rows of one, in order", async () => {
    const fn = (row: InputRow) => Array.from({ length: Number(row.id % 4n) }, (_, n) => ({ n }));
    const rows = await runUser({ mode: "flatMap", schema: SCHEMA, fn });
    expect(rows).toEqual(ROWS.flatMap((row) => Array.from({ length: Number(row.id % 4n) }, (_, n) => ({ n }))));
  });

  test("takes generators and sets, and says that it wants an iterable", async () => {
    const fn = function* (row: InputRow) {
      if (row.id < 3n) yield { n: Number(row.id) };
    };
    expect(await runUser({ mode: "flatMap", schema: SCHEMA, fn })).toEqual([{ n: 0 }, { n: 1 }, { n: 2 }]);
    const wrong = runUser({ mode: "flatMap", schema: SCHEMA, fn: () => 5 });
    await expect(wrong).rejects.toThrow(/iterable/);
  });

  test("gives full batches on, however many rows one row makes", async () => {
    const fn = (row: InputRow) => (row.id === 5n ? Array.from({ length: 5_000 }, (_, n) => ({ n })) : []);
    expect((await runUser({ mode: "flatMap", schema: SCHEMA, fn })).length).toBe(5_000);
  });
});

describe("filterRows", () => {
  test("keeps rows for which it returns true; null is not true", async () => {
    const fn = (row: InputRow) => (row.x === null ? null : row.x > 100);
    const rows = await runUser({ mode: "filter", schema: INPUT, fn });
    expect(rows).toEqual(ROWS.filter((row) => row.x !== null && row.x > 100));
  });

  test("must return a boolean", async () => {
    await expect(runUser({ mode: "filter", schema: INPUT, fn: () => 1 })).rejects.toThrow(/a boolean, but returned 1/);
  });
});

interface Vector {
  readonly length: number;
  get(row: number): Cell;
  toArray(): ArrayLike<Cell>;
}
interface Table {
  readonly numRows: number;
  getChild(name: string): Vector | null;
}

describe("mapBatches", () => {
  test("that returns its input passes the rows on", async () => {
    const rows = await runUser({ mode: "mapBatches", schema: INPUT, fn: (batch: Table) => batch });
    expect(rows).toEqual(ROWS);
  });

  test("makes columns of typed arrays, arrays and vectors", async () => {
    const of = schema([field("x", float64), field("name", utf8), field("id", int64)]);
    const fn = (batch: Table) => ({
      x: new Float64Array(batch.numRows).fill(2),
      name: Array.from({ length: batch.numRows }, (_, i) => (i === 0 ? null : `row ${i}`)),
      id: batch.getChild("id"),
    });
    const rows = await runUser({ mode: "mapBatches", schema: of, fn });
    expect(rows.map((row) => row["id"])).toEqual(ROWS.map((row) => row.id));
    expect(rows.every((row) => row["x"] === 2)).toBe(true);
    expect(rows[1]?.["name"]).toBe("row 1");
  });

  test("may give fewer rows, or none", async () => {
    const of = schema([field("n", int32)]);
    const fn = (batch: Table) => ({
      n: batch.getChild("id")?.get(0) === 0n ? Int32Array.of(1, 2, 3) : new Int32Array(0),
    });
    expect(await runUser({ mode: "mapBatches", schema: of, fn })).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
  });

  test("that returns something else is told what was wanted", async () => {
    const of = schema([field("n", int32), field("m", int32)]);
    const results: readonly unknown[] = [null, 7, {}, { n: [1], m: [1, 2] }, { n: 5, m: [1] }, { n: ["a"], m: [1] }];
    for (const result of results) {
      const run = runUser({ mode: "mapBatches", schema: of, fn: () => result });
      await expect(run).rejects.toMatchObject({ code: "wrongShape", operator: 2 });
    }
  });
});
