import { DuckDBInstance } from "@duckdb/node-api";
import { describe, expect, test } from "vitest";
import { type Cell, type DataType, float64, int32, int64, uint64, utf8 } from "../../../src/arrow/mod.ts";
import type { JoinKind } from "../../../src/plan/mod.ts";
import { differenceOf, plainOfCell, plainOfDuck } from "../../differential/compare.ts";
import { Random } from "../../differential/random.ts";
import { sqlTable } from "../../differential/tables.ts";
import { joinNode, randomSides, run } from "./support.ts";

const KINDS: readonly JoinKind[] = ["inner", "left", "right", "full", "semi", "anti", "cross"];
const KEY_TYPES: readonly DataType[] = [
  int32,
  int64,
  uint64,
  float64,
  utf8,
  { kind: "decimal", precision: 18, scale: 4 },
];
const JOINS_A_KIND = 12;
const seed = Number(process.env["SEED"] ?? 4_711);

describe(`random joins give what DuckDB gives, SEED=${seed}`, () => {
  for (const [kindIndex, how] of KINDS.entries()) {
    test(`${how} joins`, async () => {
      const connection = await (await DuckDBInstance.create(":memory:")).connect();
      const random = new Random(seed + kindIndex);
      for (let i = 0; i < JOINS_A_KIND; i++) {
        const keyTypes = random.sample(KEY_TYPES, 1 + random.below(3));
        const [leftRows, rightRows] = [random.pick([0, 1, 20, 150]), random.pick([0, 1, 30, 120])];
        const distinct = random.pick([1, 4, 40]);
        const sides = randomSides(random, { keyTypes, leftRows, rightRows, distinct });
        const residual = random.chance(0.4);
        const node = joinNode(sides, { how, buildSide: random.pick(["left", "right"]), residual });
        const tables = { left: sides.left, right: sides.right };
        const rows = await run(node, tables, { workers: random.pick([1, 2, 5]), morselRows: random.pick([5, 64]) });
        for (const [name, { schema, rows }] of Object.entries(tables)) {
          for (const statement of sqlTable({ name: `t_${name}`, fields: schema.fields, rows })) {
            await connection.run(statement);
          }
        }
        const keys = how === "cross" ? [] : keyTypes.map((_, k) => `l_k${k} = r_k${k}`);
        const condition = [...keys, ...(residual ? ["l_v < r_v"] : [])].join(" AND ");
        const crossed = how === "cross" && residual ? "JOIN" : `${how.toUpperCase()} JOIN`;
        const sql = `SELECT * FROM t_left ${crossed} t_right ${condition === "" ? "" : `ON ${condition}`}`;
        const { fields } = node.schema;
        const theirs = (await connection.runAndReadAll(sql)).getRows().map((row) => {
          return fields.map((field, column) => plainOfDuck(field.type, row[column]));
        });
        const ours = rows.map((row) => fields.map((field) => plainOfCell(field.type, row[field.name] as Cell)));
        const types = fields.map((field) => field.type);
        expect(differenceOf(ours, theirs, { types, ordered: null }), `join ${i}: ${sql}`).toBeNull();
      }
      connection.closeSync();
    });
  }
});
