import { describe, expect, test } from "vitest";
import {
  type Action,
  type AgentFacts,
  type Fact,
  JobMachine,
  type JobState,
  type MachineSettings,
  type PhysicalPlan,
  type Prepared,
  type TaskReport,
  type TaskVertex,
} from "../../../src/jobs/mod.ts";
import type { PeerId } from "../../../src/kernel/mod.ts";
import { Random } from "../../differential/random.ts";
import { planOf } from "./plans.ts";
import { CALM, nameOf, World } from "./world.ts";

const [A, B] = ["a", "b"] as PeerId[] as [PeerId, PeerId];
const agent = (peer: PeerId, slots: number): AgentFacts => {
  return { peer, slotCount: slots, freeSlots: [...Array(slots).keys()], slotMemoryBytes: 1, load: 0 };
};

/** A machine whose moves are committed at once. */
class Driven {
  machine: JobMachine;
  nowMs = 0;
  readonly states: JobState[] = ["submitted"];
  readonly plan: PhysicalPlan;
  at = { state: "submitted" as JobState, attempt: 1, reason: "" };
  #prepared: readonly Prepared[] = [];
  #term = 1;
  readonly #settings: Partial<MachineSettings>;

  constructor(plan: PhysicalPlan, settings: Partial<MachineSettings> = {}) {
    this.plan = plan;
    this.#settings = settings;
    this.machine = this.#make();
  }

  #make(): JobMachine {
    return new JobMachine({
      jobId: "j",
      term: this.#term,
      at: this.at,
      settings: this.#settings,
      prepared: this.#prepared,
    });
  }

  newJobManager(): void {
    this.#term++;
    this.machine = this.#make();
  }

  feed(fact: Fact): Action[] {
    const others: Action[] = [];
    let actions = this.machine.step(fact, this.nowMs);
    while (actions.length > 0) {
      const next: Action[] = [];
      for (const action of actions) {
        if (action.kind === "move") {
          const attempt = action.to === "restarting" ? action.attempt + 1 : action.attempt;
          this.at = { state: action.to, attempt, reason: action.reason };
          this.states.push(action.to);
          if (action.to === "finishing") this.#prepared = action.prepared ?? [];
          next.push(...this.machine.step({ kind: "moved", ...this.at }, this.nowMs));
        } else if (action.kind === "compile") {
          next.push(...this.machine.step({ kind: "planned", plan: this.plan }, this.nowMs));
        } else others.push(action);
      }
      actions = next;
    }
    return others;
  }

  report(
    of: Extract<Action, { kind: "deploy" }>,
    status: TaskReport["status"],
    more: Partial<TaskReport> = {},
  ): Action[] {
    const { jobAttempt, task, attempt, peer, inputs } = of;
    return this.feed({ kind: "task", jobAttempt, task, attempt, peer, status, inputs, ...more });
  }
}

function deploysIn(actions: readonly Action[]) {
  return actions.filter((action) => action.kind === "deploy");
}

function started(driven: Driven, agents: readonly AgentFacts[]) {
  const first = driven.feed({ kind: "tick" });
  return deploysIn([...first, ...driven.feed({ kind: "agents", agents })]);
}

/** Runs what is deployed to its end, wave by wave; all that was deployed. */
function runOn(
  driven: Driven,
  deploys: readonly Extract<Action, { kind: "deploy" }>[],
  until: (task: TaskVertex) => boolean = () => false,
) {
  const all = [...deploys];
  for (let i = 0; i < all.length; i++) {
    const deploy = all[i] as Extract<Action, { kind: "deploy" }>;
    const begun = driven.report(deploy, "running");
    if (until(deploy.task)) return { all, last: deploy, actions: begun };
    const actions = [...begun, ...driven.report(deploy, "finished", { outputBytes: 10 })];
    for (const action of actions) {
      if (action.kind === "deploy") all.push(action);
      if (action.kind === "commitSink") {
        const { task, attempt, peer } = action;
        driven.feed({ kind: "task", jobAttempt: driven.at.attempt, task, attempt, peer, status: "committed" });
      }
    }
  }
  return { all, last: null, actions: [] };
}

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
    const ends = (isUnexplained: boolean) => {
      const driven = new Driven(planOf("scan", { parallelism: 1 }), { restartsMax: 0, taskRetriesMax: 0 });
      const [first] = started(driven, [agent(A, 1)]);
      let deploy = first;
      let count = 0;
      for (; deploy !== undefined && driven.at.state !== "failed" && count < 10; count++) {
        driven.report(deploy, "running");
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

describe("once a job finishes, it only goes forward", () => {
  /** Two sinks are prepared, one at A and one at B. */
  function prepared(settings: Partial<MachineSettings> = {}) {
    const driven = new Driven(planOf("twoSinks", { parallelism: 1 }), { restartsMax: 0, ...settings });
    const deploys = started(driven, [agent(A, 1), agent(B, 1)]);
    const all = [...deploys];
    const commits: Extract<Action, { kind: "commitSink" }>[] = [];
    for (const deploy of all) {
      const actions = [...driven.report(deploy, "running"), ...driven.report(deploy, "finished", { outputBytes: 1 })];
      for (const action of actions) {
        if (action.kind === "deploy") all.push(action);
        if (action.kind === "commitSink") commits.push(action);
      }
    }
    const [one, two] = commits;
    if (one === undefined || two === undefined) throw new Error("two sinks are to be committed");
    return { driven, one, two };
  }
  const reported = (driven: Driven, of: Extract<Action, { kind: "commitSink" }>, peer: PeerId, more = {}) => {
    const { task, attempt, jobAttempt } = of;
    return driven.feed({ kind: "task", jobAttempt, task, attempt, peer, status: "committed", ...more });
  };

  test("the file of an agent that is lost is sought at others, and any of them may commit it", () => {
    const { driven, one, two } = prepared();
    reported(driven, one, one.peer);
    const sought = driven.feed({ kind: "agentLost", peer: two.peer, reason: "it is gone" });
    const { task, attempt, peer } = two;
    expect(sought).toEqual([{ kind: "commitSink", jobAttempt: 1, task, attempt, peer, isSought: true }]);
    expect(driven.machine.awaited).toMatchObject({ task, peer, reason: "it is gone" });
    driven.nowMs = driven.machine.nextDueMs(driven.nowMs) ?? 0;
    expect(driven.feed({ kind: "tick" })).toEqual(sought);
    reported(driven, two, one.peer);
    expect(driven.at.state).toBe("finished");
  });

  test("where no node sees it for long the job is run again, although it may not be restarted", () => {
    const { driven, one, two } = prepared();
    reported(driven, one, one.peer);
    driven.feed({ kind: "agentLost", peer: two.peer, reason: "it is gone" });
    driven.nowMs += 60_000;
    driven.feed({ kind: "tick" });
    expect(driven.at).toMatchObject({ state: "restarting", attempt: 2 });
    expect(driven.states.slice(-3)).toEqual(["finishing", "failing", "restarting"]);
    expect(driven.at.reason).toContain("it is gone");
  });

  test("an executor that is lost costs nothing: its agent commits what it had prepared", () => {
    const { driven, one, two } = prepared();
    const lost = { kind: "executorLost", peer: two.peer, upToAttempt: 1e9, reason: "it crashed" } as const;
    expect(driven.feed(lost)).toMatchObject([{ kind: "commitSink", peer: two.peer, isSought: true }]);
    reported(driven, two, two.peer);
    reported(driven, one, one.peer);
    expect(driven.at.state).toBe("finished");
  });

  test("a file that cannot be put in its place is tried again, and then fails the job with the reason", () => {
    const { driven, one, two } = prepared();
    reported(driven, one, one.peer);
    for (let tries = 0; tries < 5; tries++) {
      expect(driven.at.state).toBe("finishing");
      reported(driven, two, two.peer, { status: "failed", reason: "EPERM" });
      driven.nowMs += 1_000;
      driven.feed({ kind: "tick" });
    }
    expect(driven.at).toMatchObject({ state: "failed", reason: "the output was not whole: EPERM" });
  });

  test("a new JobManager knows what was prepared also where its agent is gone", () => {
    const { driven, one, two } = prepared();
    driven.newJobManager();
    driven.feed({ kind: "tick" });
    driven.feed({ kind: "agentLost", peer: two.peer, reason: "its node is gone" });
    const { jobAttempt, task, attempt, peer } = one;
    driven.feed({ kind: "task", jobAttempt, task, attempt, peer, status: "committed" });
    const actions = driven.feed({ kind: "inventoryDone" });
    expect(actions).toMatchObject([{ kind: "commitSink", task: two.task, peer: two.peer, isSought: true }]);
    reported(driven, two, one.peer);
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
