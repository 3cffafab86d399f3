import { expect, it } from "vitest";
import { type JobProgress, jobFind, jobGet, jobRows, jobShow, jobVerb, jobWatch } from "../../../src/protocol/mod.ts";
import { planOf } from "../../jobs/machine/plans.ts";
import type { Script } from "./scripted_agent.ts";
import { JobsWorld } from "./world.ts";

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const SCRIPT: Script = {
  slots: 2,
  planOf: (logical) =>
    planOf(logical.split(" ")[0] as string, { parallelism: Number(logical.split(" ")[1] ?? 2), slots: 6 }),
  taskMs: 300,
  rowsPerTask: 3,
};

async function world(nodes: number, script: Partial<Script> = {}, seed = 5): Promise<JobsWorld> {
  const made = new JobsWorld({ seed, script: { ...SCRIPT, ...script } });
  await made.cluster.grow(nodes);
  await made.cluster.world.run(2_000);
  return made;
}

it("a job that is submitted anywhere runs, and its rows come task by task", async () => {
  const at = await world(3);
  const { jobId, number } = await at.submit("scan 4");
  expect(number).toBe(1);
  const rows = at.collect(jobRows, { jobId, root: 0, fromTask: 0, fromRow: 0 });
  await at.cluster.settled(rows.done);
  expect(rows.items.map(({ bytes }) => text(bytes))).toEqual(
    [0, 1, 2, 3].flatMap((task) => [0, 1, 2].map((row) => `${task}:${row}`)),
  );
  expect(at.historyOf(jobId)).toEqual(["submitted", "compiling", "scheduling", "running", "finishing", "finished"]);
  expect(at.begun).toHaveLength(4);
});

it("reading goes on in the middle of a task", async () => {
  const at = await world(1);
  const { jobId } = await at.submit("scan 2");
  await at.until(jobId, "finished");
  const rows = at.collect(jobRows, { jobId, root: 0, fromTask: 1, fromRow: 2 });
  await at.cluster.settled(rows.done);
  expect(rows.items.map(({ bytes }) => text(bytes))).toEqual(["1:2"]);
});

it("sinks are committed before a job has finished, and partitions are released after", async () => {
  const at = await world(3);
  const { jobId } = await at.submit("sink 3");
  await at.until(jobId, "finished");
  await at.cluster.world.run(500);
  const holders = at.everyAgent.filter(({ begun }) => begun.length > 0);
  for (const { released } of holders) {
    expect(released).toMatchObject([{ jobId, upToAttempt: 1, keepResults: true, sinkPaths: ["out.csv"] }]);
  }
  for (const { held } of holders) expect([...held.values()].filter(({ status }) => status === "running")).toEqual([]);
});

it("a submission that is sent again is the same job", async () => {
  const at = await world(3);
  const first = await at.submit("scan 2");
  const again = await at.submit("scan 2", {}, first.jobId);
  expect(again).toEqual(first);
  await at.until(first.jobId, "finished");
  expect(await at.submit("scan 2", {}, first.jobId)).toEqual(first);
  expect(at.begun).toHaveLength(2);
  await expect(at.submit("scan 3", {}, first.jobId)).rejects.toThrow("there is one with this id");
});

it.each([50, 200, 350, 500, 650, 800, 950, 1_200])(
  "a job goes on when the JobManager dies after %i ms, and no task that lives runs twice",
  async (afterMs) => {
    const at = await world(5);
    const { jobId } = await at.submit("groups 3");
    const rows = at.collect(jobRows, { jobId, root: 0, fromTask: 0, fromRow: 0 });
    await at.cluster.world.run(afterMs);
    const gone = at.cluster.leader;
    const runsThere = new Set([...(at.agents.get(gone?.name ?? "")?.held.keys() ?? [])].map(withoutAttempt));
    gone?.host.die();
    await at.until(jobId, "finished", 30_000);
    await at.cluster.settled(rows.done);
    expect(rows.items.map(({ task, fromRow }) => [task, fromRow])).toEqual(
      rows.items
        .map(({ task, fromRow }) => [task, fromRow])
        .sort((a, b) => (a[0] as number) - (b[0] as number) || (a[1] as number) - (b[1] as number)),
    );
    expect(new Set(rows.items.map(({ task, fromRow }) => `${task}.${fromRow}`)).size).toBe(rows.items.length);
    const counts = new Map<string, number>();
    for (const name of at.begun) counts.set(withoutAttempt(name), (counts.get(withoutAttempt(name)) ?? 0) + 1);
    for (const [name, count] of counts) if (count > 1) expect(runsThere).toContain(name);
  },
);

it("an agent that answers nothing holds up a new JobManager for three seconds, and its late tasks are called off", async () => {
  const at = await world(5, { taskMs: 8_000 });
  // Connections from before nodes were admitted are gone by then.
  await at.cluster.world.run(30_000);
  const { jobId } = await at.submit("scan 6", {});
  await at.until(jobId, "running");
  const leader = at.cluster.leader;
  const mute = [...at.agents].find(([name, { held }]) => held.size > 0 && name !== leader?.name)?.[1];
  if (mute === undefined) throw new Error("all run at the leader");
  mute.isMute = true;
  leader?.host.die();
  await at.cluster.until(() => at.cluster.leader !== null && at.cluster.leader !== leader, 10_000, "another leads", 10);
  const begunAgain = () =>
    at.begun.filter((name) => old.some((other) => withoutAttempt(other) === withoutAttempt(name)));
  const old = [...mute.held.keys()];
  const before = begunAgain().length;
  const waitedMs = await at.cluster.until(
    () => begunAgain().length > before,
    6_000,
    "what it ran begins elsewhere",
    10,
  );
  expect(waitedMs).toBeLessThan(4_000);
  mute.isMute = false;
  await at.cluster.world.run(2_500);
  expect([...mute.held.keys()].filter((name) => old.includes(name))).toEqual([]);
  await at.until(jobId, "finished");
});

it("what an agent ran goes to others when it dies, within three seconds", async () => {
  const at = await world(4, { taskMs: 2_000 });
  const { jobId } = await at.submit("scan 6");
  await at.until(jobId, "running");
  const victim = [...at.agents].find(([name, agent]) => agent.held.size > 0 && name !== at.cluster.leader?.name);
  const before = at.begun.length;
  at.cluster.get(victim?.[0] ?? "").host.die();
  const lostMs = await at.cluster.until(() => at.begun.length > before, 10_000, "lost tasks run again", 10);
  expect(lostMs).toBeLessThan(3_000);
  await at.until(jobId, "finished");
  expect(at.begun.length - before).toBe(victim?.[1].begun.length);
});

it("an agent that was restarted at once has lost its tasks", async () => {
  const at = await world(4, { taskMs: 2_000 });
  const { jobId } = await at.submit("scan 6");
  await at.until(jobId, "running");
  const [name] = [...at.agents].find(([name, agent]) => agent.held.size > 0 && name !== at.cluster.leader?.name) ?? [
    "",
  ];
  const before = at.begun.length;
  at.cluster.get(name).host.die();
  await at.cluster.world.run(100);
  at.cluster.get(name).restart();
  await at.until(jobId, "finished", 20_000);
  expect(at.begun.length).toBeGreaterThan(before);
});

it("jobs wait for slots in the order of priority, then of age", async () => {
  const at = await world(1);
  const first = await at.submit("scan 2");
  const low = await at.submit("scan 2");
  const high = await at.submit("scan 2", { priority: 5 });
  await at.cluster.world.run(100);
  const shown = await at.call<JobProgress>(jobShow, { jobId: low.jobId, hasTasks: true });
  expect(shown.waiting).toMatch(/behind job 3|slots are free/);
  for (const { jobId } of [first, low, high]) await at.until(jobId, "finished");
  const order = [...new Set(at.begun.map((name) => name.slice(0, 32)))];
  expect(order).toEqual([first.jobId, high.jobId, low.jobId]);
});

it("a job that can never fit fails with the arithmetic", async () => {
  const at = await world(1);
  const { jobId } = await at.submit("scan 2", { taskMemoryBytes: 2 ** 40 });
  await at.until(jobId, "failed");
  expect((await at.call<JobProgress>(jobShow, { jobId, hasTasks: false })).reason).toMatch(
    /1 × a slot of 1 TiB at once, and of 2 slots \(2 × 512 MiB\) 0 are large enough/,
  );
});

it("a job that takes longer than its timeout fails, and nothing runs on", async () => {
  const at = await world(3, { taskMs: 60_000 });
  const { jobId } = await at.submit("scan 2", { timeoutMs: 3_000 });
  await at.until(jobId, "failed", 10_000);
  await at.cluster.world.run(500);
  for (const agent of at.agents.values()) expect(agent.held.size).toBe(0);
  const rows = at.collect(jobRows, { jobId, root: 0, fromTask: 0, fromRow: 0 });
  await expect(at.cluster.settled(rows.done)).rejects.toMatchObject({
    code: "job-failed",
    message: /timeout of 3000 ms/,
  });
});

it("a job whose function throws fails with the reason, once", async () => {
  const at = await world(3, { fails: () => ({ reason: "boom", isFinal: true }) });
  const { jobId } = await at.submit("scan 1");
  await at.until(jobId, "failed");
  const shown = await at.call<JobProgress>(jobShow, { jobId, hasTasks: true });
  expect(shown.lastError?.reason).toBe("task 0.0: boom");
  expect(shown.reason).toBe("task 0.0: boom");
  expect(at.begun).toHaveLength(1);
});

it("a task that fails for the moment runs again, and its earlier rows are not given twice", async () => {
  let failures = 0;
  const at = await world(3, { fails: () => (failures++ < 2 ? { reason: "disk", isFinal: false } : null) });
  const { jobId } = await at.submit("scan 1");
  const rows = at.collect(jobRows, { jobId, root: 0, fromTask: 0, fromRow: 0 });
  await at.cluster.settled(rows.done);
  expect(rows.items.map(({ bytes }) => text(bytes))).toEqual(["0:0", "0:1", "0:2"]);
  expect(at.begun).toHaveLength(3);
});

it("jobs are cancelled, restarted and deleted as asked, and refuse what their state does not allow", async () => {
  const at = await world(3, { taskMs: 1_000 });
  const { jobId } = await at.submit("scan 2");
  await at.until(jobId, "running");
  expect((await at.verb(jobId, "cancel")).state).toBe("cancelling");
  await at.until(jobId, "cancelled");
  await expect(at.verb(jobId, "stop")).rejects.toMatchObject({
    code: "not-possible",
    message: /has ended: it is cancelled/,
  });
  expect((await at.verb(jobId, "restart")).state).toBe("restarting");
  await expect(at.verb(jobId, "delete")).rejects.toMatchObject({ code: "in-use" });
  await at.until(jobId, "finished");
  await at.verb(jobId, "delete");
  await at.cluster.world.run(500);
  expect(at.stateOf(jobId)).toBeUndefined();
  for (const agent of at.agents.values()) expect(agent.held.size).toBe(0);
  await expect(at.verb(jobId, "cancel")).rejects.toMatchObject({ code: "not-found" });
});

it("a verb that is sent again has been done, and one that is asked anew says the job's state", async () => {
  const at = await world(3, { taskMs: 1_000 });
  const { jobId } = await at.submit("scan 2");
  await at.until(jobId, "running");
  const request = { session: "session-of-client", sequence: 1, answeredTo: 0, since: 0 };
  const cancel = (sequence: number) =>
    at.call<{ state: string }>(jobVerb, { jobId, verb: "cancel", request: { ...request, sequence } });
  const { name } = at.follower;
  expect((await cancel(1)).state).toBe("cancelling");
  await at.until(jobId, "cancelled");
  expect((await cancel(1)).state).toBe("cancelled");
  await expect(cancel(2)).rejects.toMatchObject({ code: "not-possible", message: /has ended: it is cancelled/ });
  const audit = at.cluster.leader?.node?.replica.state.audit() ?? [];
  const asked = audit.filter(({ subject }) => subject === `${jobId} running → cancelling`);
  expect(asked).toMatchObject([{ kind: "job.move", name, outcome: "ok" }]);
});

it("of two verbs at once one is done, and the other one is refused", async () => {
  const at = await world(3, { taskMs: 1_000 });
  const { jobId } = await at.submit("scan 2");
  await at.until(jobId, "running");
  const [stopped, cancelled] = await Promise.allSettled([at.verb(jobId, "stop"), at.verb(jobId, "cancel")]);
  const refused = stopped.status === "rejected" ? stopped : cancelled;
  expect(refused).toMatchObject({ status: "rejected", reason: { code: "not-possible" } });
  expect([stopped.status, cancelled.status]).toContain("fulfilled");
});

it("what an ended job counted, how often its tasks ran and its last error are shown by the next JobManager too", async () => {
  let failures = 0;
  const place = { file: "job.ts", line: 3, column: 5, text: "  boom();" };
  const at = await world(5, {
    fails: ({ order }) => (order.task.index === 1 && failures++ < 1 ? { reason: "disk", isFinal: false, place } : null),
  });
  const { jobId } = await at.submit("scan 3");
  await at.until(jobId, "finished");
  const show = () => at.call<JobProgress>(jobShow, { jobId, hasTasks: true });
  const before = await show();
  expect(before.lastError).toEqual({ reason: "task 0.1: disk", place });
  expect(before.stages).toMatchObject([{ rowsIn: 30, rowsOut: 9, bytesOut: 300, elapsedMs: 300, finished: 3 }]);
  const leader = at.cluster.leader;
  leader?.host.die();
  await at.cluster.until(() => at.cluster.leader !== null && at.cluster.leader !== leader, 10_000, "another leads", 10);
  const after = await show();
  expect(after.stages).toEqual(before.stages);
  expect(after.lastError).toEqual(before.lastError);
  expect(after.tasks).toMatchObject([{ fragment: 0, index: 1, failures: 1, losses: 0, reasons: ["disk"] }]);
});

it("the history of a job gives reasons as people read them", async () => {
  const at = await world(3, { fails: () => ({ reason: "boom", isFinal: true }) });
  const { jobId } = await at.submit("scan 1");
  await at.until(jobId, "failed");
  const { job } = await at.call<{ job: { history: { state: string; reason: string }[] } }>(jobGet, {
    jobId,
    consistency: "leader",
  });
  expect(job.history.slice(-2)).toMatchObject([
    { state: "failing", reason: "task 0.0: boom" },
    { state: "failed", reason: "task 0.0: boom" },
  ]);
});

it("a stopped job is continued", async () => {
  const at = await world(3, { taskMs: 1_000 });
  const { jobId } = await at.submit("scan 2");
  await at.until(jobId, "running");
  await at.verb(jobId, "stop");
  await at.until(jobId, "stopped");
  await at.verb(jobId, "continue");
  await at.until(jobId, "finished");
});

it("watching a job shows each state and ends with it, also through another JobManager", async () => {
  const at = await world(5, { taskMs: 1_000 });
  const { jobId } = await at.submit("groups 2");
  const watching = at.collect(jobWatch, { jobId, hasTasks: true });
  await at.cluster.world.run(700);
  at.cluster.leader?.host.die();
  await at.cluster.settled(watching.done);
  const last = watching.items.at(-1) as JobProgress;
  expect(last.state).toBe("finished");
  expect(last.stages.map(({ finished }) => finished)).toEqual(last.stages.map(({ parallelism }) => parallelism));
});

it("rows of a finished job are read also after the JobManager has changed, and after the job forgot them they are lost", async () => {
  const at = await world(5);
  const { jobId } = await at.submit("scan 2");
  await at.until(jobId, "finished");
  const keeper = [...at.agents].find(([, agent]) => agent.held.size > 0)?.[0] ?? "";
  const leader = at.cluster.leader;
  if (leader !== null && leader.name !== keeper) leader.host.die();
  await at.cluster.until(() => at.cluster.leader !== null && at.cluster.leader !== leader, 10_000, "another leads", 10);
  const rows = at.collect(jobRows, { jobId, root: 0, fromTask: 0, fromRow: 0 });
  await at.cluster.settled(rows.done);
  expect(rows.items).toHaveLength(6);
  for (const [name, agent] of at.agents)
    if (agent.held.size > 0 && at.cluster.leader?.name !== name) at.cluster.get(name).host.die();
});

it("jobs are found by number, id, prefix and name", async () => {
  const at = await world(1);
  const one = await at.submit("scan 1", {}, "abcdef00000000000000000000000000");
  const two = await at.submit("scan 1", {}, "abcdef11000000000000000000000000");
  const find = async (text: string) => {
    const { jobs } = await at.call<{ jobs: { number: number }[] }>(jobFind, { text, consistency: "leader" });
    return jobs.map(({ number }) => number);
  };
  expect(await find("1")).toEqual([one.number]);
  expect(await find("abcdef11")).toEqual([two.number]);
  expect(await find("abcdef")).toEqual([two.number, one.number]);
  expect(await find("scan 1")).toEqual([two.number, one.number]);
  expect(await find("nothing")).toEqual([]);
});

function withoutAttempt(name: string): string {
  return name.split("@")[0] as string;
}
