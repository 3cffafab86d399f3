import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { col, count, countDistinct, dataflow, max, quantile, Stream, sum } from "../../mod.ts";
import { releaseBatch } from "../../src/arrow/mod.ts";
import { createEngine, type Engine } from "../../src/platform/mod.ts";
import { type Dataflow, isDataflow } from "../../src/stream/mod.ts";
import { runAll } from "./engines.ts";

/**
 * Memory that ends, and a job that is cancelled, at places that nobody chose: the job gives its rows or one error, and
 * nothing stays in the arena.
 */

const directory = mkdtempSync(join(tmpdir(), "sage-limit-"));

afterAll(() => rmSync(directory, { recursive: true }));

const ROWS = 6_000;

const numbers = (seed = 1) =>
  Stream.generate({
    rows: ROWS,
    seed,
    columns: {
      id: { kind: "sequence" },
      key: { kind: "random", min: 0, max: 4_000, type: "int32", nulls: 0.1 },
      word: { kind: "text", length: [0, 40], nulls: 0.1 },
    },
  });

const flows: Readonly<Record<string, Dataflow>> = {
  rows: dataflow("rows", () => numbers().select("id", col("word").upper().concat("!").alias("word"))),
  groups: dataflow("groups", () =>
    numbers()
      .groupBy("word")
      .aggregate({ n: count(), keys: countDistinct("key"), half: quantile("key", 0.5), most: max("word") }),
  ),
  join: dataflow("join", () =>
    numbers()
      .join(numbers(2).rename({ id: "i", word: "w" }), { on: "key", how: "full" })
      .select("id", "i", "word", "w"),
  ),
  sort: dataflow("sort", () => numbers().orderBy({ word: "desc" }, "id")),
  top: dataflow("top", () => numbers().orderBy("word", "key").limit(2_000)),
  all: dataflow("all", () =>
    numbers()
      .union(numbers(3))
      .distinct("word")
      .join(
        numbers(2)
          .groupBy("key")
          .aggregate({ total: sum("id") }),
        { on: "key", how: "left" },
      )
      .orderBy("total", "word"),
  ),
  files: dataflow("files", () => [
    numbers().orderBy("word").toCsv(join(directory, "out.csv")),
    numbers().toParquet(join(directory, "out.parquet")),
    numbers().distinct("key").toArrow(join(directory, "out.arrow")),
    numbers().toJson(join(directory, "out.jsonl")),
  ]),
};

const unlimited = createEngine({ workers: 0, batchRows: 500, morselRows: 200 });
const wantedRows = new Map<string, string[][]>();

async function wantedOf(name: string): Promise<string[][]> {
  const known = wantedRows.get(name) ?? sorted(await runAll(await unlimited, planOf(name)));
  wantedRows.set(name, known);
  return known;
}

function planOf(name: string) {
  const flow = flows[name];
  if (!isDataflow(flow)) throw new Error(`no flow ${name}`);
  return flow.plan;
}

function sorted(roots: string[][]): string[][] {
  return roots.map((rows) => [...rows].sort());
}

/** Whether the job had enough; else it failed for that reason alone, and wrote nothing. */
async function hasEnough(engine: Engine, name: string): Promise<boolean> {
  for (const file of readdirSync(directory)) rmSync(join(directory, file));
  try {
    expect(sorted(await runAll(engine, planOf(name)))).toEqual(await wantedOf(name));
    return true;
  } catch (error) {
    expect(error).toMatchObject({ name: "ExecError", code: "memoryLimit" });
    expect(readdirSync(directory).filter((file) => file.endsWith(".tmp"))).toEqual([]);
    return false;
  } finally {
    expect(engine.arena.bytesInUse()).toBe(0);
  }
}

test.each(Object.keys(flows))("at any memory limit without threads: %s", async (name) => {
  const enough: boolean[] = [];
  for (let limitBytes = 4_096; limitBytes < 2 ** 26; limitBytes = Math.ceil(limitBytes * 2.2)) {
    await using engine = await createEngine({ workers: 0, batchRows: 500, morselRows: 200, memoryBytes: limitBytes });
    enough.push(await hasEnough(engine, name));
  }
  expect(enough[0]).toBe(false);
  expect(enough.at(-1)).toBe(true);
});

test.each([200_000, 1_000_000])("with threads and %i bytes", async (memoryBytes) => {
  await using engine = await createEngine({ workers: 3, batchRows: 500, morselRows: 200, memoryBytes });
  for (let i = 0; i < 2; i++) for (const name of Object.keys(flows)) await hasEnough(engine, name);
});

test("cancelled after any time, with threads", async () => {
  await using engine = await createEngine({ workers: 3, batchRows: 200, morselRows: 100 });
  for (const name of Object.keys(flows)) {
    for (const delayMs of [0, 3, 8, 20]) {
      for (const file of readdirSync(directory)) rmSync(join(directory, file));
      const cancel = new AbortController();
      setTimeout(() => cancel.abort(), delayMs);
      await cancelled(engine, name, cancel.signal);
      expect({ name, delayMs, bytes: engine.arena.bytesInUse() }).toEqual({ name, delayMs, bytes: 0 });
      expect(readdirSync(directory).filter((file) => file.endsWith(".tmp"))).toEqual([]);
    }
  }
});

async function cancelled(engine: Engine, name: string, signal: AbortSignal): Promise<void> {
  const { arena } = engine;
  try {
    await using run = await engine.run(planOf(name), { signal });
    for (const root of run.roots) for await (const batch of root.batches) releaseBatch(arena, batch);
  } catch (error) {
    expect(error).toMatchObject({ code: "cancelled" });
  }
}
