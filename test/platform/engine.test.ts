import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { releaseBatch } from "../../src/arrow/mod.ts";
import { createEngine } from "../../src/platform/mod.ts";
import { Dataflow, Stream } from "../../src/stream/mod.ts";

const FILE_COUNT = 2_000;

describe("a job that is being planned", () => {
  let directory = "";

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), "sage-engine-"));
    for (let i = 0; i < FILE_COUNT; i++) writeFileSync(join(directory, `${i}.csv`), `a,b\n${i},x\n`);
  });

  afterAll(() => rmSync(directory, { recursive: true }));

  const planOf = () => Dataflow.of("many", [Stream.fromCsv(join(directory, "*.csv")).node]).plan;

  test("is ended by its time limit", async () => {
    await using engine = await createEngine({ workers: 0 });
    await expect(engine.run(planOf(), { timeoutMs: 5 })).rejects.toMatchObject({ code: "timeout" });
  });

  test("can be cancelled", async () => {
    await using engine = await createEngine({ workers: 0 });
    const signal = AbortSignal.timeout(5);
    await expect(engine.run(planOf(), { signal })).rejects.toMatchObject({ code: "cancelled" });
    // The engine is as good as new.
    await using run = await engine.run(planOf());
    expect(run.roots).toHaveLength(1);
  });
});

test("a job in the calling thread goes on when its reader waits for a timer", async () => {
  await using engine = await createEngine({ workers: 0, batchRows: 1_000 });
  await using run = await engine.run(Dataflow.of("rows", [Stream.generate(100_000).node]).plan);
  let rows = 0;
  for await (const batch of run.roots[0]?.batches ?? []) {
    rows += batch.rowCount;
    releaseBatch(engine.arena, batch);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  expect(rows).toBe(100_000);
});
