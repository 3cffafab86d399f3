import { describe, expect, test } from "vitest";
import * as arrow from "../../../src/arrow/mod.ts";
import type { LiteralValue, TypedExpression } from "../../../src/plan/mod.ts";
import { call, caseOf, cast, column, isIn, literal } from "../expressions.ts";
import { evaluate } from "../harness.ts";

const { utf8, bool, int64, int32, float64 } = arrow;
const values: LiteralValue[] = Array.from({ length: 500 }, (_, i) => (i % 11 === 3 ? null : `value ${(i * i) % 17}`));
const t = column("t", utf8);
const digits = call("slice", [t, literal(6n, int64)], { type: utf8 });

const EXPRESSIONS: Readonly<Record<string, TypedExpression>> = {
  equality: call("eq", [t, literal("value 4", utf8)], { type: bool }),
  like: call("like", [t, literal("%1_", utf8)], { type: bool }),
  membership: isIn(t, ["value 1", "value 9", null]),
  "a null turned into a value": call(
    "coalesce",
    [call("contains", [t, literal("3", utf8)], { type: bool }), literal(true, bool)],
    { type: bool },
  ),
  "a null asked for": call(
    "or",
    [call("isNull", [t], { type: bool }), call("endsWith", [t, literal("2", utf8)], { type: bool })],
    { type: bool },
  ),
  length: call("length", [t], { type: int64 }),
  "an integer": cast(digits, int32, "null"),
  "a double": cast(digits, float64),
  "a case": caseOf(
    [[call("eq", [t, literal("value 0", utf8)], { type: bool }), literal(1n, int64)]],
    call("length", [t], { type: int64 }),
  ),
};

describe("a costly function of a dictionary column", () => {
  for (const [name, expression] of Object.entries(EXPRESSIONS)) {
    test(`gives the same with and without a dictionary: ${name}`, () => {
      let text = "";
      const plain = evaluate(expression, { columns: [{ name: "t", type: utf8, values }] });
      const remembered = evaluate(expression, {
        columns: [{ name: "t", type: utf8, values, dictionary: true }],
        onText: (module) => (text = module),
      });
      expect(remembered).toEqual(plain);
      expect(text).toContain("remembered");
    });
  }

  test("does not run for values that no row asks for", () => {
    const columns = [
      { name: "t", type: utf8, values: ["x", "1", "x", "2"], dictionary: true },
      { name: "ok", type: bool, values: [false, true, false, true] },
    ];
    const expression = caseOf([[column("ok", bool), cast(t, int32)]], literal(0, int32));
    expect(evaluate(expression, { columns })).toEqual([0, 1, 0, 2]);
  });
});
