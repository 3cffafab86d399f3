import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { col, count, dataflow, lit, max, Stream, sum } from "../../mod.ts";
import { releaseBatch } from "../../src/arrow/mod.ts";
import type { LogicalPlan } from "../../src/plan/mod.ts";
import { createEngine, type Engine } from "../../src/platform/mod.ts";
import { jobPath, openJobFile, rowTexts, runAll } from "./engines.ts";

const directory = mkdtempSync(join(tmpdir(), "sage-leak-"));
const engines = new Map<number, Engine>();

afterAll(async () => {
  await Promise.all([...engines.values()].map((engine) => engine.close()));
  rmSync(directory, { recursive: true });
});

async function engineOf(workers: number): Promise<Engine> {
  const known = engines.get(workers) ?? (await createEngine({ workers, batchRows: 100, morselRows: 40 }));
  engines.set(workers, known);
  return known;
}

const numbers = () =>
  Stream.generate({
    rows: 900,
    columns: {
      id: { kind: "sequence" },
      key: { kind: "random", min: 0, max: 30, type: "int32", nulls: 0.1 },
      word: { kind: "text", length: [0, 9], nulls: 0.1 },
    },
  });

const planOf = (build: () => { readonly node: Stream["node"] }): LogicalPlan => dataflow("job", build).plan;

const healthy: Readonly<Record<string, LogicalPlan>> = {
  rows: planOf(() => numbers().filter(col("key").gt(3)).select("id", col("word").upper().alias("word"))),
  groups: planOf(() =>
    numbers()
      .groupBy("key", "word")
      .aggregate({ rows: count(), total: sum("id"), most: max("word") }),
  ),
  "an early limit": planOf(() => numbers().limit(7)),
  "a join and a sort": planOf(() =>
    numbers()
      .join(numbers().rename({ word: "name" }), { on: ["id"], how: "full" })
      .orderBy({ name: "desc" }, "id"),
  ),
  "distinct and union": planOf(() => numbers().union(numbers()).select("word").distinct()),
};

const failing: Readonly<Record<string, LogicalPlan>> = {
  "division by zero": planOf(() => numbers().select(lit(1n).mod(col("id").sub(777)).alias("x"))),
  overflow: planOf(() => numbers().aggregate({ x: sum(col("id").add(9_000_000_000_000_000_000n)) })),
  "an overflow in a join's condition": planOf(() =>
    numbers().join(numbers().rename({ id: "i", word: "w" }), {
      on: "key",
      where: (l, r) => l["id"].add(r["i"]).add(9_223_372_036_854_775_000n).gt(0),
    }),
  ),
  "an overflow in a sort's key": planOf(() =>
    numbers().orderBy({ by: (c) => c["id"].add(9_223_372_036_854_775_000n), order: "desc" }, "word"),
  ),
  "an overflow after groups": planOf(() =>
    numbers()
      .groupBy("key")
      .aggregate({ rows: count() })
      .select(col("rows").mul(9_000_000_000_000_000_000n).alias("x")),
  ),
};

test("after 1,000 runs of a small job the arena is as empty as before", async () => {
  await using engine = await createEngine({ workers: 2 });
  const { plan } = dataflow("small", () =>
    Stream.generate(9)
      .filter(col("index").gt(2))
      .groupBy((c) => c.index.mod(3).alias("rest"))
      .aggregate({ n: count() }),
  );
  for (let i = 0; i < 1_000; i++) expect((await runAll(engine, plan))[0]).toHaveLength(3);
  expect(engine.arena.bytesInUse()).toBe(0);
  expect(engine.arena.touchedBytes()).toBeLessThan(64e6);
});

describe.each([0, 2])("with %i workers, the arena is empty again", (workers) => {
  test.each(Object.entries(healthy))("after 50 runs: %s", async (_name, plan) => {
    const engine = await engineOf(workers);
    for (let i = 0; i < 50; i++) await runAll(engine, plan);
    expect(engine.arena.bytesInUse()).toBe(0);
  });

  test.each(Object.entries(failing))("after 30 runs that fail: %s", async (_name, plan) => {
    const engine = await engineOf(workers);
    for (let i = 0; i < 30; i++) await expect(runAll(engine, plan)).rejects.toThrow(/zero|overflow/);
    expect(engine.arena.bytesInUse()).toBe(0);
    await runAll(engine, healthy["rows"] as LogicalPlan);
  });

  test("after runs that nobody reads", async () => {
    const engine = await engineOf(workers);
    for (let i = 0; i < 30; i++) {
      const run = await engine.run(healthy["rows"] as LogicalPlan);
      await run.close();
    }
    expect(engine.arena.bytesInUse()).toBe(0);
  });

  test("after runs whose reader stops at the first batch", async () => {
    const engine = await engineOf(workers);
    for (let i = 0; i < 30; i++) {
      await using run = await engine.run(healthy["rows"] as LogicalPlan);
      for await (const batch of run.roots[0]?.batches ?? []) {
        releaseBatch(engine.arena, batch);
        break;
      }
    }
    expect(engine.arena.bytesInUse()).toBe(0);
  });

  test("after a run that is closed while it is read", async () => {
    const engine = await engineOf(workers);
    for (let i = 0; i < 30; i++) {
      const run = await engine.run(healthy["rows"] as LogicalPlan);
      const first = await run.roots[0]?.batches.next();
      if (first?.done === false) releaseBatch(engine.arena, first.value);
      await run.close();
      expect(engine.arena.bytesInUse()).toBe(0);
    }
  });

  test("after runs that are cancelled at any moment", async () => {
    const engine = await engineOf(workers);
    const plan = planOf(() =>
      numbers()
        .union(...Array.from({ length: 30 }, numbers))
        .select("id", col("word").upper().alias("word"))
        .groupBy("word")
        .aggregate({ rows: count() }),
    );
    for (let i = 0; i < 20; i++) {
      const cancel = new AbortController();
      setTimeout(() => cancel.abort(), i);
      await cancelled(engine, plan, cancel.signal);
      expect(engine.arena.bytesInUse()).toBe(0);
    }
    expect((await runAll(engine, healthy["rows"] as LogicalPlan)).flat().length).toBeGreaterThan(0);
  });

  test("after sinks that fail half-way, and no file is left", async () => {
    const engine = await engineOf(workers);
    const failed = { plan: failing["division by zero"] as LogicalPlan };
    for (const format of ["csv", "json", "arrow"] as const) {
      const path = join(directory, `out.${format}`);
      const rows = () => new Stream(failed.plan.roots[0] as unknown as Stream["node"]);
      const sink = {
        csv: () => rows().toCsv(path),
        json: () => rows().toJson(path),
        arrow: () => rows().toArrow(path),
      };
      await expect(runAll(engine, dataflow("sink", sink[format]).plan)).rejects.toThrow(/zero/);
    }
    expect(readdirSync(directory)).toEqual([]);
    expect(engine.arena.bytesInUse()).toBe(0);
  });
});

async function cancelled(engine: Engine, plan: LogicalPlan, signal: AbortSignal): Promise<void> {
  try {
    await using run = await engine.run(plan, { signal });
    for (const root of run.roots) for await (const batch of root.batches) releaseBatch(engine.arena, batch);
  } catch (error) {
    expect(error).toMatchObject({ code: "cancelled" });
  }
}

test("functions that throw leave nothing behind, with workers of a bundle", async () => {
  const { plan, bundle } = await openJobFile(jobPath("throws.ts"));
  await using engine = await createEngine({ workers: 2, bundleUrl: bundle.url, batchRows: 100 });
  for (let i = 0; i < 20; i++) {
    for (const root of plan.roots.keys()) {
      await using run = await engine.run(plan);
      const rows = run.roots[root];
      await expect(rows && rowTexts(engine, rows)).rejects.toThrow("out of luck");
    }
    expect(engine.arena.bytesInUse()).toBe(0);
  }
});
