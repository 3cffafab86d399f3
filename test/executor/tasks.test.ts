import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { type CellInput, field, float64, int64, list, schema, utf8 } from "../../src/arrow/mod.ts";
import { explainPhysical, type PhysicalOptions } from "../../src/jobs/mod.ts";
import { userFunctionsOf } from "../../src/plan/mod.ts";
import { avg, col, count, first, last, max, Stream, sum } from "../../src/stream/mod.ts";
import type { Row } from "../jobs/physical/exchanges.ts";
import { texts } from "../jobs/physical/support.ts";
import { type ClusterOptions, TestCluster } from "./cluster.ts";
import { physicalOf, planned, rowsAsCells, runWhole } from "./flows.ts";
import { tableScan, tables } from "./table_source.ts";

const directory = mkdtempSync(join(tmpdir(), "sage-executor-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const T = schema([
  field("id", int64, false),
  field("key", int64, true),
  field("word", utf8, true),
  field("x", float64, true),
  field("items", list(field("item", int64, true)), true),
]);
const rows = Array.from({ length: 900 }, (_, i): Record<string, CellInput> => {
  return {
    id: BigInt(i),
    key: i % 11 === 0 ? null : BigInt((i * 7) % 37),
    word: ["ant", "bee", null, "cow", "dog", "a longer word than the others are"][(i * 5) % 6] ?? null,
    x: i % 13 === 0 ? null : ((i * 31) % 101) / 4,
    items: i % 6 === 0 ? null : Array.from({ length: i % 5 }, (_, k) => BigInt(i * 10 + k)),
  };
});
tables.set("t", { schema: T, rows: rowsAsCells(T, rows) });
tables.set("u", { schema: T, rows: rowsAsCells(T, rows.slice(0, 300)) });

type Flow = (t: Stream, u: Stream) => Stream | readonly Stream[];

const ORDERED: Readonly<Record<string, Flow>> = {
  "rows as they are": (t) => t.select("id", "word"),
  filters: (t) => t.filter(col("x").gt(10)).select("id", "x"),
  sorts: (t) => t.select("id", "word", "x").orderBy("word", { x: "desc" }),
  "the best rows": (t) => t.select("id", "x").orderBy({ x: "desc" }).limit(25),
  limits: (t) => t.select("id").limit(40, 13),
  "groups in order": (t) =>
    t
      .groupBy("word")
      .aggregate({ n: count(), total: sum("id"), mean: avg("x") })
      .orderBy("word"),
  "first and last": (t) =>
    t
      .groupBy("key")
      .aggregate({ a: first("word"), z: last("x") })
      .orderBy("key"),
  "first and last of a sort": (t) =>
    t
      .orderBy("word")
      .groupBy("key")
      .aggregate({ a: first("id"), z: last("id") })
      .orderBy("key"),
  "aggregates over everything": (t) => t.aggregate({ n: count(), total: sum("id"), m: max("word") }),
  "aggregates over nothing": (t) => t.filter(col("id").lt(0)).aggregate({ n: count(), total: sum("id") }),
  "no rows": (t) => t.filter(col("id").lt(0)).select("id"),
  "functions behind joins": (t, u) =>
    t
      .select("id", "key")
      .join(u.select(col("key").alias("k"), "word").distinct("k"), { on: { key: "k" } })
      .map((row) => ({ id: (row["id"] as bigint) * 2n }), { id: "int64" })
      .limit(50),
  "left joins": (t, u) =>
    t
      .select("id", "key")
      .join(u.select(col("key").alias("k"), col("word").alias("w")).distinct("k"), { on: { key: "k" }, how: "left" }),
  unions: (t, u) => t.select("id").union(u.select("id")),
  unnest: (t) => t.select("id", "items").unnest("items"),
  "two roots over one group": (t) => {
    const groups = t.groupBy("key").aggregate({ n: count(), total: sum("id") });
    return [groups.orderBy("key"), groups.aggregate({ m: max("n") })];
  },
};

const UNORDERED: Readonly<Record<string, Flow>> = {
  groups: (t) => t.groupBy("key", "word").aggregate({ n: count(), x: sum("x") }),
  "full joins": (t, u) =>
    t.select("id", "key").join(u.select(col("key").alias("k"), "word"), { on: { key: "k" }, how: "full" }),
  "groups of both sides of joins": (t, u) =>
    t
      .groupBy("key")
      .aggregate({ a: sum("id") })
      .join(u.groupBy("key").aggregate({ b: count() }).select(col("key").alias("k"), "b"), { on: { key: "k" } }),
  distinct: (t) => t.select("word", "key").distinct(),
};

const OPTIONS: readonly (Partial<PhysicalOptions> & { readonly agents: number; readonly slots: number })[] = [
  { parallelism: 1, agents: 1, slots: 1 },
  { parallelism: 2, agents: 2, slots: 2, broadcastRowsMax: 0, gatherRowsMax: 0, pipelines: true },
  { parallelism: 7, agents: 3, slots: 4, broadcastRowsMax: 0, gatherRowsMax: 0, sampleRowsMax: 20 },
  { parallelism: 3, agents: 2, slots: 6, broadcastRowsMax: 1_000, pipelines: true },
];

async function runFlow(flow: Flow, options: (typeof OPTIONS)[number], more: Partial<ClusterOptions> = {}) {
  const streams = [flow(new Stream(tableScan("t")), new Stream(tableScan("u")))].flat() as Stream[];
  const logical = { name: "flow", roots: streams.map(({ node }) => node) };
  const plan = planned(logical);
  const userFunctions = userFunctionsOf(logical);
  const { agents, slots, ...physicalOptions } = options;
  const physical = physicalOf(plan, { ...physicalOptions, slots: agents * slots });
  const cluster = await new TestCluster({ agents, slots, directory, userFunctions, ...more }).start();
  try {
    const got = await cluster.run(physical);
    expect(cluster.state, JSON.stringify(cluster.history)).toBe("finished");
    const left = await cluster.release();
    expect(left).toEqual({ bytes: 0, isReusable: true });
    return { got, whole: await runWhole(plan, userFunctions), text: explainPhysical(physical) };
  } finally {
    await cluster.stop();
  }
}

describe("tasks on executors give what one machine gives, order and all", () => {
  for (const [name, flow] of Object.entries(ORDERED)) {
    test(name, async () => {
      for (const options of OPTIONS) {
        const { got, whole, text } = await runFlow(flow, options);
        expect(got.map(texts), text).toEqual(whole.map(texts));
      }
    });
  }
});

describe("tasks on executors give the rows that one machine gives", () => {
  const sorted = (roots: Row[][]) => roots.map((each) => texts(each).sort());
  for (const [name, flow] of Object.entries(UNORDERED)) {
    test(name, async () => {
      for (const options of OPTIONS) {
        const { got, whole, text } = await runFlow(flow, options);
        expect(sorted(got), text).toEqual(sorted(whole));
      }
    });
  }
});

test("over the real network as well, compressed or not", async () => {
  const flow: Flow = (t, u) =>
    t
      .select("id", "key", "word")
      .join(u.select(col("key").alias("k"), "items"), { on: { key: "k" } })
      .orderBy("word", "id");
  for (const codec of ["none", "zstd"] as const) {
    const options = { parallelism: 3, agents: 3, slots: 3, broadcastRowsMax: 0, gatherRowsMax: 0, pipelines: true };
    const { got, whole, text } = await runFlow(flow, options, { isReal: true, codec });
    const parts = (roots: Row[][]) => roots.map((each) => texts(each).sort());
    expect(parts(got), text).toEqual(parts(whole));
  }
});

test("nothing is left in the directories of executors", () => {
  const left = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  expect(left).toEqual([]);
});
