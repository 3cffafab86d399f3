import { describe, expect, test } from "vitest";
import { type Action, JobMachine } from "../../../src/jobs/mod.ts";
import type { PeerId } from "../../../src/kernel/mod.ts";
import { Random } from "../../differential/random.ts";
import { A, agent, B, Driven, deploysIn, runOn, started } from "./driven.ts";
import { planOf } from "./plans.ts";
import { CALM, nameOf, World } from "./world.ts";

describe("a job that nothing disturbs", () => {
  test("goes through its states and runs every task once", () => {
    const driven = new Driven(planOf("sink", { parallelism: 3 }));
    const { all } = runOn(driven, started(driven, [agent(A, 2), agent(B, 1)]));
    expect(driven.states).toEqual(["submitted", "compiling", "scheduling", "running", "finishing", "finished"]);
    const names = all.map(({ task }) => nameOf(task));
    expect(new Set(names).size).toBe(names.length);
    expect(names.length).toBe(driven.plan.fragments.reduce((sum, { parallelism }) => sum + parallelism, 0));
  });

  test("commits its sinks only when all roots are made", () => {
    const driven = new Driven(planOf("shared", { parallelism: 2 }));
    const { all } = runOn(driven, started(driven, [agent(A, 8)]));
    expect(driven.at.state).toBe("finished");
    expect(all.length).toBeGreaterThan(5);
  });

  test("tells tasks where the rows of their producers lie", () => {
    const driven = new Driven(planOf("sink", { parallelism: 2 }));
    const { all } = runOn(driven, started(driven, [agent(A, 1), agent(B, 1)]));
    const reader = all.find(({ task }) => nameOf(task) === "1.0");
    const producers = all.filter(({ task }) => task.fragment === 0);
    const places = producers.map(({ task, attempt, peer }) => ({ exchange: 0, producer: task, attempt, peer }));
    expect(reader?.inputs).toEqual(places);
  });

  test("waits in scheduling until there are slots", () => {
    const driven = new Driven(planOf("groups", { parallelism: 2 }));
    expect(started(driven, [])).toEqual([]);
    expect(driven.at.state).toBe("scheduling");
    expect(deploysIn(driven.feed({ kind: "agents", agents: [agent(A, 1)] })).length).toBe(1);
  });

  test("starts the tasks of a pipelined region together or not at all", () => {
    const driven = new Driven(planOf("sink", { parallelism: 2, pipelines: true }));
    expect(started(driven, [agent(A, 4)])).toEqual([]);
    expect(deploysIn(driven.feed({ kind: "agents", agents: [agent(A, 4), agent(B, 1)] })).length).toBe(5);
  });
});

describe("losses", () => {
  test("only what was lost, and is still needed, is made again", () => {
    const driven = new Driven(planOf("sink", { parallelism: 2 }));
    const { all } = runOn(driven, started(driven, [agent(A, 1), agent(B, 1)]), ({ fragment }) => fragment === 2);
    const lost = all.filter(({ peer, task }) => peer === B && task.fragment < 2).map(({ task }) => nameOf(task));
    expect(lost.length).toBeGreaterThan(0);
    const sink = all.at(-1) as Extract<Action, { kind: "deploy" }>;
    const actions = driven.feed({ kind: "agentLost", peer: B, reason: "kill -9" });
    for (const action of actions) {
      if (action.kind === "cancelTask")
        actions.push(
          ...driven.report({ ...sink, task: action.task, attempt: action.attempt, peer: action.peer }, "ended"),
        );
    }
    const again = runOn(driven, deploysIn(actions)).all.map(({ task }) => nameOf(task));
    expect(driven.at.state).toBe("finished");
    expect(again.filter((name) => name !== "2.0").sort()).toEqual(lost.sort());
  });

  test("rows that nobody has to read any more are not made again", () => {
    const driven = new Driven(planOf("groups", { parallelism: 1 }));
    const [only] = started(driven, [agent(A, 1), agent(B, 1)]);
    if (only === undefined) throw new Error("nothing was deployed");
    driven.report(only, "running");
    driven.report(only, "finished");
    expect(driven.at.state).toBe("finished");
    expect(driven.feed({ kind: "agentLost", peer: only.peer, reason: "gone" })).toEqual([]);
  });

  test("whole rows for the client outlive their executor, but not their agent", () => {
    const driven = new Driven(planOf("scan", { parallelism: 2 }));
    const [first, second] = started(driven, [agent(A, 2)]);
    if (first === undefined || second === undefined) throw new Error("two tasks");
    driven.report(first, "running");
    driven.report(first, "finished");
    const upToAttempt = Math.max(first.attempt, second.attempt);
    const loss = { kind: "executorLost", peer: A, upToAttempt, reason: "kill -9" } as const;
    expect(deploysIn(driven.feed(loss)).map(({ task }) => task)).toEqual([second.task]);
    expect(driven.machine.task(first.task)).toMatchObject({ status: "finished", peer: A, attempt: first.attempt });
    const again = deploysIn(driven.feed({ kind: "agentLost", peer: A, reason: "gone" }));
    expect(again).toEqual([]);
    expect(driven.machine.task(first.task)).toMatchObject({ status: "waiting" });
  });

  test("an executor that is lost when all rows are made costs none of them, whatever else was in it", () => {
    for (const pipelines of [false, true]) {
      const driven = new Driven(planOf("groups", { parallelism: 2, pipelines }));
      const { all } = runOn(driven, started(driven, [agent(A, 9)]));
      expect(driven.at.state).toBe("finished");
      const upToAttempt = Math.max(...all.map(({ attempt }) => attempt));
      expect(driven.feed({ kind: "executorLost", peer: A, upToAttempt, reason: "kill -9" })).toEqual([]);
      const roots = driven.plan.fragments.filter(({ output }) => output.kind === "client");
      expect(roots).toHaveLength(1);
      for (const { id } of roots) {
        expect(driven.machine.task({ fragment: id, index: 0 })).toMatchObject({ status: "finished", peer: A });
      }
    }
  });

  test("a loss between the inventory and the plan leaves a new JobManager the whole rows", () => {
    const driven = new Driven(planOf("scan", { parallelism: 2 }));
    const [first, second] = started(driven, [agent(A, 2)]);
    if (first === undefined || second === undefined) throw new Error("two tasks");
    driven.report(first, "running");
    driven.newJobManager();
    const { machine } = driven;
    const { jobAttempt, inputs } = first;
    const told = { kind: "task", jobAttempt, peer: A, inputs } as const;
    machine.step({ ...told, task: first.task, attempt: first.attempt, status: "finished" }, 0);
    machine.step({ ...told, task: second.task, attempt: second.attempt, status: "running" }, 0);
    machine.step({ kind: "executorLost", peer: A, upToAttempt: second.attempt, reason: "kill -9" }, 0);
    machine.step({ kind: "planned", plan: driven.plan }, 0);
    driven.feed({ kind: "inventoryDone" });
    expect(machine.task(first.task)).toMatchObject({ status: "finished", peer: A, attempt: first.attempt });
    expect(machine.task(second.task)).toMatchObject({ status: "waiting" });
  });

  test("an executor's loss does not touch what its successor runs", () => {
    const driven = new Driven(planOf("scan", { parallelism: 2 }));
    const [first, second] = started(driven, [agent(A, 2)]);
    if (first === undefined || second === undefined) throw new Error("two tasks");
    const loss = { kind: "executorLost", peer: A, upToAttempt: first.attempt, reason: "out of memory" } as const;
    expect(deploysIn(driven.feed(loss)).map(({ task }) => task)).toEqual([first.task]);
    expect(driven.report(second, "running")).toEqual([]);
  });

  test("a report of an older attempt has that attempt cancelled and changes nothing", () => {
    const driven = new Driven(planOf("scan", { parallelism: 1 }));
    const [old] = started(driven, [agent(A, 1), agent(B, 1)]);
    if (old === undefined) throw new Error("nothing was deployed");
    const [next] = deploysIn(driven.feed({ kind: "agentLost", peer: old.peer, reason: "cut off" }));
    expect(next?.attempt).toBeGreaterThan(old.attempt);
    const { task, attempt, peer } = old;
    expect(driven.report(old, "finished")).toEqual([{ kind: "cancelTask", task, attempt, peer }]);
    expect(driven.at.state).toBe("scheduling");
  });
});

describe("failures", () => {
  test("a failed task runs again, later each time, and then the job fails with the reasons", () => {
    const driven = new Driven(planOf("scan", { parallelism: 1 }), {
      restartsMax: 0,
      taskRetriesMax: 2,
      backoffMs: 100,
      shownAfterMs: 0,
    });
    let [deploy] = started(driven, [agent(A, 1)]);
    const waits: number[] = [];
    while (deploy !== undefined) {
      driven.report(deploy, "running");
      driven.report(deploy, "failed", { reason: "disk full" });
      if (driven.at.state === "failed") break;
      const dueMs = driven.machine.nextDueMs(driven.nowMs) as number;
      waits.push(dueMs - driven.nowMs);
      driven.nowMs = dueMs;
      [deploy] = deploysIn(driven.feed({ kind: "tick" }));
    }
    expect(waits).toEqual([100, 200]);
    expect(driven.at).toMatchObject({ state: "failed", reason: "task 0.0: disk full (failed 3 times)" });
    expect(driven.machine.tasks[0]?.reasons).toEqual(["disk full", "disk full", "disk full"]);
  });

  test("a task whose executor ends again and again for no known reason fails the job, one that loses agents does not", () => {
    const ends = (isUnexplained: boolean, hasBegun = true) => {
      const driven = new Driven(planOf("scan", { parallelism: 1 }), { restartsMax: 0, taskRetriesMax: 0 });
      const [first] = started(driven, [agent(A, 1)]);
      let deploy = first;
      let count = 0;
      for (; deploy !== undefined && driven.at.state !== "failed" && count < 10; count++) {
        if (hasBegun) driven.report(deploy, "running");
        const { attempt } = deploy;
        const lost = {
          kind: "executorLost",
          peer: A,
          upToAttempt: attempt,
          reason: "it ended",
          isUnexplained,
        } as const;
        [deploy] = deploysIn([...driven.feed(lost), ...driven.feed({ kind: "agents", agents: [agent(A, 1)] })]);
      }
      return { count, reason: driven.at.reason };
    };
    expect(ends(true)).toEqual({ count: 4, reason: "it ended, while it ran task 0.0, 4 times" });
    expect(ends(false).count).toBe(10);
    // Another task in it may have ended it.
    expect(ends(true, false).count).toBe(10);
  });

  test("a final failure ends the job at once, and its other tasks", () => {
    const driven = new Driven(planOf("scan", { parallelism: 2 }));
    const [one, other] = started(driven, [agent(A, 2)]);
    if (one === undefined || other === undefined) throw new Error("two tasks");
    driven.report(other, "running");
    const actions = driven.report(one, "failed", { reason: "division by zero", isFinal: true });
    expect(actions).toMatchObject([{ kind: "cancelTask", attempt: other.attempt }]);
    expect(driven.at.state).toBe("failing");
    expect(driven.report(other, "ended")).toEqual([{ kind: "release", upToAttempt: 1 }]);
    expect(driven.at).toMatchObject({ state: "failed", reason: "task 0.0: division by zero" });
  });

  test("a job is tried as a whole as often as it may", () => {
    const driven = new Driven(planOf("scan", { parallelism: 1 }), { restartsMax: 1, taskRetriesMax: 0, backoffMs: 5 });
    for (let [deploy] = started(driven, [agent(A, 1)]); deploy !== undefined; ) {
      driven.report(deploy, "failed", { reason: "cut" });
      driven.nowMs += 5;
      [deploy] = deploysIn(driven.feed({ kind: "tick" }));
    }
    expect(driven.at).toMatchObject({ state: "failed", attempt: 2 });
    expect(driven.states.filter((state) => state === "restarting").length).toBe(1);
  });

  test("a plan that cannot be made fails the job with the reason", () => {
    const machine = new JobMachine({ jobId: "j", term: 1, at: { state: "compiling", attempt: 1, reason: "" } });
    expect(machine.step({ kind: "tick" }, 0)).toEqual([{ kind: "compile" }]);
    const actions = machine.step({ kind: "planFailed", reason: "no column x" }, 0);
    expect(actions).toEqual([
      { kind: "move", from: "compiling", to: "failing", attempt: 1, reason: "final: no column x" },
    ]);
  });

  test("a task that does not begin is begun elsewhere, one that does not end costs its executor", () => {
    const driven = new Driven(planOf("scan", { parallelism: 1 }), { deployTimeoutMs: 50, cancelTimeoutMs: 30 });
    started(driven, [agent(A, 1)]);
    driven.nowMs = 50;
    expect(driven.feed({ kind: "tick" })).toMatchObject([{ kind: "cancelTask", peer: A }]);
    driven.nowMs = 80;
    expect(driven.feed({ kind: "tick" })).toMatchObject([{ kind: "endExecutor", peer: A }]);
  });
});

describe("what the user asks for", () => {
  const verb = (driven: Driven, of: "stop" | "cancel" | "restart" | "continue") =>
    driven.feed({ kind: "verb", verb: of });

  test("cancel ends the tasks, then the job", () => {
    const driven = new Driven(planOf("scan", { parallelism: 1 }));
    const [deploy] = started(driven, [agent(A, 1)]);
    expect(verb(driven, "cancel")).toMatchObject([{ kind: "cancelTask" }]);
    expect(driven.at.state).toBe("cancelling");
    if (deploy !== undefined) driven.report(deploy, "ended");
    expect(driven.at.state).toBe("cancelled");
  });

  test("a stopped job can be continued, others cannot", () => {
    const driven = new Driven(planOf("scan", { parallelism: 1 }));
    started(driven, []);
    expect(verb(driven, "continue")).toMatchObject([{ kind: "refuse", reason: expect.stringContaining("scheduling") }]);
    verb(driven, "stop");
    expect(driven.at.state).toBe("stopped");
    expect(verb(driven, "stop")).toMatchObject([{ kind: "refuse" }]);
    verb(driven, "continue");
    expect(driven.at).toMatchObject({ state: "scheduling", attempt: 2 });
  });

  test("stop stays a stop when the JobManager changes in between", () => {
    const driven = new Driven(planOf("scan", { parallelism: 1 }));
    started(driven, [agent(A, 1)]);
    verb(driven, "stop");
    expect(driven.at.state).toBe("cancelling");
    driven.newJobManager();
    driven.feed({ kind: "tick" });
    driven.feed({ kind: "inventoryDone" });
    expect(driven.at.state).toBe("stopped");
  });

  test("restart begins a new attempt of a running job and of an ended one", () => {
    const driven = new Driven(planOf("scan", { parallelism: 1 }), { restartsMax: 0 });
    const [deploy] = started(driven, [agent(A, 1)]);
    if (deploy === undefined) throw new Error("nothing was deployed");
    driven.report(deploy, "running");
    verb(driven, "restart");
    const [again] = deploysIn(driven.report(deploy, "ended"));
    expect(driven.at).toMatchObject({ state: "scheduling", attempt: 2 });
    if (again === undefined) throw new Error("nothing was deployed again");
    driven.report(again, "running");
    driven.report(again, "finished");
    expect(driven.at.state).toBe("finished");
    expect(deploysIn(verb(driven, "restart"))).toMatchObject([{ jobAttempt: 3 }]);
  });
});

describe("a change of the JobManager", () => {
  test("disturbs no task: what runs goes on, what is finished stays, the rest is deployed", () => {
    const driven = new Driven(planOf("sink", { parallelism: 2 }));
    const [one, other] = started(driven, [agent(A, 2)]);
    if (one === undefined || other === undefined) throw new Error("two tasks");
    driven.report(one, "running");
    driven.report(one, "finished");
    driven.report(other, "running");
    driven.newJobManager();
    expect(driven.feed({ kind: "agents", agents: [agent(A, 2)] })).toEqual([]);
    driven.report(one, "finished");
    driven.report(other, "running");
    expect(driven.feed({ kind: "inventoryDone" })).toEqual([]);
    const next = deploysIn(driven.report(other, "finished"));
    expect(next.map(({ task }) => nameOf(task))).toEqual(["1.0", "1.1"]);
    for (const { attempt } of next) expect(attempt).toBeGreaterThan(2 ** 21);
    runOn(driven, next);
    expect(driven.at.state).toBe("finished");
  });

  test("of a task that two agents have, whatever order they tell it in, the newest attempt stays and the other is called off", () => {
    for (const isNewestFirst of [true, false]) {
      const driven = new Driven(planOf("sink", { parallelism: 1 }));
      const [old] = started(driven, [agent(A, 1)]);
      if (old === undefined) throw new Error("nothing was deployed");
      const newest = { ...old, attempt: old.attempt + 1, peer: B };
      driven.newJobManager();
      driven.feed({ kind: "agents", agents: [agent(A, 1), agent(B, 1)] });
      const told = isNewestFirst ? [newest, old] : [old, newest];
      const actions = told.flatMap((each) => driven.report(each, "running"));
      expect(actions).toMatchObject([{ kind: "cancelTask", attempt: old.attempt, peer: A }]);
      expect(driven.feed({ kind: "inventoryDone" })).toEqual([]);
      expect(driven.machine.tasks[0]).toMatchObject({ status: "running", attempt: newest.attempt, peer: B });
    }
  });

  test("commits sinks again that it does not know to be committed", () => {
    const driven = new Driven(planOf("sink", { parallelism: 1 }));
    const [only] = started(driven, [agent(A, 1)]);
    if (only === undefined) throw new Error("nothing was deployed");
    driven.report(only, "running");
    const [first] = driven.report(only, "finished");
    expect(first).toMatchObject({ kind: "commitSink", attempt: only.attempt });
    driven.newJobManager();
    driven.feed({ kind: "tick" });
    driven.report(only, "finished");
    expect(driven.feed({ kind: "inventoryDone" })).toMatchObject([{ kind: "commitSink", attempt: only.attempt }]);
    driven.report(only, "committed");
    expect(driven.at.state).toBe("finished");
  });
});

test("with one agent's crash in the middle, the tasks of the others run once", () => {
  for (let seed = 1; seed <= 30; seed++) {
    const world = new World(planOf("groups", { parallelism: 4 }), new Random(seed), { agents: 3, slots: 2 });
    for (let i = 0; i < 200 && world.state !== "running"; i++) world.step(CALM);
    for (let i = 0; i < seed; i++) world.step(CALM);
    const before = world.deployed.length;
    world.crash("peer1" as PeerId);
    for (let i = 0; i < 20_000 && !world.hasEnded; i++) {
      world.step(CALM);
      if (i % 20 === 0) world.rest();
    }
    expect(world.state).toBe("finished");
    expect(world.attempt).toBe(1);
    const early = world.deployed.slice(0, before);
    const again = world.deployed.slice(before).filter(({ name }) => early.some((each) => each.name === name));
    const touched = again.filter(({ name }) => early.every((each) => each.name !== name || each.peer !== "peer1"));
    // Readers of lost rows start anew as well: those that were running.
    expect(touched.length, `seed ${seed}`).toBeLessThanOrEqual(4);
  }
});
