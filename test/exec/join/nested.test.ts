import { describe, expect, test } from "vitest";
import { field, int32, int64, list, schema, struct, utf8 } from "../../../src/arrow/mod.ts";
import type { JoinKind } from "../../../src/plan/mod.ts";
import { naiveJoin, runJoin, type Sides } from "./support.ts";

const KINDS: readonly JoinKind[] = ["inner", "left", "right", "full", "semi", "anti", "cross"];

const nested = {
  schema: schema([
    field("l_k0", int32),
    field("l_list", list(int64)),
    field("l_struct", struct([field("a", utf8), field("b", int32)])),
  ]),
  rows: [
    [1, [1n, 2n], { a: "x", b: 1 }],
    [2, null, { a: null, b: 2 }],
    [2, [], null],
    [null, [3n], { a: "y", b: 3 }],
    [4, [null, 4n], { a: "z", b: null }],
  ],
};
const plain = {
  schema: schema([field("r_k0", int32), field("r_text", utf8)]),
  rows: [
    [2, "two"],
    [4, "four"],
    [4, "four again"],
    [5, "five"],
    [null, "none"],
  ],
};

describe("lists and structs go through a join", () => {
  const sides: Sides = { left: nested, right: plain, keyCount: 1 };
  for (const how of KINDS) {
    for (const buildSide of ["left", "right"] as const) {
      test(`${how} join, ${buildSide} as the side to build`, async () => {
        expect(await runJoin(sides, { how, buildSide })).toEqual(naiveJoin(sides, { how, buildSide }));
      });
    }
  }

  test("a join with such columns on both sides says what to do", async () => {
    const right = {
      schema: schema(nested.schema.fields.map((f) => field(f.name.replace("l_", "r_"), f.type))),
      rows: nested.rows,
    };
    const both: Sides = { left: nested, right, keyCount: 1 };
    await expect(runJoin(both, { how: "inner", buildSide: "right" })).rejects.toMatchObject({
      code: "invalidArgument",
      operator: 3,
      message: expect.stringContaining("l_list, l_struct, r_list, r_struct"),
    });
    const semi = { how: "semi", buildSide: "right" } as const;
    expect(await runJoin(both, semi)).toEqual(naiveJoin(both, semi));
  });
});
