import { describe, expect, test } from "vitest";
import { decimal, field, float64, int32, int64, list, schema, utf8 } from "../../../src/arrow/mod.ts";
import type { PhysicalOptions } from "../../../src/jobs/mod.ts";
import {
  avg,
  col,
  count,
  countDistinct,
  first,
  last,
  max,
  min,
  quantile,
  type Stream,
  stddev,
  sum,
  variance,
} from "../../../src/stream/mod.ts";
import { compareFlow, type TableOf, texts } from "./support.ts";

const T: TableOf = {
  schema: schema([
    field("id", int64, false),
    field("key", int32),
    field("word", utf8),
    field("x", float64),
    field("price", decimal(12, 2)),
    field("items", list(int32)),
  ]),
  rows: Array.from({ length: 400 }, (_, i) => ({
    id: BigInt(i),
    key: i % 13 === 0 ? null : (i * 7) % 19,
    word: i % 11 === 0 ? null : `w${(i * 31) % 23}`,
    x: i % 17 === 0 ? null : ((i * 37) % 101) / 4,
    price: `${i % 9}.${10 + (i % 80)}`,
    items: i % 5 === 0 ? null : Array.from({ length: i % 4 }, (_, k) => i * 10 + k),
  })),
};

const U: TableOf = {
  schema: schema([field("k", int32), field("name", utf8), field("n", int64, false)]),
  rows: Array.from({ length: 90 }, (_, i) => ({ k: i % 10 === 0 ? null : i % 27, name: `n${i % 8}`, n: BigInt(i) })),
};

type Flow = (t: Stream, u: Stream) => Stream | readonly Stream[];

/** Flows whose rows come in an order that the documentation promises. */
const ORDERED: Readonly<Record<string, Flow>> = {
  "rows of a source": (t) => t,
  filters: (t) => t.filter(col("id").mod(3).eq(1)),
  projections: (t) => t.select(col("id").add(1).alias("next"), "word"),
  "row functions": (t) => t.select("id", "x").map((row) => ({ twice: Number(row["id"]) * 2 }), { twice: "float64" }),
  unnest: (t) => t.select("id", "items").unnest("items"),
  limits: (t) => t.limit(57),
  "limits with an offset": (t) => t.filter(col("id").mod(2).eq(0)).limit(90, 71),
  "limits of more than there is": (t) => t.limit(1_000),
  "a limit below a filter": (t) => t.limit(100).filter(col("id").mod(2).eq(0)),
  unions: (t) => t.select("id").union(t.filter(col("id").lt(50)).select("id"), t.select("id").limit(3)),
  "a sorted side of a union": (t) => t.select("id").union(t.select("id").orderBy({ id: "desc" })),
  "sorts with ties": (t) => t.select("id", "key").orderBy("key"),
  "sorts downwards, nulls first": (t) => t.select("id", "key", "word").orderBy({ word: "desc" }, "key"),
  "sorts by an expression": (t) => t.select("id", "x").orderBy(col("x").mul(-1)),
  "sorts of lists beside": (t) => t.select("id", "items", "word").orderBy("word"),
  "sorts of sorts": (t) => t.select("id", "key", "word").orderBy("key").orderBy("word"),
  "top rows with ties": (t) => t.select("id", "key").orderBy("key").limit(40),
  "top rows with an offset": (t) => t.select("id", "key").orderBy({ key: "desc" }).limit(25, 30),
  "left sides of joins": (t, u) =>
    t
      .select("id", "key")
      .join(u.groupBy("k").aggregate({ n: count() }), { on: { key: "k" }, how: "left" })
      .select("id", "n"),
  "limits of joins": (t, u) =>
    t
      .select("id", "key")
      .join(u.distinct("k"), { on: { key: "k" } })
      .select("id")
      .limit(33),
  "semi joins": (t, u) => t.select("id", "key").join(u, { on: { key: "k" }, how: "semi" }),
  "anti joins": (t, u) => t.select("id", "key").join(u, { on: { key: "k" }, how: "anti" }),
  "joins of joins": (t, u) =>
    t
      .select("id", "key", "word")
      .join(u.distinct("k").select("k"), { on: { key: "k" } })
      .join(
        u
          .groupBy("name")
          .aggregate({ m: max("n") })
          .withColumns({ name: col("name").replace("n", "w") }),
        {
          on: { word: "name" },
          how: "left",
        },
      )
      .select("id", "m"),
  "joins behind unnest": (t, u) =>
    t
      .select("id", "key", "items")
      .join(u.distinct("k").select("k"), { on: { key: "k" } })
      .unnest("items")
      .withColumns({ last: col("items").mod(7) })
      .join(u.distinct("k").select(col("k").alias("k2")), { on: { last: "k2" } })
      .select("id", "items"),
  "functions behind joins": (t, u) =>
    t
      .select("id", "key")
      .join(u.distinct("k").select("k"), { on: { key: "k" } })
      .map((row) => ({ id: row["id"] as bigint }), { id: "int64" })
      .limit(20),
  "sorts with ties behind joins": (t, u) =>
    t
      .select("id", "key", "word")
      .join(u.distinct("k").select("k"), { on: { key: "k" } })
      .select("id", "word")
      .orderBy("word"),
  "first rows of groups behind joins": (t, u) =>
    t
      .select("id", "key", "word")
      .join(u.distinct("k").select("k"), { on: { key: "k" } })
      .groupBy("word")
      .aggregate({ a: first("id"), z: last("id") })
      .orderBy("word"),
  "unions of joins": (t, u) => {
    const joined = t
      .select("id", "key")
      .join(u.distinct("k").select("k"), { on: { key: "k" } })
      .select("id");
    return joined.union(t.select("id"), joined).limit(500);
  },
  "groups in order of a sort": (t) =>
    t
      .groupBy("word")
      .aggregate({ n: count(), total: sum("id"), some: min("x") })
      .orderBy("word"),
  "first and last": (t) =>
    t
      .groupBy("key")
      .aggregate({ a: first("word"), z: last("word"), f: first("x"), s: stddev("x") })
      .orderBy("key"),
  "first and last of a sort": (t) =>
    t
      .orderBy("word")
      .groupBy("key")
      .aggregate({ a: first("id"), z: last("id") })
      .orderBy("key"),
  "first rows of each": (t) => t.select("id", "key", "word").distinct("key").orderBy("id"),
  "all aggregates over everything": (t) =>
    t.aggregate({
      n: count(),
      words: count("word"),
      total: sum("id"),
      mean: avg("id"),
      money: sum("price"),
      least: min("word"),
      most: max("x"),
      a: first("word"),
      z: last("x"),
    }),
  "aggregates that are not split": (t) =>
    t.aggregate({ v: variance("x"), q: quantile("x", 0.3), d: countDistinct("word"), a: first("word") }),
  "aggregates over nothing": (t) =>
    t.filter(col("id").lt(0)).aggregate({ n: count(), s: sum("id"), a: avg("x"), f: first("id") }),
  "aggregates over few tasks' rows": (t) =>
    t.filter(col("id").gt(396)).aggregate({ f: first("word"), l: last("word"), n: count() }),
};

/** Flows whose rows come in any order. */
const UNORDERED: Readonly<Record<string, Flow>> = {
  groups: (t) => t.groupBy("key").aggregate({ n: count(), mean: avg("id"), money: avg("price"), x: avg("x") }),
  "groups by expressions": (t) =>
    t.groupBy(col("id").mod(5).alias("rest")).aggregate({ n: count(), q: quantile("x", 0.5) }),
  "groups of groups": (t) =>
    t
      .groupBy("key", "word")
      .aggregate({ n: count() })
      .groupBy("key")
      .aggregate({ m: max("n"), d: countDistinct("word") }),
  distinct: (t) => t.select("key", "word").distinct(),
  "inner joins": (t, u) => t.select("id", "key").join(u, { on: { key: "k" } }),
  "right joins": (t, u) => t.select("id", "key").join(u, { on: { key: "k" }, how: "right" }),
  "full joins": (t, u) => t.select("id", "key").join(u, { on: { key: "k" }, how: "full" }),
  "joins of both sides grouped": (t, u) =>
    t
      .groupBy("key")
      .aggregate({ a: sum("id") })
      .join(u.groupBy("k").aggregate({ b: sum("n") }), { on: { key: "k" }, how: "full" }),
  "joins by expressions": (t, u) =>
    t.select("id", "key").join(u.withColumns({ k: col("k").add(1) }), { on: { key: "k" }, how: "left" }),
  "joins without keys": (t, u) => t.limit(30).select("id").join(u.select("n"), { how: "cross" }),
  "joins on themselves": (t) =>
    t.select("id", "key").join(t.select(col("key").alias("k2"), "word"), { on: { key: "k2" } }),
  "semi joins of small left sides": (t, u) => u.join(t.select("key"), { on: { k: "key" }, how: "semi" }),
  "anti joins of small left sides": (t, u) =>
    u
      .join(t.select("key"), { on: { k: "key" }, how: "anti" })
      .groupBy("name")
      .aggregate({ f: count() }),
  "lists on one side": (t, u) => u.join(t.select("key", "items"), { on: { k: "key" }, how: "semi" }),
};

const OPTIONS: readonly Partial<PhysicalOptions>[] = [
  { parallelism: 1 },
  { parallelism: 2, broadcastRowsMax: 0 },
  { parallelism: 7, broadcastRowsMax: 0 },
  { parallelism: 7, broadcastRowsMax: 100_000, pipelines: true },
];

async function compare(flow: Flow) {
  const tables = { t: T, u: U };
  return await compareFlow(({ t, u }) => [flow(t as Stream, u as Stream)].flat(), { tables, options: OPTIONS });
}

describe("at parallelism 1, 2 and 7 as on one machine, order and all", () => {
  for (const [name, flow] of Object.entries(ORDERED)) {
    test(name, async () => {
      const { whole, outcomes } = await compare(flow);
      for (const { rows, text } of outcomes) expect(rows.map(texts), text).toEqual(whole.map(texts));
    });
  }
});

describe("at parallelism 1, 2 and 7 the same rows as on one machine", () => {
  const sorted = (roots: Parameters<typeof texts>[0][]) => roots.map((rows) => texts(rows).sort());
  for (const [name, flow] of Object.entries(UNORDERED)) {
    test(name, async () => {
      const { whole, outcomes } = await compare(flow);
      for (const { rows, text } of outcomes) expect(sorted(rows), text).toEqual(sorted(whole));
    });
  }
});
