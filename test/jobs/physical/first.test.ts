import { expect, test } from "vitest";
import { Arena, batchFromRows, field, int64, schema, utf8 } from "../../../src/arrow/mod.ts";
import { planPhysical } from "../../../src/jobs/mod.ts";
import { bind, expr, optimise } from "../../../src/plan/mod.ts";
import { runTasks, runWhole } from "./harness.ts";

const SCHEMA = schema([field("id", int64, false), field("word", utf8)]);

test("groups made in tasks are those of one machine", async () => {
  const arena = Arena.create({ limitBytes: 1 << 28 });
  const rows = Array.from({ length: 300 }, (_, i) => ({ id: BigInt(i), word: i % 7 === 0 ? null : `w${i % 11}` }));
  const tables = new Map([["t", [batchFromRows(arena, SCHEMA, rows, 0)]]]);
  const source = { connector: "memory", options: { table: "t" } };
  const call = (fn: "sum" | "count" | "first" | "avg") => ({
    name: fn,
    expression: expr.aggregate(fn, expr.column("id")),
  });
  const logical = {
    name: "groups",
    roots: [
      {
        kind: "aggregate" as const,
        input: { kind: "scan" as const, source },
        keys: [{ name: null, expression: expr.column("word") }],
        aggregates: [call("sum"), call("count"), call("first"), call("avg")],
      },
    ],
  };
  const plan = optimise(bind(logical as never, () => SCHEMA));
  const whole = await runWhole(plan, { arena, tables });
  const text = (all: readonly object[]) =>
    all.map((row) => JSON.stringify(row, (_, v) => (typeof v === "bigint" ? `${v}` : v))).sort();
  for (const parallelism of [1, 2, 7]) {
    const physical = planPhysical(plan, { parallelism, slots: 7 });
    const got = await runTasks(physical, { arena, tables });
    expect(text(got[0] ?? [])).toEqual(text(whole[0] ?? []));
    expect(physical.fragments.length).toBe(parallelism === 1 ? 1 : 2);
  }
});
