import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, describe, expect, test } from "vitest";
import { type CellInput, field, int64, schema, utf8 } from "../../src/arrow/mod.ts";
import { InlinePool, type Pool } from "../../src/exec/mod.ts";
import { putInPlace, removeLeftovers, TaskDisk } from "../../src/executor/task_disk.ts";
import { encodeLogicalPlan, userFunctionsOf } from "../../src/plan/mod.ts";
import { nodeDisk } from "../../src/platform/disk.ts";
import { executorCancel, executorRun, type TaskOrder } from "../../src/protocol/mod.ts";
import { col, count, Stream, sum } from "../../src/stream/mod.ts";
import { texts } from "../jobs/physical/support.ts";
import { JOB_ID, type TestAgent, TestCluster, type TestEngine } from "./cluster.ts";
import { physicalOf, planned, rowsAsCells, runWhole } from "./flows.ts";
import { tableScan, tables } from "./table_source.ts";

const directory = mkdtempSync(join(tmpdir(), "sage-executor-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const T = schema([field("id", int64, false), field("key", int64, true), field("word", utf8, true)]);
const rowOf = (i: number): Record<string, CellInput> => {
  return { id: BigInt(i), key: BigInt((i * 7) % 37), word: `word ${i % 50} ${"x".repeat(i % 100)}` };
};
const cells = (count: number) =>
  rowsAsCells(
    T,
    Array.from({ length: count }, (_, i) => rowOf(i)),
  );
tables.set("t", { schema: T, rows: cells(600) });
tables.set("big", { schema: T, rows: cells(8_000) });
const t = () => new Stream(tableScan("t"));

function flowOf(...streams: { readonly node: Stream["node"] }[]) {
  const logical = { name: "flow", roots: streams.map(({ node }) => node) };
  return { plan: planned(logical), userFunctions: userFunctionsOf(logical) };
}

async function until(holds: () => boolean, timeoutMs = 5_000): Promise<void> {
  const endMs = performance.now() + timeoutMs;
  while (!holds()) {
    if (performance.now() > endMs) throw new Error(`not so within ${timeoutMs} ms: ${holds}`);
    await sleep(2);
  }
}

/** Reading stops after so many batches until it is let go on. */
function gate(table: string, rows: number, openFor: number) {
  let left = openFor;
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  tables.set(table, {
    schema: T,
    rows: cells(rows),
    pause: async () => {
      if (left-- <= 0) await opened;
    },
  });
  return { open, isReached: () => left < 0 };
}

function temporaryFiles(): string[] {
  return readdirSync(directory).filter((name) => name.endsWith(".tmp"));
}

describe("cancelled jobs leave nothing", () => {
  const flows: Readonly<Record<string, (s: Stream) => { readonly node: Stream["node"] }>> = {
    "while it reads": (s) => s.select("id"),
    "in a group": (s) => s.groupBy("key").aggregate({ n: count() }),
    "in a sort": (s) => s.orderBy("word"),
    "in a join": (s) => s.join(t().select(col("id").alias("o")), { on: { id: "o" } }).select("id", "word"),
    "while it writes a file": (s) => s.toCsv(join(directory, "cancelled.csv")),
  };
  for (const [name, flow] of Object.entries(flows)) {
    test(name, async () => {
      for (const [openFor, pipelines] of [
        [0, true],
        [3, false],
        [30, true],
      ] as const) {
        const gated = gate("gated", 600, openFor);
        const { plan, userFunctions } = flowOf(flow(new Stream(tableScan("gated"))));
        const options = { parallelism: 3, broadcastRowsMax: 0, gatherRowsMax: 0, pipelines, slots: 12 };
        const cluster = await new TestCluster({ agents: 2, slots: 6, directory, userFunctions }).start();
        const run = cluster.run(physicalOf(plan, options));
        await until(() => gated.isReached());
        cluster.verb("cancel");
        await sleep(20);
        gated.open();
        await run;
        expect(cluster.state).toBe("cancelled");
        expect((await cluster.release()).bytes).toBe(0);
        await cluster.stop();
        expect(temporaryFiles()).toEqual([]);
        expect(existsSync(join(directory, "cancelled.csv"))).toBe(false);
      }
    });
  }

  test("a task that was cancelled before it began", async () => {
    const gated = gate("gated", 100, 0);
    const { plan, userFunctions } = flowOf(new Stream(tableScan("gated")).select("id"));
    const cluster = await new TestCluster({ agents: 1, slots: 1, directory, userFunctions }).start();
    await cluster.assign(physicalOf(plan, { parallelism: 2 }));
    const { calls } = cluster.agents[0] as TestAgent;
    const tasks = [0, 1].map((index): TaskOrder => ({ task: { fragment: 0, index }, attempt: 1, slot: 0, inputs: [] }));
    await calls.call(executorRun, { jobId: JOB_ID, memoryBytes: 1 << 28, tasks });
    await until(() => gated.isReached());
    await calls.call(executorCancel, { jobId: JOB_ID, runs: tasks.map(({ task, attempt }) => ({ task, attempt })) });
    gated.open();
    const ended = () => cluster.reports.filter(({ status }) => status === "ended").map(({ task }) => task.index);
    await until(() => ended().length === 2);
    expect(ended()).toEqual([1, 0]);
    expect((await cluster.release()).bytes).toBe(0);
    await cluster.stop();
  });
});

test("a task inside a function that never comes back loses its workers, and only it", async () => {
  let stuck = false;
  class StuckPool implements Pool {
    readonly arena;
    readonly size = 1;
    readonly #inner: InlinePool;
    #end: ((error: Error) => void) | null = null;
    constructor(engine: TestEngine) {
      this.arena = engine.arena;
      const pause = () => engine.turn();
      this.#inner = new InlinePool({ arena: engine.arena, tools: engine.tools, userFunctions: new Map(), pause });
    }
    broadcast(...given: Parameters<Pool["broadcast"]>): ReturnType<Pool["broadcast"]> {
      if (given[0].kind !== "pipeline" || stuck) return this.#inner.broadcast(...given);
      stuck = true;
      return new Promise((_, reject) => {
        this.#end = reject;
      });
    }
    async close(): Promise<void> {
      this.#end?.(new Error("the workers were ended"));
      await this.#inner.close();
    }
  }
  const { plan } = flowOf(t().filter(col("id").gt(3)).select("id"));
  const cluster = await new TestCluster({ agents: 1, slots: 1, directory, pool: (e) => new StuckPool(e) }).start();
  await cluster.assign(physicalOf(plan, { parallelism: 1 }));
  const { calls, engine } = cluster.agents[0] as TestAgent;
  const order = (attempt: number): TaskOrder => ({ task: { fragment: 0, index: 0 }, attempt, slot: 0, inputs: [] });
  await calls.call(executorRun, { jobId: JOB_ID, memoryBytes: 1 << 28, tasks: [order(1)] });
  await until(() => stuck);
  const startMs = performance.now();
  await calls.call(executorCancel, { jobId: JOB_ID, runs: [{ task: order(1).task, attempt: 1 }] });
  await until(() => cluster.reports.some(({ status }) => status === "ended"));
  expect(performance.now() - startMs).toBeLessThan(10_000);
  await calls.call(executorRun, { jobId: JOB_ID, memoryBytes: 1 << 28, tasks: [order(2)] });
  await until(() => cluster.reports.some(({ status, attempt }) => status === "finished" && attempt === 2));
  expect(engine.opened).toBe(2);
  // What its workers held is missing: where that is too much, the process is.
  expect(cluster.spoiled).toEqual([]);
  await calls.call(executorRun, { jobId: JOB_ID, memoryBytes: 1, tasks: [order(3)] });
  await until(() => cluster.spoiled.length > 0);
  expect(cluster.spoiled[0]).toContain("lacks memory that was lost");
  expect(await cluster.release()).toMatchObject({ isReusable: false });
  await cluster.stop();
});

describe("files", () => {
  const path = join(directory, "out.csv");
  const csv = () => flowOf(t().orderBy("id").toCsv(path));

  test("stand once they are committed", async () => {
    const { plan, userFunctions } = csv();
    const cluster = await new TestCluster({ agents: 2, slots: 4, directory, userFunctions }).start();
    await cluster.run(physicalOf(plan, { parallelism: 3, gatherRowsMax: 0 }));
    expect(cluster.state).toBe("finished");
    expect(readFileSync(path, "utf8").trim().split("\n").length).toBe(601);
    expect(cluster.reports.filter(({ status }) => status === "committed").length).toBe(1);
    expect((await cluster.release()).bytes).toBe(0);
    await cluster.stop();
    expect(temporaryFiles()).toEqual([]);
    rmSync(path);
  });

  test("of a task that is called off when it has finished are gone, and it says so", async () => {
    const { plan } = csv();
    const cluster = await new TestCluster({ agents: 1, slots: 1, directory }).start();
    await cluster.assign(physicalOf(plan, { parallelism: 1 }));
    const { calls } = cluster.agents[0] as TestAgent;
    const run = { task: { fragment: 0, index: 0 }, attempt: 1 };
    await calls.call(executorRun, { jobId: JOB_ID, memoryBytes: 1 << 28, tasks: [{ ...run, slot: 0, inputs: [] }] });
    await until(() => cluster.reports.some(({ status }) => status === "finished"));
    await calls.call(executorCancel, { jobId: JOB_ID, runs: [run] });
    await until(() => cluster.reports.at(-1)?.status !== "finished");
    expect(cluster.reports.at(-1)?.status).toBe("ended");
    expect(temporaryFiles()).toEqual([]);
    expect((await cluster.release()).bytes).toBe(0);
    await cluster.stop();
  });

  test("that were prepared go with their job; what was left of another process is cleaned away", async () => {
    const { plan } = csv();
    const cluster = await new TestCluster({ agents: 1, slots: 1, directory }).start();
    await cluster.assign(physicalOf(plan, { parallelism: 1 }));
    const { calls } = cluster.agents[0] as TestAgent;
    const order: TaskOrder = { task: { fragment: 0, index: 0 }, attempt: 1, slot: 0, inputs: [] };
    await calls.call(executorRun, { jobId: JOB_ID, memoryBytes: 1 << 28, tasks: [order] });
    await until(() => cluster.reports.some(({ status }) => status === "finished"));
    const mark = `.out.csv.${JOB_ID}-1-0-0-1.whole.tmp`;
    expect(temporaryFiles().toSorted()).toEqual([`.out.csv.${JOB_ID}-1-0-0-1.tmp`, mark]);
    await cluster.release();
    expect(temporaryFiles()).toEqual([]);
    expect(existsSync(path)).toBe(false);
    await Bun.write(join(directory, `.out.csv.${JOB_ID}-1-3-0-7.tmp`), "left");
    await Bun.write(join(directory, ".out.csv.other-1-3-0-7.tmp"), "another job's");
    await Bun.write(join(directory, `.out.csv.${JOB_ID}-4-0-0-9.tmp`), "a later attempt's");
    await cluster.clean([path, join(directory, "nowhere", "x.csv")]);
    expect(temporaryFiles()).toEqual([`.out.csv.${JOB_ID}-4-0-0-9.tmp`, ".out.csv.other-1-3-0-7.tmp"]);
    for (const name of temporaryFiles()) rmSync(join(directory, name));
    await cluster.stop();
  });
});

test("a file that a process has prepared, which is gone, is put in its place once, by whoever sees it", () => {
  const of = { jobId: JOB_ID, jobAttempt: 1, run: { task: { fragment: 2, index: 0 }, attempt: 5 } };
  const path = join(directory, "adopted.csv");
  const disk = new TaskDisk(nodeDisk(), of);
  const file = disk.openWrite(disk.temporaryName(path));
  file.append(new TextEncoder().encode("whole"));
  file.close();
  expect(putInPlace(nodeDisk(), of, path)).toBe(false);
  disk.markWhole();
  const later = { ...of, run: { ...of.run, attempt: 6 } };
  expect(putInPlace(nodeDisk(), later, path)).toBe(false);
  expect(existsSync(path)).toBe(false);
  expect(putInPlace(nodeDisk(), of, path)).toBe(true);
  expect(readFileSync(path, "utf8")).toBe("whole");
  // Whoever looks later finds that it was done, whatever is there by then.
  rmSync(path);
  expect(putInPlace(nodeDisk(), of, path)).toBe(true);
  expect(existsSync(path)).toBe(false);
  removeLeftovers(nodeDisk(), { jobId: JOB_ID, upToAttempt: 1 }, path);
  expect(temporaryFiles()).toEqual([]);
});

test("readers that are behind slow their producers, and nobody else", async () => {
  const { plan, userFunctions } = flowOf(new Stream(tableScan("big")).select("id", "word"));
  const cluster = await new TestCluster({ agents: 2, slots: 4, directory, userFunctions }).start();
  let asked = 0;
  cluster.onRows = async () => {
    asked++;
    if (asked < 20) await sleep(10);
  };
  const got = await cluster.run(physicalOf(plan, { parallelism: 2 }));
  expect(got[0]?.length).toBe(8_000);
  expect((await cluster.release()).bytes).toBe(0);
  await cluster.stop();
});

test.each([
  ["the process", { memoryBytes: 2 << 20 }],
  ["the job's slots", { jobMemoryBytes: 2 << 20 }],
])("partitions that do not fit into the memory of %s go to disk, and come back", async (_, limits) => {
  const { plan, userFunctions } = flowOf(new Stream(tableScan("big")).orderBy("word", "id"));
  const cluster = await new TestCluster({ agents: 1, slots: 1, directory, userFunctions, ...limits }).start();
  const physical = physicalOf(plan, { parallelism: 2, gatherRowsMax: 0 });
  const got = await cluster.run(physical);
  expect(cluster.state, JSON.stringify(cluster.history)).toBe("finished");
  const spilled = cluster.reports.reduce((most, { metrics }) => Math.max(most, metrics?.spilledBytes ?? 0), 0);
  expect(spilled).toBeGreaterThan(0);
  expect(got.map(texts)).toEqual((await runWhole(plan, userFunctions)).map(texts));
  expect((await cluster.release()).bytes).toBe(0);
  await cluster.stop();
});

describe("what is lost runs again", () => {
  test("when an agent is gone with what its tasks gave", async () => {
    const gated = gate("gated", 600, 600 / 16 + 3);
    const s = new Stream(tableScan("gated"));
    const { plan, userFunctions } = flowOf(
      s
        .groupBy("key")
        .aggregate({ n: count(), total: sum("id") })
        .orderBy("key"),
    );
    const options = { parallelism: 3, broadcastRowsMax: 0, gatherRowsMax: 0, slots: 4 };
    const cluster = await new TestCluster({ agents: 3, slots: 2, directory, userFunctions }).start();
    const physical = physicalOf(plan, options);
    let isLost = false;
    const run = cluster.run(physical);
    await until(() => cluster.reports.some(({ status }) => status === "finished"));
    const victim = cluster.agents[1] as TestAgent;
    isLost = true;
    await cluster.lose(victim);
    gated.open();
    const got = await run;
    expect(isLost).toBe(true);
    expect(cluster.state, JSON.stringify(cluster.history)).toBe("finished");
    expect(got.map(texts)).toEqual((await runWhole(plan, userFunctions)).map(texts));
    expect((await cluster.release()).bytes).toBe(0);
    await cluster.stop();
  });

  test("when a reader finds that it is not there", async () => {
    const { plan, userFunctions } = flowOf(t().groupBy("key").aggregate({ n: count() }));
    const cluster = await new TestCluster({ agents: 1, slots: 1, directory, userFunctions }).start();
    const physical = physicalOf(plan, { parallelism: 2, gatherRowsMax: 0 });
    await cluster.assign(physical);
    const reader = physical.fragments.find(({ inputs }) => inputs.length > 0);
    const exchange = reader?.inputs[0] as number;
    const { calls, peer } = cluster.agents[0] as TestAgent;
    const input = { exchange, producer: { fragment: 0, index: 1 }, attempt: 5, peer };
    const order: TaskOrder = {
      task: { fragment: reader?.id as number, index: 0 },
      attempt: 1,
      slot: 0,
      inputs: [input],
    };
    await calls.call(executorRun, { jobId: JOB_ID, memoryBytes: 1 << 28, tasks: [order] });
    await until(() => cluster.reports.some(({ status }) => status === "failed"));
    const failed = cluster.reports.find(({ status }) => status === "failed");
    expect(failed).toMatchObject({ isFinal: false, lost: { task: { fragment: 0, index: 1 }, attempt: 5 } });
    expect((await cluster.release()).bytes).toBe(0);
    await cluster.stop();
  });
});

describe("failures say whose they are", () => {
  test("of the job itself they are final", async () => {
    const { plan, userFunctions } = flowOf(
      t().select(
        col("id")
          .mul(10 ** 18)
          .alias("much"),
      ),
    );
    const cluster = await new TestCluster({ agents: 1, slots: 2, directory, userFunctions }).start();
    await cluster.run(physicalOf(plan, { parallelism: 2 }));
    expect(cluster.state).toBe("failed");
    const failed = cluster.reports.filter(({ status }) => status === "failed");
    expect(failed.length).toBeGreaterThan(0);
    expect(failed.every(({ isFinal }) => isFinal)).toBe(true);
    expect((await cluster.release()).bytes).toBe(0);
    await cluster.stop();
  });

  test.each([
    ["the process", { memoryBytes: 1 << 18 }],
    ["the job's slots", { jobMemoryBytes: 1 << 18 }],
  ])("of the memory of %s they are not", async (_, limits) => {
    const { plan, userFunctions } = flowOf(new Stream(tableScan("big")).orderBy("word"));
    const settings = { taskRetriesMax: 1, restartsMax: 0 };
    const cluster = await new TestCluster({
      agents: 1,
      slots: 1,
      directory,
      userFunctions,
      ...limits,
      settings,
    }).start();
    await cluster.run(physicalOf(plan, { parallelism: 1 }));
    expect(cluster.state).toBe("failed");
    const failed = cluster.reports.filter(({ status }) => status === "failed");
    expect(failed.map(({ isFinal }) => isFinal)).toEqual([false, false]);
    expect(failed[0]?.reason).toMatch(/not enough memory: .* of the 263 kB that the job may use/);
    expect((await cluster.release()).bytes).toBe(0);
    expect(cluster.agents[0]?.engine.arena.limitBytes).toBe("memoryBytes" in limits ? 1 << 18 : 1 << 28);
    await cluster.stop();
  });
});

test("a dataflow is compiled to tasks, with its facts", async () => {
  const logical = { name: "flow", roots: [t().groupBy("key").aggregate({ n: count() }).node] };
  const cluster = await new TestCluster({ agents: 1, slots: 2, directory }).start();
  const { text, plan, outline } = await cluster.compile(encodeLogicalPlan(logical), { slots: 4, parallelism: 2 });
  expect(text).toContain("aggregate");
  expect(plan.length).toBeGreaterThan(100);
  expect(outline.length).toBeGreaterThan(50);
  const wrong = { name: "flow", roots: [t().select("no_such").node] };
  await expect(cluster.compile(encodeLogicalPlan(wrong), { slots: 1, parallelism: null })).rejects.toThrow(/no_such/);
  await expect(cluster.compile(new Uint8Array(10), { slots: 1, parallelism: null })).rejects.toMatchObject({
    code: "encoding",
  });
  await cluster.stop();
});
