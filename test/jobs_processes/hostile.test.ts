import { readdirSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Cluster, JobFailedError } from "../../src/client/mod.ts";
import { pause } from "../cluster_processes/harness.ts";
import { JobsCluster, resultOf, submit } from "./support/jobs_cluster.ts";
import { processesOf } from "./support/leftovers.ts";

const LIMIT_MS = 300_000;
const LOG_BYTES_MAX = 20 << 20;

describe("code of a job cannot take its node down", { timeout: LIMIT_MS }, () => {
  let cluster: JobsCluster;
  let client: Cluster;
  let output: string;
  beforeAll(async () => {
    cluster = await JobsCluster.found({ nodes: 1, slots: 2, memory: "256MiB" });
    output = cluster.newOutput();
    client = await cluster.client(output);
  }, LIMIT_MS);
  afterAll(async () => {
    expect(await cluster.end()).toEqual([]);
  }, LIMIT_MS);

  /** A job of somebody else, meanwhile on the same node. */
  async function neighbour(): Promise<void> {
    const job = await submit(client, "great_circle", { parallelism: 1 });
    expect((await resultOf(job, [0])).rows[0]).toMatch(/^10 rows /);
    await job.delete();
  }

  const ENDINGS = [
    ["memory", /memory|its limit is/i],
    ["exit", /ended|exit/],
    ["kill itself", /ended by signal SIGKILL.*while it ran task 0\.0, 4 times/],
    ["throw text", /only a text/],
    ["throw undefined", /undefined/],
  ] as const;

  /** What comes after the function has given its row. */
  const LATE = [
    ["reject", /nobody catches this/],
    ["throw later", /thrown later/],
  ] as const;

  for (const [habit, reason] of ENDINGS) {
    test(`${habit}: the job fails with one reason, the node and its other jobs go on`, async () => {
      const { pid } = cluster.nodes[0] ?? { pid: 0 };
      const options = { params: { habit }, parallelism: 1, taskRetriesMax: 0, restartsMax: 0 };
      const job = await submit(client, "hostile", options);
      const [ending] = await Promise.all([resultOf(job, [0]).catch((error: unknown) => error), neighbour()]);
      expect(ending).toBeInstanceOf(JobFailedError);
      expect((ending as JobFailedError).message).toMatch(reason);
      expect((ending as JobFailedError).message).not.toMatch(/\n\s+at /);
      const status = await job.status();
      expect(status.state).toBe("failed");
      // What is the job's own fault is not tried as often as what is not.
      expect(status.reason).not.toMatch(/was lost/);
      await job.delete();
      expect(await cluster.leftovers(output)).toEqual([]);
      expect(cluster.nodes[0]?.pid).toBe(pid);
    });
  }

  for (const [habit, reason] of LATE) {
    test(`${habit}: the job has finished before, or fails with that reason`, async () => {
      const job = await submit(client, "hostile", {
        params: { habit },
        parallelism: 1,
        taskRetriesMax: 0,
        restartsMax: 0,
      });
      const [ending] = await Promise.all([resultOf(job, [0]).catch((error: unknown) => error), neighbour()]);
      if (ending instanceof Error) expect(ending.message).toMatch(reason);
      await job.delete();
      expect(await cluster.leftovers(output)).toEqual([]);
    });
  }

  test("an endless loop ends when the job is cancelled, or when its time is over", async () => {
    const late = await submit(client, "hostile", { params: { habit: "loop" }, parallelism: 1, timeoutMs: 2_000 });
    await expect(resultOf(late, [0])).rejects.toThrow(/timeout of 2000 ms/);
    const job = await submit(client, "hostile", { params: { habit: "loop" }, parallelism: 1 });
    await pause(1_000);
    await neighbour();
    await job.cancel();
    await expect(resultOf(job, [0])).rejects.toThrow(/cancel/);
    for (const each of [late, job]) await each.delete();
    expect(await cluster.leftovers(output)).toEqual([]);
  });

  test("a job that loops while it is loaded in the executor ends when it is cancelled", async () => {
    const job = await submit(client, "loops_when_loaded", { parallelism: 1, timeoutMs: 4_000 });
    await neighbour();
    await expect(resultOf(job, [0])).rejects.toThrow(/timeout of 4000 ms/);
    await job.delete();
    expect(await cluster.leftovers(output)).toEqual([]);
  });

  test("what a job prints is kept to a limit, and what is left out is told", async () => {
    const [node] = cluster.nodes;
    const before = residentBytes(node?.pid ?? 0);
    const job = await submit(client, "hostile", { params: { habit: "flood", lines: 100_000 }, parallelism: 1 });
    await Promise.all([resultOf(job, [0]), neighbour()]);
    let bytes = 0;
    let isCut = false;
    for await (const { text } of job.logs()) {
      bytes += text.length;
      isCut ||= /bytes dropped/.test(text);
    }
    expect(isCut).toBe(true);
    expect(bytes).toBeLessThan(LOG_BYTES_MAX);
    expect(residentBytes(node?.pid ?? 0) - before).toBeLessThan(200 << 20);
    await job.delete();
    expect(await cluster.leftovers(output)).toEqual([]);
  });

  test("processes that a job has started end with its executor", async () => {
    const job = await submit(client, "hostile", { params: { habit: "start processes" }, parallelism: 1 });
    await resultOf(job, [0]);
    await job.delete();
    const endMs = Date.now() + 10_000;
    while (sleepers(cluster.directory) > 0 && Date.now() < endMs) await pause(100);
    expect(sleepers(cluster.directory)).toBe(0);
  });
});

function residentBytes(pid: number): number {
  const pages = /^\d+ (\d+)/.exec(readFileSync(`/proc/${pid}/statm`, "latin1"))?.[1];
  return Number(pages) * 4_096;
}

function sleepers(directory: string): number {
  const ours = new Set(processesOf(directory).map(({ pid }) => pid));
  return readdirSync("/proc").filter((name) => {
    try {
      return ours.has(Number(name)) && readFileSync(`/proc/${name}/comm`, "latin1").trim() === "sleep";
    } catch {
      return false;
    }
  }).length;
}
