import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { avg, col, count, countDistinct, dataflow, first, last, max, min, Stream, sum, when } from "../../mod.ts";
import type { LogicalPlan } from "../../src/plan/mod.ts";
import { type BundledJob, bundleJob, createEngine, type Engine, type EngineOptions } from "../../src/platform/mod.ts";
import type { Dataflow } from "../../src/stream/mod.ts";
import { jobPath, runAll } from "./engines.ts";

const ROWS = 4_000;

const directory = mkdtempSync(join(tmpdir(), "sage-same-"));

/** The same rows each time, as values that add up exactly in any order; from a file of many batches, so many tasks. */
const numbers = (part = 1) => Stream.fromArrow(join(directory, `${part}.arrow`));

const made = (rows: number, seed: number) =>
  Stream.generate({
    rows,
    seed,
    columns: {
      id: { kind: "sequence" },
      key: { kind: "random", min: 0, max: 300, type: "int32", nulls: 0.05 },
      word: { kind: "text", length: [0, 3], nulls: 0.1 },
      city: { kind: "choice", values: ["Bern", "Zürich", "東京", ""] },
      value: { kind: "random", min: -1000, max: 1000, type: "int64", nulls: 0.05 },
      weight: { kind: "random", min: -500, max: 500, type: "int16" },
    },
  });

/** Runs of workers, batches and morsels. The first one is what the others are compared with. */
const settings: readonly EngineOptions[] = [
  { workers: 1 },
  { workers: 0, batchRows: 7, morselRows: 3 },
  { workers: 2, batchRows: 100, morselRows: 33 },
  { workers: 5, batchRows: 1_000, morselRows: 5_000 },
];

interface Job {
  readonly stream: () => { readonly node: Stream["node"] };
  /** Whether the order of rows is part of the result; else they are compared as a multiset. */
  readonly ordered: boolean;
}

function joins(): Record<string, Job> {
  const kinds = ["inner", "left", "right", "full", "semi", "anti"] as const;
  const right = () =>
    numbers(2).select(
      col("key").add(150).alias("key"),
      col("city"),
      col("word").alias("name"),
      col("id").alias("other"),
    );
  const byKind = kinds.map((how): [string, Job] => [
    `a join, ${how}`,
    { ordered: false, stream: () => numbers().join(right(), { on: ["key", "city"], how }) },
  ]);
  return {
    ...Object.fromEntries(byKind),
    "a join with a further condition": {
      ordered: false,
      stream: () =>
        numbers().join(right(), {
          on: "key",
          how: "left",
          where: (l, r) => l["weight"].gt(0).and(r["name"].isNotNull()),
        }),
    },
    "a cross join": { ordered: false, stream: () => numbers(3).join(numbers(2).limit(5), { how: "cross" }) },
  };
}

const jobs: Readonly<Record<string, Job>> = {
  "filter and computed columns": {
    ordered: true,
    stream: () =>
      numbers()
        .filter(col("key").gt(100).and(col("word").isNotNull()))
        .withColumns({
          size: col("word").length(),
          shout: col("word").upper(),
          kind: when(col("value").lt(0)).then("minus").otherwise("plus"),
        }),
  },
  "one row of aggregates": {
    ordered: true,
    stream: () =>
      numbers().aggregate({
        rows: count(),
        values: count("value"),
        total: sum("value"),
        mean: avg("weight"),
        least: min("word"),
        most: max("value"),
        words: countDistinct("word"),
      }),
  },
  "aggregates of no rows": {
    ordered: true,
    stream: () =>
      numbers()
        .filter(col("id").lt(0))
        .aggregate({ rows: count(), total: sum("value") }),
  },
  "group by a number and a text": {
    ordered: false,
    stream: () =>
      numbers()
        .groupBy("key", "city")
        .aggregate({ rows: count(), total: sum("value"), first: first("id"), last: last("word"), most: max("weight") }),
  },
  "filter over groups": {
    ordered: false,
    stream: () =>
      numbers()
        .groupBy("word")
        .aggregate({ rows: count(), total: sum("weight") })
        .filter(col("rows").gt(1)),
  },
  "distinct rows": { ordered: false, stream: () => numbers().select("key", "city").distinct() },
  "distinct by one column keeps the first row": { ordered: false, stream: () => numbers().distinct("key") },
  "limit with an offset": { ordered: true, stream: () => numbers().filter(col("value").gt(0)).limit(500, 333) },
  "union of two": {
    ordered: true,
    stream: () => numbers(2).union(numbers(3).filter(col("weight").gt(0)), numbers(2).limit(1)),
  },
  "union that is grouped": {
    ordered: false,
    stream: () =>
      numbers()
        .union(numbers(2))
        .groupBy("city")
        .aggregate({ rows: count(), first: first("id"), total: sum("value") }),
  },
  ...joins(),
  "a sort by several keys": {
    ordered: true,
    stream: () => numbers().orderBy({ city: "desc" }, { by: (c) => c["key"], nulls: "first" }, "word"),
  },
  "a sort is stable": { ordered: true, stream: () => numbers().orderBy("city") },
  "the top rows": { ordered: true, stream: () => numbers().orderBy({ value: "desc" }, "id").limit(40, 7) },
  "a sort of groups": {
    ordered: true,
    stream: () =>
      numbers()
        .groupBy("word")
        .aggregate({ rows: count(), total: sum("value") })
        .orderBy({ rows: "desc" }, "word"),
  },
  "one stream read twice": {
    ordered: false,
    stream: () => {
      const shared = numbers().filter(col("weight").gt(0));
      const groups = shared.groupBy("key").aggregate({ rows: count() });
      return shared.join(groups, { on: "key" }).select("id", "rows");
    },
  },
  "unnest of lists": {
    ordered: true,
    stream: () =>
      Stream.fromRows(
        Array.from({ length: 500 }, (_, i) => ({
          i: BigInt(i),
          list: i % 7 === 0 ? null : Array.from({ length: i % 5 }, (_, k) => `${i}.${k}`),
        })),
        { i: "int64", list: "list<utf8>" },
      ).unnest("list", { outer: true }),
  },
};

let bundle: BundledJob;
let engines: Engine[] = [];

beforeAll(async () => {
  bundle = await bundleJob(jobPath("functions.ts"));
  engines = await Promise.all(settings.map((setting) => createEngine({ ...setting, bundleUrl: bundle.url })));
  const writer = await createEngine({ workers: 0, batchRows: 64 });
  for (const [part, rows] of [ROWS, 900, 800].entries()) {
    const sink = made(rows, part).toArrow(join(directory, `${part + 1}.arrow`));
    await runAll(writer, dataflow("make", () => sink).plan);
  }
});

afterAll(async () => {
  await Promise.all(engines.map((engine) => engine.close()));
  bundle.dispose();
  rmSync(directory, { recursive: true });
});

async function compareAll(plan: LogicalPlan, options: { readonly ordered: boolean }): Promise<void> {
  let wanted: string[][] | null = null;
  for (const [index, setting] of settings.entries()) {
    const engine = engines[index] as Engine;
    const roots = await runAll(engine, plan);
    const got = options.ordered ? roots : roots.map((rows) => rows.sort());
    wanted ??= got;
    expect({ setting, rows: got }).toEqual({ setting, rows: wanted });
    expect(engine.arena.bytesInUse()).toBe(0);
  }
  expect(wanted?.flat().length).toBeGreaterThan(0);
}

describe("any number of workers, any batch and morsel size: the same result", () => {
  test.each(Object.entries(jobs))("%s", async (_name, { stream, ordered }) => {
    await compareAll(dataflow("job", stream).plan, { ordered });
  });

  test("functions of the user", async () => {
    const { plan } = (await bundle.load()) as Dataflow;
    await compareAll(plan, { ordered: false });
  });

  test("functions of the user over rows, in order", async () => {
    const { plan } = (await bundle.load()) as Dataflow;
    await compareAll({ ...plan, roots: plan.roots.slice(0, 3) }, { ordered: true });
  });

  test.each(["csv", "jsonl", "arrow"])("a %s file", async (format) => {
    const files: Buffer[] = [];
    for (const [index, engine] of engines.entries()) {
      const path = join(directory, `out${index}.${format}`);
      const rows = numbers().filter(col("weight").gt(0));
      const sinks = { csv: () => rows.toCsv(path), jsonl: () => rows.toJson(path), arrow: () => rows.toArrow(path) };
      await runAll(engine, dataflow("write", sinks[format as keyof typeof sinks]).plan);
      if (format !== "arrow") files.push(readFileSync(path));
      else files.push(Buffer.from((await runAll(engine, dataflow("read", () => Stream.fromArrow(path)).plan)).join()));
    }
    for (const file of files) expect(file.equals(files[0] as Buffer)).toBe(true);
    expect(files[0]?.length).toBeGreaterThan(1_000);
  });
});
