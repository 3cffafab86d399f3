import { describe, expect, test } from "vitest";
import { bool, type DataType, field, int64, schema, utf8 } from "../../../src/arrow/mod.ts";
import type { JoinKind, JoinNode, PlanNode, TypedExpression } from "../../../src/plan/mod.ts";
import { Random } from "../../differential/random.ts";
import { arena, column, joinNode, naiveJoin, outputSchema, randomSides, run, runJoin, scan, texts } from "./support.ts";

const KINDS: readonly JoinKind[] = ["inner", "left", "right", "full", "semi", "anti"];
const seed = 7;
const sides = randomSides(new Random(seed), { keyTypes: [int64], leftRows: 300, rightRows: 200, distinct: 5 });
const tables = { left: sides.left, right: sides.right };

const call = (fn: "divide" | "eq" | "gt" | "concat" | "length", args: TypedExpression[], type: DataType) =>
  ({ kind: "call", fn, args, type, nullable: true }) satisfies TypedExpression;
const literal = (type: DataType, value: bigint | string): TypedExpression => {
  return { kind: "literal", type, nullable: false, value };
};

/** `run` throws when memory is not given back: these tests rely on it. */
describe("whatever happens, all memory is given back", () => {
  const left = column(sides.left.schema, "l_v");
  const byZero = call("eq", [call("divide", [left, literal(int64, 0n)], int64), literal(int64, 1n)], bool);

  for (const how of KINDS) {
    for (const buildSide of ["left", "right"] as const) {
      test(`${how} join, built on the ${buildSide}, whose condition fails`, async () => {
        const node: JoinNode = { ...joinNode(sides, { how, buildSide }), residual: byZero };
        await expect(run(node, tables)).rejects.toMatchObject({ code: "divisionByZero", operator: 3 });
      });

      test(`${how} join, built on the ${buildSide}, over a side that fails`, async () => {
        const node = joinNode(sides, { how, buildSide });
        const filter: PlanNode = {
          kind: "filter",
          id: 4,
          input: node.left,
          predicate: byZero,
          schema: node.left.schema,
        };
        const failing: JoinNode = { ...node, left: filter };
        await expect(run(failing, tables)).rejects.toMatchObject({ code: "divisionByZero", operator: 4 });
      });

      test(`${how} join, built on the ${buildSide}, of which only one batch is taken`, async () => {
        await run(joinNode(sides, { how, buildSide }), tables, { batchesTaken: 1, workers: 2 });
      });
    }
  }

  test("a join that was cancelled before it began", async () => {
    const options = { how: "inner", buildSide: "right", signal: AbortSignal.abort() } as const;
    await expect(runJoin(sides, options)).rejects.toMatchObject({ code: "cancelled" });
  });

  test("a join cancelled while its rows are read", async () => {
    const abort = new AbortController();
    const running = runJoin(sides, { how: "cross", buildSide: "right", signal: abort.signal, workers: 2 });
    abort.abort();
    await expect(running).rejects.toMatchObject({ code: "cancelled" });
  });

  test("a join of all pairs runs ahead of its reader by some batches only", async () => {
    const many = randomSides(new Random(seed), { keyTypes: [int64], leftRows: 3000, rightRows: 500 });
    const before = arena.bytesInUse();
    let most = 0;
    const onBatch = () => {
      most = Math.max(most, arena.bytesInUse() - before);
    };
    const options = { how: "cross", buildSide: "right", morselRows: 16_384, batchesTaken: 50, onBatch } as const;
    await runJoin(many, options);
    expect(most).toBeLessThan(2 << 20);
    most = 0;
    const first = joinNode(many, options);
    const third = schema(many.right.schema.fields.map((f) => field(f.name.replace("r_", "t_"), f.type)));
    const second: JoinNode = {
      ...first,
      id: 5,
      left: first,
      right: scan(4, "third", third),
      schema: outputSchema("cross", first.schema, third),
    };
    const three = { left: many.left, right: many.right, third: { schema: third, rows: many.right.rows } };
    await run(second, three, options);
    expect(most).toBeLessThan(3 << 20);
  });

  test("a join that needs more memory than there is names itself", async () => {
    const big = randomSides(new Random(seed), { keyTypes: [utf8], leftRows: 10, rightRows: 50_000 });
    const options = { how: "inner", buildSide: "right", spareBytes: 2_000_000 } as const;
    await expect(runJoin(big, options)).rejects.toMatchObject({ code: "memoryLimit", operator: 3 });
  });
});

describe("plans of several joins", () => {
  test("a table joined to itself", async () => {
    const node = scan(1, "left", sides.left.schema);
    const renamed = schema(sides.left.schema.fields.map((f) => field(f.name.replace("l_", "r_"), f.type)));
    const project: PlanNode = {
      kind: "project",
      id: 2,
      input: node,
      columns: sides.left.schema.fields.map((f) => {
        return { name: f.name.replace("l_", "r_"), expression: column(sides.left.schema, f.name) };
      }),
      schema: renamed,
    };
    const self = { left: sides.left, right: { schema: renamed, rows: sides.left.rows }, keyCount: 1 };
    const join: JoinNode = { ...joinNode(self, { how: "full", buildSide: "right" }), left: node, right: project };
    expect(texts(await run(join, tables, { workers: 2 }))).toEqual(
      naiveJoin(self, { how: "full", buildSide: "right" }),
    );
  });

  test("a union on either side, also of joins", async () => {
    const twice = (table: typeof sides.left) => ({ schema: table.schema, rows: [...table.rows, ...table.rows] });
    const doubled = { left: twice(sides.left), right: twice(sides.right), keyCount: 1 };
    for (const buildSide of ["left", "right"] as const) {
      const node = joinNode(sides, { how: "full", buildSide });
      const union = (id: number, input: PlanNode): PlanNode => {
        return { kind: "union", id, inputs: [input, { ...input }], schema: input.schema };
      };
      const joined: JoinNode = { ...node, left: union(5, node.left), right: union(6, node.right) };
      const expected = naiveJoin(doubled, { how: "full", buildSide });
      expect(texts(await run(joined, tables, { workers: 2 }))).toEqual(expected);
      const semi = joinNode(sides, { how: "semi", buildSide });
      const once = naiveJoin(sides, { how: "semi", buildSide });
      const other = { ...semi, id: 9 };
      const rows = await run({ kind: "union", id: 8, inputs: [semi, other], schema: semi.schema }, tables);
      expect(texts(rows)).toEqual([...once, ...once].sort());
    }
  });

  test("two outer joins in one pipeline", async () => {
    const inner = joinNode(sides, { how: "left", buildSide: "right" });
    const thirdSchema = schema([field("t_k0", int64), field("t_v", utf8)]);
    const third = { schema: thirdSchema, rows: sides.right.rows.slice(0, 20).map(([key]) => [key, "third"]) };
    const outer: JoinNode = {
      ...inner,
      id: 6,
      left: inner,
      right: scan(5, "third", thirdSchema),
      keys: [{ left: column(inner.schema, "r_k0"), right: column(thirdSchema, "t_k0") }],
      schema: outputSchema("left", inner.schema, thirdSchema),
    };
    const rows = await run(outer, { ...tables, third }, { workers: 2 });
    const first = naiveJoin(sides, { how: "left", buildSide: "right" });
    const withoutThird = rows.map(({ t_k0: _key, t_v: _value, ...rest }) => rest);
    expect(new Set(texts(withoutThird))).toEqual(new Set(first));
    for (const row of rows) expect(row["t_k0"]).toEqual(row["t_v"] === null ? null : row["r_k0"]);
  });

  test("strings that a condition computes for a million pairs do not pile up", async () => {
    const one = (name: string) => schema([field(name, utf8, false)]);
    const rows = Array.from({ length: 1_000 }, (_, i) => [`text ${i} ${"x".repeat(100)}`]);
    const [leftSchema, rightSchema] = [one("l_k0"), one("r_k0")];
    const pair = { left: { schema: leftSchema, rows }, right: { schema: rightSchema, rows }, keyCount: 0 };
    const joined = call("concat", [column(leftSchema, "l_k0"), column(rightSchema, "r_k0")], utf8);
    const node: JoinNode = {
      ...joinNode(pair, { how: "inner", buildSide: "right" }),
      residual: call("gt", [call("length", [joined], int64), literal(int64, 217n)], bool),
    };
    const peakBefore = arena.peakBytes();
    const result = await run(node, { left: pair.left, right: pair.right });
    expect(result.length).toBe(810_000);
    expect(arena.peakBytes() - peakBefore).toBeLessThan(1 << 29);
  });
});
