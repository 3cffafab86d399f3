import { describe, expect, test } from "vitest";
import { bool, int8, int64, utf8 } from "../../../src/arrow/mod.ts";
import type { JoinKind, JoinNode, PlanNode, TypedExpression } from "../../../src/plan/mod.ts";
import { Random } from "../../differential/random.ts";
import { column, joinNode, naiveJoin, randomSides, run, runJoin, type Sides, texts } from "./support.ts";

const KINDS: readonly JoinKind[] = ["inner", "left", "right", "full", "semi", "anti"];
const seed = Number(process.env["SEED"] ?? 99);
const options = { workers: 2, batchRows: 4_096, morselRows: 1_000 } as const;

/** As many rows as make a table that is probed by blocks, most keys once. */
function largeSides(keyTypes: Parameters<typeof randomSides>[1]["keyTypes"], distinct: number): Sides {
  const random = new Random(seed);
  return randomSides(random, { keyTypes, leftRows: 9_000, rightRows: 10_000, distinct });
}

describe(`tables that outgrow a core's caches, SEED=${seed}`, () => {
  const sides = {
    "close together": largeSides([int8], 30),
    "far apart": largeSides([int64, utf8], 60),
  };
  for (const [name, of] of Object.entries(sides)) {
    const few: Sides = { ...of, left: { ...of.left, rows: of.left.rows.slice(0, 150) } };
    const reversed: Sides = { ...of, right: { ...of.right, rows: of.right.rows.slice(0, 150) } };
    for (const how of KINDS) {
      test(`${how} join, keys ${name}`, async () => {
        for (const residual of [false, true]) {
          const right = { how, buildSide: "right", residual } as const;
          expect(await runJoin(few, { ...right, ...options })).toEqual(naiveJoin(few, right));
          const left = { how, buildSide: "left", residual } as const;
          expect(await runJoin(reversed, { ...left, ...options })).toEqual(naiveJoin(reversed, left));
        }
      });
    }
  }

  test("two such joins behind a filter and a projection", async () => {
    const of = sides["far apart"];
    const few: Sides = { ...of, left: { ...of.left, rows: of.left.rows.slice(0, 2_000) } };
    const inner = joinNode(few, { how: "semi", buildSide: "right" });
    const predicate: TypedExpression = {
      kind: "call",
      fn: "isNotNull",
      args: [column(few.left.schema, "l_text")],
      type: bool,
      nullable: false,
    };
    const filter: PlanNode = { kind: "filter", id: 7, input: inner.left, predicate, schema: few.left.schema };
    const columns = few.left.schema.fields.map(({ name }) => ({ name, expression: column(few.left.schema, name) }));
    const project: PlanNode = { kind: "project", id: 8, input: filter, columns, schema: few.left.schema };
    const first: JoinNode = { ...inner, left: project };
    const second: JoinNode = {
      ...joinNode(few, { how: "anti", buildSide: "right", residual: true }),
      id: 9,
      left: first,
    };
    const kept = few.left.rows.filter((row) => row[3] !== null);
    const filtered: Sides = { ...few, left: { ...few.left, rows: kept } };
    const semi = new Set(naiveJoin(filtered, { how: "semi", buildSide: "right" }));
    const anti = naiveJoin(filtered, { how: "anti", buildSide: "right", residual: true });
    const rows = await run(second, { left: few.left, right: few.right }, options);
    expect(texts(rows)).toEqual(anti.filter((row) => semi.has(row)));
  });
});
