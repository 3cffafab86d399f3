import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Cluster } from "../../src/client/mod.ts";
import type { NodeProcess } from "../cluster_processes/harness.ts";
import { JobsCluster, submit } from "./support/jobs_cluster.ts";
import { Hold, type Phase } from "./support/phases.ts";

const LIMIT_MS = 300_000;
const preload = fileURLToPath(new URL("./support/hold.ts", import.meta.url));

describe("two sinks of a job that may not be restarted", { timeout: LIMIT_MS }, () => {
  let cluster: JobsCluster;
  let client: Cluster;
  let output: string;
  const hold = new Hold(mkdtempSync(join(tmpdir(), "sage-hold-")));
  beforeAll(async () => {
    const env = { BUN_OPTIONS: `--preload ${preload}`, SAGE_TEST_HOLD: hold.directory };
    cluster = await JobsCluster.found({ nodes: 3, slots: 1, env });
    output = cluster.newOutput();
    client = await cluster.client(output);
  }, LIMIT_MS);
  afterAll(async () => {
    hold.release();
    rmSync(hold.directory, { recursive: true });
    expect(await cluster.end()).toEqual([]);
  }, LIMIT_MS);

  const moments: readonly (readonly [Phase, "executor" | "node"])[] = [
    ["before the commit", "executor"],
    ["before the commit", "node"],
    ["after the commit", "executor"],
    ["after the commit", "node"],
  ];
  test.each(moments)("both stand, where %s the %s of one is lost", async (moment, victim) => {
    hold.at(moment);
    const job = await submit(client, "two_sinks", { parallelism: 1, restartsMax: 0, strategy: "roundRobin" });
    const reached = await hold.reached(job, null);
    const [pid] = reached?.pids ?? [];
    const node = cluster.nodes.find((each) => cluster.executorsOf(each).some((found) => found.pid === pid));
    if (pid === undefined || node === undefined) throw new Error(`nobody was held ${moment}: ${reached?.text}`);
    if (victim === "executor") process.kill(pid, "SIGKILL");
    else await node.kill();
    hold.release();
    const status = await job.wait();
    expect([status.state, status.attempt, status.reason]).toEqual(["finished", 1, ""]);
    expect(linesOf("one.csv")).toBe(15_001);
    expect(linesOf("two.csv")).toBe(20_001);
    if (victim === "node") await restarted(node);
    await job.delete();
    expect(await cluster.leftovers(output)).toEqual([]);
    for (const name of readdirSync(output)) rmSync(join(output, name));
  });

  async function restarted(node: NodeProcess): Promise<void> {
    await node.start().ready(60_000);
  }

  function linesOf(name: string): number {
    return readFileSync(join(output, name), "utf8").trim().split("\n").length;
  }
});
