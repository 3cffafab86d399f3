import { describe, expect, test } from "vitest";
import type { Action, MachineSettings } from "../../../src/jobs/mod.ts";
import type { PeerId } from "../../../src/kernel/mod.ts";
import { A, agent, B, Driven, started } from "./driven.ts";
import { planOf } from "./plans.ts";

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

  test("how often it is told that the file is not there does not make the wait longer", () => {
    const { driven, one, two } = prepared();
    reported(driven, one, one.peer);
    driven.feed({ kind: "agentLost", peer: two.peer, reason: "it is gone" });
    driven.nowMs += 40_000;
    reported(driven, two, one.peer, { status: "ended", reason: "not here" });
    expect(driven.at.state).toBe("finishing");
    driven.nowMs += 20_000;
    driven.feed({ kind: "tick" });
    expect(driven.at).toMatchObject({ state: "restarting", attempt: 2 });
  });

  test("rows for the client that are lost before the files stand fail the attempt, and the history says so", () => {
    const driven = new Driven(planOf("shared", { parallelism: 1 }), { restartsMax: 0 });
    const all = [...started(driven, [agent(A, 9)])];
    for (const deploy of all) {
      const actions = [...driven.report(deploy, "running"), ...driven.report(deploy, "finished", { outputBytes: 1 })];
      for (const action of actions) if (action.kind === "deploy") all.push(action);
    }
    expect(driven.at.state).toBe("finishing");
    driven.feed({ kind: "agentLost", peer: A, reason: "it is gone" });
    expect(driven.states).toContain("failing");
    expect(driven.at.reason).toBe("the output was not whole: rows for the client were lost");
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
