import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Cluster } from "../../src/client/mod.ts";
import type { NodeProcess } from "../cluster_processes/harness.ts";
import { HeldCluster } from "./support/held_cluster.ts";
import { submit } from "./support/jobs_cluster.ts";
import type { Phase } from "./support/phases.ts";

const LIMIT_MS = 300_000;

describe("two sinks of a job that may not be restarted", { timeout: LIMIT_MS }, () => {
  let held: HeldCluster;
  let client: Cluster;
  let output: string;
  beforeAll(async () => {
    held = await HeldCluster.found({ slots: 1 });
    output = held.cluster.newOutput();
    client = await held.cluster.client(output);
  }, LIMIT_MS);
  afterAll(async () => {
    expect(await held.end()).toEqual([]);
  }, LIMIT_MS);

  const moments: readonly (readonly [Phase, "executor" | "node"])[] = [
    ["before the commit", "executor"],
    ["before the commit", "node"],
    ["after the commit", "executor"],
    ["after the commit", "node"],
  ];
  test.each(moments)("both stand, where %s the %s of one is lost", async (moment, victim) => {
    held.holdAt(moment);
    const job = await submit(client, "two_sinks", { parallelism: 1, restartsMax: 0, strategy: "roundRobin" });
    const { pid, node } = await held.waiting(job);
    if (victim === "executor") process.kill(pid, "SIGKILL");
    else await node.kill();
    held.letGo();
    const status = await job.wait();
    expect([status.state, status.attempt, status.reason]).toEqual(["finished", 1, ""]);
    expect(linesOf("one.csv")).toBe(15_001);
    expect(linesOf("two.csv")).toBe(20_001);
    if (victim === "node") await restarted(node);
    await job.delete();
    expect(await held.cluster.leftovers(output)).toEqual([]);
    for (const name of readdirSync(output)) rmSync(join(output, name));
  });

  async function restarted(node: NodeProcess): Promise<void> {
    await node.start().ready(60_000);
  }

  function linesOf(name: string): number {
    return readFileSync(join(output, name), "utf8").trim().split("\n").length;
  }
});
