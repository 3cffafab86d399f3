import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { BlobHash } from "../../src/kernel/mod.ts";
import { JOB, jobOrder, ScriptedAgent, taskOrder } from "./support/scripted.ts";

const never = new AbortController().signal;
const BUNDLE = "b".repeat(64) as BlobHash;

function release(world: ScriptedAgent, options: { readonly upToAttempt?: number; readonly sinkPaths?: string[] } = {}) {
  const { upToAttempt = 1, sinkPaths = [] } = options;
  world.agent.release({ term: 1, jobId: JOB, upToAttempt, keepResults: false, sinkPaths });
}

describe("orders", () => {
  test("a task takes its slot until it ends, and its reports reach the JobManager", async () => {
    await using world = new ScriptedAgent();
    world.agent.deploy({ term: 1, job: jobOrder(), tasks: [taskOrder(0), taskOrder(1)] });
    expect(world.agent.slotsUsed).toBe(2);
    await world.settle();
    const [executor] = world.executors;
    expect(executor?.orders.map(({ task }) => task.index)).toEqual([0, 1]);
    await executor?.report(taskOrder(0), { status: "running" });
    await executor?.report(taskOrder(0), { status: "finished", outputBytes: 5 });
    await world.settle();
    expect(world.agent.slotsUsed).toBe(1);
    expect(world.taskReports.at(-1)).toMatchObject({ status: "finished", outputBytes: 5, jobAttempt: 1 });
  });

  test("the same order twice is as good as once; an older attempt changes nothing", async () => {
    await using world = new ScriptedAgent();
    const order = { term: 1, job: jobOrder(), tasks: [taskOrder(0, 2)] };
    world.agent.deploy(order);
    world.agent.deploy(order);
    world.agent.deploy({ term: 1, job: jobOrder(), tasks: [taskOrder(0, 1)] });
    await world.settle();
    expect(world.executors[0]?.orders).toEqual([taskOrder(0, 2)]);
    world.agent.deploy({ term: 1, job: jobOrder({ jobAttempt: 2 }), tasks: [] });
    world.agent.deploy({ term: 1, job: jobOrder({ jobAttempt: 1 }), tasks: [taskOrder(1, 3)] });
    await world.settle();
    expect(world.executors[0]?.orders).toHaveLength(1);
  });

  test("an order of an older term is refused", async () => {
    await using world = new ScriptedAgent();
    world.agent.inventory({ term: 3 });
    const stale = { term: 2, job: jobOrder(), tasks: [] };
    expect(() => world.agent.deploy(stale)).toThrow("the JobManager of term 3 has taken over");
    expect(() => world.agent.inventory({ term: 2 })).toThrow("An order of term 2 is refused");
  });

  test("a slot that is taken or does not exist is refused with a report", async () => {
    await using world = new ScriptedAgent();
    world.agent.deploy({
      term: 1,
      job: jobOrder(),
      tasks: [taskOrder(0, 1, 0), taskOrder(1, 1, 0), taskOrder(2, 1, 9)],
    });
    await world.settle();
    const refused = world.taskReports.filter(({ status }) => status === "ended");
    expect(refused.map(({ reason }) => reason)).toEqual([
      expect.stringContaining("slot 0 at"),
      expect.stringContaining("slot 9 does not exist"),
    ]);
    expect(world.executors[0]?.orders).toHaveLength(1);
  });

  test("a newer run of a task takes the place of the older one", async () => {
    await using world = new ScriptedAgent();
    world.agent.deploy({ term: 1, job: jobOrder(), tasks: [taskOrder(0, 1)] });
    await world.settle();
    world.agent.deploy({ term: 1, job: jobOrder(), tasks: [taskOrder(0, 2)] });
    await world.settle();
    const [executor] = world.executors;
    expect(executor?.cancelled).toEqual([{ task: { fragment: 0, index: 0 }, attempt: 1 }]);
    await executor?.report(taskOrder(0, 1), { status: "failed", reason: "late" });
    expect(world.agent.slotsUsed).toBe(1);
    expect(world.agent.inventory({ term: 1 }).reports).toMatchObject([{ attempt: 2, status: "running", slot: 0 }]);
  });

  test("what is cancelled before it was handed over ends at once", async () => {
    await using world = new ScriptedAgent();
    world.spawned = () => undefined;
    world.agent.deploy({ term: 1, job: jobOrder(), tasks: [taskOrder(0)] });
    world.agent.cancel({ term: 1, jobId: JOB, runs: [{ task: { fragment: 0, index: 0 }, attempt: 1 }] });
    await world.settle();
    expect(world.taskReports.at(-1)).toMatchObject({ status: "ended" });
    expect(world.agent.slotsUsed).toBe(0);
    expect(() => world.agent.cancel({ term: 1, jobId: "f".repeat(32), runs: [] })).toThrow("Nothing of job");
  });

  test("what an executor has prepared that is gone is committed by another one, where that sees it", async () => {
    await using world = new ScriptedAgent();
    world.agent.deploy({ term: 1, job: jobOrder(), tasks: [taskOrder(0)] });
    await world.settle();
    await world.executors[0]?.report(taskOrder(0), { status: "finished" });
    const { task, attempt } = taskOrder(0);
    const order = { term: 1, jobId: JOB, jobAttempt: 1, run: { task, attempt }, sinkPath: "/out.csv" };
    world.agent.commit(order);
    await world.settle();
    expect(world.executors[0]?.committed).toHaveLength(1);
    world.executors[0]?.kill();
    await world.settle();
    world.spawned = (executor) => {
      executor.hasFile = false;
      setImmediate(() => void executor.becomeReady());
    };
    world.agent.commit(order);
    await world.pass(500);
    const seekers = () => world.executors.slice(1).flatMap(({ adopted }) => adopted);
    expect(seekers()).toEqual([{ task, attempt }]);
    expect(world.taskReports.filter(({ status }) => status === "committed")).toEqual([]);
    for (const executor of world.executors) executor.hasFile = true;
    world.agent.commit(order);
    await world.pass(500);
    expect(world.taskReports.at(-1)).toMatchObject({ status: "committed", jobId: JOB, task, attempt });
    // Of a job that nothing is known of here as well, unless it is over.
    const other = "f".repeat(32);
    world.agent.commit({ ...order, jobId: other });
    await world.pass(500);
    expect(world.taskReports.at(-1)).toMatchObject({ status: "committed", jobId: other });
    release(world);
    await world.settle();
    const before = seekers().length;
    world.agent.commit(order);
    await world.pass(500);
    expect(seekers()).toHaveLength(before);
  });

  test("an agent that stops while a run waits for the end of an executor stops", async () => {
    await using world = new ScriptedAgent();
    world.agent.deploy({ term: 1, job: jobOrder(), tasks: [taskOrder(0)] });
    await world.settle();
    world.executors[0]?.session?.close("gone");
    await world.settle();
    world.agent.deploy({ term: 1, job: jobOrder(), tasks: [taskOrder(1)] });
    await world.settle();
    await world.agent.stop();
    await world.settle();
    expect(world.executors).toHaveLength(1);
  });

  test("late orders for a job that was released do nothing", async () => {
    await using world = new ScriptedAgent();
    release(world, { upToAttempt: 2 });
    world.agent.deploy({ term: 1, job: jobOrder({ jobAttempt: 2 }), tasks: [taskOrder(0)] });
    expect(world.agent.slotsUsed).toBe(0);
    await expect(world.agent.executorOf({ jobId: JOB, jobAttempt: 2 }, never)).rejects.toThrow("is over here");
  });
});

describe("executors", () => {
  test("one stands by soon after the start, and a new one after it was used", async () => {
    await using world = new ScriptedAgent();
    await world.pass(1_100);
    expect(world.executors).toHaveLength(1);
    world.agent.deploy({ term: 1, job: jobOrder(), tasks: [taskOrder(0)] });
    await world.settle();
    expect(world.executors).toHaveLength(1);
    expect(world.executors[0]?.orders).toHaveLength(1);
    await world.pass(400);
    expect(world.executors).toHaveLength(2);
  });

  test("one without code of the job serves the next job too; one with code ends", async () => {
    await using world = new ScriptedAgent({ settings: { sparesMin: 0 } });
    world.agent.deploy({ term: 1, job: jobOrder(), tasks: [taskOrder(0)] });
    await world.settle();
    release(world);
    await world.settle();
    const other = "1".repeat(32);
    world.agent.deploy({ term: 1, job: jobOrder({ jobId: other, bundle: BUNDLE }), tasks: [taskOrder(0)] });
    await world.settle();
    expect(world.executors).toHaveLength(1);
    expect(world.executors[0]?.assigned.map(({ jobId }) => jobId)).toEqual([JOB, other]);
    expect(existsSync(world.executors[0]?.assigned[1]?.bundlePath ?? "")).toBe(true);
    world.agent.release({ term: 1, jobId: other, upToAttempt: 1, keepResults: false, sinkPaths: ["/out"] });
    await world.settle();
    expect(world.executors[0]).toMatchObject({ hasEnded: true, cleaned: ["/out"] });
    expect(readdirSync(join(world.directory, "work/bundles"))).toEqual([]);
    // Besides the thread.
    await expect.poll(() => readdirSync(join(world.directory, "work/executors"))).toEqual([]);
  });

  test("a job that comes while another lets go of its executor waits for that one", async () => {
    await using world = new ScriptedAgent({ settings: { sparesMin: 0 } });
    world.agent.deploy({ term: 1, job: jobOrder(), tasks: [taskOrder(0)] });
    await world.settle();
    release(world);
    const other = "1".repeat(32);
    world.agent.deploy({ term: 1, job: jobOrder({ jobId: other }), tasks: [taskOrder(0)] });
    await world.settle();
    expect(world.executors).toHaveLength(1);
    expect(world.executors[0]?.assigned.map(({ jobId }) => jobId)).toEqual([JOB, other]);
  });

  test("a job that waits for one that has to end gets a new one", async () => {
    await using world = new ScriptedAgent({ settings: { sparesMin: 0 } });
    world.agent.deploy({ term: 1, job: jobOrder(), tasks: [taskOrder(0)] });
    await world.settle();
    for (const executor of world.executors) executor.isReusable = false;
    release(world);
    const other = "1".repeat(32);
    world.agent.deploy({ term: 1, job: jobOrder({ jobId: other }), tasks: [taskOrder(0)] });
    await world.settle();
    expect(world.executors).toHaveLength(2);
    expect(world.executors[1]?.assigned.map(({ jobId }) => jobId)).toEqual([other]);
  });

  test("the end of one is told with its reason, its slots are free, and new orders go to another", async () => {
    await using world = new ScriptedAgent();
    world.agent.deploy({ term: 1, job: jobOrder(), tasks: [taskOrder(0, 4), taskOrder(1, 5)] });
    await world.settle();
    await world.executors[0]?.report(taskOrder(0, 4), { status: "finished" });
    world.executors[0]?.exit({ signal: "SIGKILL" });
    await world.settle();
    expect(world.lost).toMatchObject([{ jobId: JOB, jobAttempt: 1, upToAttempt: 5 }]);
    expect(world.lost[0]?.reason).toContain("ended by signal SIGKILL");
    expect(world.agent.slotsUsed).toBe(0);
    expect(world.agent.inventory({ term: 1 }).reports).toEqual([]);
    world.agent.deploy({ term: 1, job: jobOrder(), tasks: [taskOrder(1, 6)] });
    await world.settle();
    expect(world.executors.at(-1)?.orders).toEqual([taskOrder(1, 6)]);
  });

  test("one that ends by itself fails what ran in it, with what it said last", async () => {
    await using world = new ScriptedAgent();
    world.agent.deploy({ term: 1, job: jobOrder(), tasks: [taskOrder(0)] });
    await world.settle();
    world.executors[0]?.prints("err", "TypeError: no such thing\n");
    world.executors[0]?.exit({ code: 1 });
    await world.settle();
    const [report] = world.taskReports.filter(({ status }) => status === "failed");
    expect(report?.reason).toBe(
      "the executor ended by itself with exit code 1; it said last: TypeError: no such thing",
    );
  });

  test("one over its memory is ended, with limit and use", async () => {
    await using world = new ScriptedAgent();
    world.agent.deploy({ term: 1, job: jobOrder(), tasks: [taskOrder(0)] });
    await world.settle();
    const [executor] = world.executors;
    expect(executor?.limitBytes).toBe((512 << 20) + (256 << 20) + (64 << 20));
    if (executor !== undefined) executor.residentBytes = 900 << 20;
    await world.pass(500);
    const [report] = world.taskReports.filter(({ status }) => status === "failed");
    expect(report?.reason).toContain("it took 900 MiB of memory, its limit is 832 MiB");
  });

  test("one that kept more than a slot's share serves no other job", async () => {
    await using world = new ScriptedAgent();
    world.agent.deploy({ term: 1, job: jobOrder(), tasks: [taskOrder(0)] });
    await world.settle();
    const [executor] = world.executors;
    if (executor !== undefined) executor.residentBytes = 800 << 20;
    world.agent.release({ term: 1, jobId: JOB, upToAttempt: 1, keepResults: false, sinkPaths: [] });
    await world.settle();
    expect(executor?.hasEnded).toBe(true);
  });

  test("one that does not answer for 10 s is ended; time that this process slept does not count", async () => {
    await using world = new ScriptedAgent();
    world.agent.deploy({ term: 1, job: jobOrder(), tasks: [taskOrder(0)] });
    await world.settle();
    const [executor] = world.executors;
    if (executor !== undefined) executor.isAnswering = false;
    await world.pass(3_000);
    world.clock.advance(60_000);
    await world.settle();
    expect(executor?.hasEnded).toBe(false);
    await world.pass(12_000);
    expect(executor?.hasEnded).toBe(true);
    expect(world.taskReports.at(-1)?.reason).toContain("has not answered for 10000 ms");
  });

  test("starts that fail are tried again later and later, then not at all for a while; tasks are told why", async () => {
    await using world = new ScriptedAgent({ settings: { sparesMin: 0 } });
    world.spawned = (executor) => executor.exit({ startError: "no such file" });
    world.agent.deploy({ term: 1, job: jobOrder(), tasks: [taskOrder(0)] });
    await world.settle();
    expect(world.executors).toHaveLength(1);
    expect(world.taskReports).toEqual([]);
    await world.pass(4_000);
    expect(world.executors).toHaveLength(5);
    expect(world.taskReports).toMatchObject([{ status: "ended" }]);
    expect(world.taskReports[0]?.reason).toContain("could not be started: no such file. It tries again in");
    expect(world.agent.slotsUsed).toBe(0);
    expect(world.reports.at(-1)?.restMs).toBeGreaterThan(0);
    world.spawned = (executor) => void setImmediate(() => void executor.becomeReady());
    await world.pass(11_000);
    world.agent.deploy({ term: 1, job: jobOrder(), tasks: [taskOrder(0, 2)] });
    await world.settle();
    expect(world.executors.at(-1)?.orders).toEqual([taskOrder(0, 2)]);
  });

  test("endExecutor has what ran reported as lost", async () => {
    await using world = new ScriptedAgent();
    world.agent.deploy({ term: 1, job: jobOrder(), tasks: [taskOrder(0)] });
    await world.settle();
    world.agent.endExecutor({ term: 1, jobId: JOB, reason: "task 0.0 did not end" });
    await world.settle();
    expect(world.lost).toMatchObject([{ upToAttempt: 1, reason: "the executor was ended: task 0.0 did not end" }]);
  });

  test("plans are compiled in a spare one, which may then take a job", async () => {
    await using world = new ScriptedAgent();
    const plan = Uint8Array.of(1, 2);
    const compiled = await world.agent.compile({ term: 1, jobId: JOB, plan, slots: 1, parallelism: null }, never);
    expect(compiled.text).toBe("a plan");
    world.agent.deploy({ term: 1, job: jobOrder(), tasks: [taskOrder(0)] });
    await world.settle();
    expect(world.executors).toHaveLength(1);
  });

  test("who asks for a job's executor waits until there is one", async () => {
    await using world = new ScriptedAgent();
    const asked = world.agent.executorOf({ jobId: JOB, jobAttempt: 1 }, never);
    world.agent.deploy({ term: 1, job: jobOrder(), tasks: [taskOrder(0)] });
    expect((await asked).peer).toBe(world.executors[0]?.peer);
  });
});

describe("reports", () => {
  test("are repeated until they are answered, and at once to another JobManager", async () => {
    await using world = new ScriptedAgent();
    world.answer = () => Promise.reject(new Error("no leader"));
    world.agent.deploy({ term: 1, job: jobOrder(), tasks: [taskOrder(0)] });
    await world.settle();
    await world.executors[0]?.report(taskOrder(0), { status: "finished" });
    await world.settle();
    const before = world.reports.length;
    await world.pass(1_000);
    expect(world.reports.length).toBeGreaterThan(before + 1);
    world.answer = () => new Promise(() => undefined);
    await world.pass(2_500);
    world.answer = () => Promise.resolve();
    const count = world.reports.length;
    world.agent.leaderChanged();
    await world.settle();
    expect(world.reports).toHaveLength(count + 1);
    expect(world.reports.at(-1)?.reports).toMatchObject([{ status: "finished" }]);
    await world.pass(5_000);
    expect(world.reports).toHaveLength(count + 1);
  });
});

describe("rows for clients", () => {
  test("are read while they come, also from the middle and from the file they went to", async () => {
    await using world = new ScriptedAgent();
    const job = { ...jobOrder(), resultBytesMax: 8 << 20 };
    world.agent.deploy({ term: 1, job, tasks: [taskOrder(0)] });
    await world.settle();
    const key = { jobId: JOB, jobAttempt: 1, run: { task: { fragment: 0, index: 0 }, attempt: 1 } };
    const read = async (fromRow: number) => {
      const found: [number, number][] = [];
      for await (const item of world.agent.rows({ ...key, fromRow }, never)) {
        expect(item.bytes.every((byte) => byte === item.fromRow + 1)).toBe(true);
        found.push([item.fromRow, item.bytes.length]);
      }
      return found;
    };
    const early = read(0);
    for (let row = 0; row < 5; row++) {
      await world.executors[0]?.rows(taskOrder(0), row, new Uint8Array(400_000).fill(row + 1));
    }
    expect(readdirSync(join(world.directory, "work/results"))).toHaveLength(1);
    await world.executors[0]?.report(taskOrder(0), { status: "finished" });
    const all = [0, 1, 2, 3, 4].map((row) => [row, 400_000]);
    expect(await early).toEqual(all);
    expect(await read(3)).toEqual(all.slice(3));
    release(world);
    await expect(read(0)).rejects.toThrow("No rows of this run");
    expect(readdirSync(join(world.directory, "work/results"))).toEqual([]);
  });

  test("outlive their executor once they are whole, and are in the inventory", async () => {
    await using world = new ScriptedAgent();
    const tasks = [taskOrder(0), taskOrder(1), taskOrder(2)];
    world.agent.deploy({ term: 1, job: jobOrder(), tasks });
    await world.settle();
    const [executor] = world.executors;
    await executor?.rows(taskOrder(0), 0, new Uint8Array(3).fill(7));
    await executor?.rows(taskOrder(1), 0, new Uint8Array(3).fill(8));
    await executor?.report(taskOrder(0), { status: "finished" });
    await executor?.report(taskOrder(2), { status: "finished" });
    executor?.exit({ signal: "SIGKILL" });
    await world.settle();
    const run = { task: { fragment: 0, index: 0 }, attempt: 1 };
    const read = async (index: number) => {
      const request = { jobId: JOB, jobAttempt: 1, run: { ...run, task: { fragment: 0, index } }, fromRow: 0 };
      return await Array.fromAsync(world.agent.rows(request, never));
    };
    const expectKept = async () => {
      expect((await read(0)).map(({ bytes }) => [...bytes])).toEqual([[7, 7, 7]]);
      const { reports, results } = world.agent.inventory({ term: 1 });
      expect(reports).toMatchObject([{ ...run, status: "finished" }]);
      expect(results).toEqual([{ jobId: JOB, jobAttempt: 1, runs: [run] }]);
    };
    await expectKept();
    await expect(read(1)).rejects.toThrow("No rows of this run");
    await expect(read(2)).rejects.toThrow("No rows of this run");
    world.agent.endExecutor({ term: 1, jobId: JOB, reason: "it did not end" });
    await expectKept();
    world.agent.deploy({ term: 1, job: jobOrder(), tasks: [taskOrder(1, 2)] });
    await world.settle();
    world.agent.cancel({ term: 1, jobId: JOB, runs: [run] });
    await world.settle();
    expect(world.executors.at(-1)?.cancelled).toEqual([]);
    await expect(read(0)).rejects.toThrow("No rows of this run");
  });

  test("are refused above the job's limit, with what to do", async () => {
    await using world = new ScriptedAgent();
    world.agent.deploy({ term: 1, job: jobOrder(), tasks: [taskOrder(0)] });
    await world.settle();
    const [executor] = world.executors;
    await expect(executor?.rows(taskOrder(0), 0, new Uint8Array(1_100_000))).rejects.toThrow(
      "more than 1 MiB of rows to the client, which is the job's limit. Write them to a sink, or raise the limit",
    );
  });
});

test("nothing is left after the end, nor of a life before", async () => {
  const world = new ScriptedAgent();
  world.agent.deploy({ term: 1, job: jobOrder({ bundle: BUNDLE }), tasks: [taskOrder(0)] });
  await world.settle();
  expect(existsSync(join(world.directory, "work"))).toBe(true);
  await world.agent.stop();
  expect(world.executors.every(({ hasEnded }) => hasEnded)).toBe(true);
  expect(existsSync(join(world.directory, "work"))).toBe(false);
  await world[Symbol.asyncDispose]();
});
