import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Cell, type DataType } from "../../src/arrow/mod.ts";
import { sourceOf } from "../../src/connectors/mod.ts";
import type { LiteralValue, ScalarFunction, TypedExpression } from "../../src/plan/mod.ts";
import { DATA, load, spec, tools } from "./support.ts";

const directory = mkdtempSync(join(tmpdir(), "sage-prune-"));
afterAll(() => rmSync(directory, { recursive: true }));
const path = join(directory, "sorted.parquet");
const sorted = spec("parquet", { paths: [path], schema: null });
const boolType: DataType = { kind: "bool" };
const call = (fn: ScalarFunction, ...args: TypedExpression[]): TypedExpression => ({
  kind: "call",
  fn,
  args,
  type: boolType,
  nullable: true,
});
const column = (name: string, type: DataType): TypedExpression => ({ kind: "column", name, type, nullable: true });
const literal = (value: LiteralValue, type: DataType): TypedExpression => ({
  kind: "literal",
  value,
  type,
  nullable: value === null,
});

const COLUMNS: Record<string, { type: DataType; value: fc.Arbitrary<LiteralValue> }> = {
  i: { type: { kind: "int64" }, value: fc.bigInt({ min: -5n, max: 10_005n }) },
  d: { type: { kind: "float64" }, value: fc.oneof(fc.double({ min: -10, max: 2600 }), fc.constant(Number.NaN)) },
  s: {
    type: { kind: "utf8" },
    value: fc.integer({ min: 0, max: 10_000 }).map((n) => `k${String(n).padStart(5, "0")}`),
  },
  u: { type: { kind: "uint32" }, value: fc.integer({ min: 0, max: 4294967295 }) },
  n: { type: { kind: "int32" }, value: fc.integer({ min: -1, max: 60 }) },
};

beforeAll(async () => {
  const connection = await (await DuckDBInstance.create()).connect();
  await connection.run(`copy (
    select i, case when i % 1000 = 999 then 'nan'::double else i / 4.0 end as d, 'k' || lpad(i::varchar, 5, '0') as s,
      (i * 400000)::uinteger as u, case when i // 500 % 2 = 0 then null else (i // 200)::int end as n
    from range(10000) t(i)) to '${path}' (format parquet, row_group_size 2048)`);
});

type Truth = boolean | null;

/** NaN equals NaN and is greatest; -0 equals 0. */
function compare(a: Cell, b: LiteralValue): number {
  if (typeof a === "number" && typeof b === "number") {
    if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
  }
  return a === b ? 0 : (a as number) < (b as number) ? -1 : 1;
}

function evaluate(expression: TypedExpression, row: Record<string, Cell>): Truth {
  if (expression.kind === "in") {
    const cell = row[(expression.operand as { name: string }).name] ?? null;
    if (cell === null) return null;
    if (expression.values.some((value) => value !== null && compare(cell, value) === 0)) return true;
    return expression.values.includes(null) ? null : false;
  }
  if (expression.kind !== "call") throw new Error("not in this test");
  const { fn, args } = expression;
  if (fn === "and" || fn === "or") {
    const truths = args.map((arg) => evaluate(arg, row));
    const winner = fn === "or";
    return truths.includes(winner) ? winner : truths.includes(null) ? null : !winner;
  }
  if (fn === "not") {
    const truth = evaluate(args[0] as TypedExpression, row);
    return truth === null ? null : !truth;
  }
  const cell = row[(args[0] as { name: string }).name] ?? null;
  if (fn === "isNull") return cell === null;
  if (fn === "isNotNull") return cell !== null;
  const value = (args[1] as { value: LiteralValue }).value;
  if (cell === null || value === null) return null;
  const order = compare(cell, value);
  return { eq: order === 0, ne: order !== 0, lt: order < 0, le: order <= 0, gt: order > 0, ge: order >= 0 }[fn as "eq"];
}

const leaf: fc.Arbitrary<TypedExpression> = fc.constantFrom(...Object.keys(COLUMNS)).chain((name) => {
  const { type, value } = COLUMNS[name] as (typeof COLUMNS)[string];
  const operand = column(name, type);
  const fn = fc.constantFrom<ScalarFunction>("eq", "ne", "lt", "le", "gt", "ge");
  return fc.oneof(
    { weight: 5, arbitrary: fc.tuple(fn, value).map(([f, v]) => call(f, operand, literal(v, type))) },
    { weight: 1, arbitrary: fc.constantFrom<ScalarFunction>("isNull", "isNotNull").map((f) => call(f, operand)) },
    {
      weight: 1,
      arbitrary: fc.array(fc.oneof(value, fc.constant(null)), { maxLength: 3 }).map((values): TypedExpression => {
        return { kind: "in", operand, values, type: boolType, nullable: true };
      }),
    },
  );
});

const predicate: fc.Arbitrary<TypedExpression> = fc.letrec<{ tree: TypedExpression }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 3 },
    leaf,
    fc
      .tuple(fc.constantFrom<ScalarFunction>("and", "or"), tie("tree"), tie("tree"))
      .map(([fn, a, b]) => call(fn, a, b)),
    tie("tree").map((a) => call("not", a)),
  ),
})).tree;

describe("pruning by statistics", () => {
  it("never leaves out a row that matches", async () => {
    const all = (await load(sorted)).rows.map(named);
    await fc.assert(
      fc.asyncProperty(predicate, async (expression) => {
        const kept = (await load(sorted, { predicate: expression })).rows.map(named);
        const matching = (rows: Record<string, Cell>[]) =>
          rows.filter((row) => evaluate(expression, row) === true).map((row) => row.i);
        expect(matching(kept)).toEqual(matching(all));
      }),
      { numRuns: 60 },
    );
  });

  it("leaves out row groups that cannot match", async () => {
    const source = sourceOf(sorted);
    const rowsFor = async (expression: TypedExpression): Promise<number> => {
      const splits = await source.splits(sorted, { columns: ["i"], predicate: expression, rowLimit: null }, tools);
      return splits.reduce((sum, split) => sum + (split.estimatedRows ?? 0), 0);
    };
    const { type } = COLUMNS.i as { type: DataType };
    expect(await rowsFor(call("lt", column("i", type), literal(10n, type)))).toBe(2048);
    expect(await rowsFor(call("gt", column("i", type), literal(20_000n, type)))).toBe(0);
    expect(await rowsFor(call("eq", column("s", { kind: "utf8" }), literal("k09999", { kind: "utf8" })))).toBeLessThan(
      2048,
    );
  });

  it("reads only the pages that may match, at the right rows", async () => {
    const source = spec("parquet", { paths: [`${DATA}pyarrow_pages_index.parquet`], schema: null });
    const all = await load(source);
    const index = all.schema.fields.findIndex((f) => f.type.kind === "int64" || f.type.kind === "int32");
    const { name, type } = all.schema.fields[index] as { name: string; type: DataType };
    const values = all.rows.map((row) => row[index]).filter((cell) => cell !== null);
    for (const value of values.filter((_, i) => i % 37 === 0) as LiteralValue[]) {
      const kept = await load(source, { predicate: call("eq", column(name, type), literal(value, type)) });
      const matching = (rows: Cell[][]) => rows.filter((row) => row[index] === value);
      expect(matching(kept.rows)).toEqual(matching(all.rows));
      expect(kept.rows.length).toBeLessThanOrEqual(all.rows.length);
    }
  });
});

function named(row: Cell[]): Record<string, Cell> {
  const [i = null, d = null, s = null, u = null, n = null] = row;
  return { i, d, s, u, n };
}
