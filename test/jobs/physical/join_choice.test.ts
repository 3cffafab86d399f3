import { expect, test } from "vitest";
import { field, int64, schema, utf8 } from "../../../src/arrow/mod.ts";
import { type PhysicalOptions, planPhysical } from "../../../src/jobs/mod.ts";
import { bind, type ConnectorSpec, optimise } from "../../../src/plan/mod.ts";
import { Stream } from "../../../src/stream/mod.ts";
import { memoryScan } from "./support.ts";

const SCHEMAS = {
  facts: schema([field("key", int64), field("amount", int64)]),
  orders: schema([field("other", int64), field("factor", int64)]),
  texts: schema([field("other", int64), field("a", utf8), field("b", utf8), field("c", utf8)]),
} as const;
type Name = keyof typeof SCHEMAS;

/** How rows of a join of facts with another table go to its tasks. */
function exchangesOf(other: Name, rows: Readonly<Record<string, number | null>>, options: Partial<PhysicalOptions>) {
  const nameOf = ({ options: { table } }: ConnectorSpec) => String(table) as Name;
  const joined = new Stream(memoryScan("facts")).join(new Stream(memoryScan(other)), { on: { key: "other" } });
  const bound = bind({ name: "test", roots: [joined.node] }, (spec) => SCHEMAS[nameOf(spec)]);
  const plan = optimise(bound, { rowCount: (spec) => rows[nameOf(spec)] ?? null });
  const facts: PhysicalOptions["facts"] = (spec) => ({ rowCount: rows[nameOf(spec)] ?? null, splitCount: null });
  const { exchanges } = planPhysical(plan, { slots: 2, facts, ...options });
  const kinds = exchanges.filter(({ role }) => role === "rows").map(({ kind }) => kind);
  return kinds.filter((kind) => kind === "hash" || kind === "broadcast");
}

test("the side that is built goes to all tasks where that moves fewer bytes than sharing out both", () => {
  const many = { facts: 12_000_000, orders: 1_500_000 };
  expect(exchangesOf("orders", many, { parallelism: 2 })).toEqual(["broadcast"]);
  expect(exchangesOf("orders", many, { parallelism: 8, slots: 8 })).toEqual(["broadcast"]);
  expect(exchangesOf("orders", many, { parallelism: 16, slots: 16 })).toEqual(["hash", "hash"]);
});

test("a side of many rows, of many bytes, or beside one that nobody knows is shared out", () => {
  const parallelism = 2;
  expect(exchangesOf("orders", { facts: 90_000_000, orders: 5_000_000 }, { parallelism })).toEqual(["hash", "hash"]);
  expect(exchangesOf("texts", { facts: 90_000_000, texts: 1_500_000 }, { parallelism })).toEqual(["hash", "hash"]);
  expect(exchangesOf("orders", { facts: null, orders: 1_500_000 }, { parallelism })).toEqual(["hash", "hash"]);
  expect(exchangesOf("orders", { facts: null, orders: 90_000 }, { parallelism })).toEqual(["broadcast"]);
});
