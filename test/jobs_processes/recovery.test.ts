import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Cluster } from "../../src/client/mod.ts";
import type { JobTask } from "../../src/protocol/mod.ts";
import { JobsCluster, resultOf, submit } from "./support/jobs_cluster.ts";
import { Hold } from "./support/phases.ts";

const LIMIT_MS = 300_000;
const ROWS = 400_000;
/** The fragment that sums up what the others have counted; all that it reads comes over a blocking exchange. */
const AGGREGATE = 1;
const preload = fileURLToPath(new URL("./support/hold.ts", import.meta.url));
const nameOf = ({ fragment, index }: JobTask) => `${fragment}.${index}`;

describe("where an executor is lost", { timeout: LIMIT_MS }, () => {
  let cluster: JobsCluster;
  let client: Cluster;
  const hold = new Hold(mkdtempSync(join(tmpdir(), "sage-hold-")));
  beforeAll(async () => {
    const env = { BUN_OPTIONS: `--preload ${preload}`, SAGE_TEST_HOLD: hold.directory };
    cluster = await JobsCluster.found({ nodes: 3, slots: 2, env });
    client = await cluster.client(cluster.newOutput());
  }, LIMIT_MS);
  afterAll(async () => {
    hold.release();
    rmSync(hold.directory, { recursive: true });
    expect(await cluster.end()).toEqual([]);
  }, LIMIT_MS);

  test("what tasks of other nodes have given is kept, and only what was lost is run again", async () => {
    const options = { params: { rows: ROWS }, parallelism: 4, strategy: "roundRobin", restartsMax: 0 } as const;
    const undisturbed = await resultOf(await submit(client, "shuffle", options), [0]);
    hold.at("in the last second");
    const job = await submit(client, "shuffle", options);
    const result = resultOf(job, [0]);
    const reached = await hold.reached(job, null);
    const before = (await job.status()).tasks;
    // The one that is hit holds what others have yet to read; the roots wait at their end.
    const [pid] = reached?.pids ?? [];
    const node = cluster.nodes.find((each) => cluster.executorsOf(each).some((found) => found.pid === pid));
    if (pid === undefined || node === undefined) throw new Error(`nobody was held: ${reached?.text}`);
    process.kill(pid, "SIGKILL");
    hold.release();
    expect(await result).toEqual(undisturbed);
    const { tasks, attempt } = await job.status();
    expect(attempt).toBe(1);
    // What the aggregate gives is in no certain order: who has read of a task of it that runs again starts anew as well.
    const kept = before.filter(({ status, node: at, fragment }) => {
      return status === "finished" && at !== node.name && fragment <= AGGREGATE;
    });
    expect(kept.length).toBeGreaterThan(0);
    const runs = new Map(tasks.map((task) => [nameOf(task), task.attempt]));
    for (const task of kept) expect([nameOf(task), runs.get(nameOf(task))]).toEqual([nameOf(task), 1]);
    const again = tasks.filter((task) => task.attempt > 1);
    expect(again.length).toBeGreaterThan(0);
    expect(again.length).toBeLessThan(tasks.length);
    await job.delete();
  });
});
