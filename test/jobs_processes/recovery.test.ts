import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Cluster, JobTask } from "../../src/client/mod.ts";
import { HeldCluster } from "./support/held_cluster.ts";
import { resultOf, submit } from "./support/jobs_cluster.ts";

const LIMIT_MS = 300_000;
const ROWS = 400_000;
/** The fragment that sums up what the others have counted; all that it reads comes over a blocking exchange. */
const AGGREGATE = 1;
const nameOf = ({ fragment, index }: JobTask) => `${fragment}.${index}`;

describe("where an executor is lost", { timeout: LIMIT_MS }, () => {
  let held: HeldCluster;
  let client: Cluster;
  beforeAll(async () => {
    held = await HeldCluster.found({ slots: 2 });
    client = await held.cluster.client(held.cluster.newOutput());
  }, LIMIT_MS);
  afterAll(async () => {
    expect(await held.end()).toEqual([]);
  }, LIMIT_MS);

  test("what tasks of other nodes have given is kept, and only what was lost is run again", async () => {
    const options = { params: { rows: ROWS }, parallelism: 4, strategy: "roundRobin", restartsMax: 0 } as const;
    const undisturbed = await resultOf(await submit(client, "shuffle", options), [0]);
    held.holdAt("in the last second");
    const job = await submit(client, "shuffle", options);
    const result = resultOf(job, [0]);
    const { pid, node } = await held.waiting(job);
    const before = (await job.status()).tasks;
    // The one that is hit holds what others have yet to read; the roots wait at their end.
    process.kill(pid, "SIGKILL");
    held.letGo();
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
