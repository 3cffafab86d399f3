import { describe, expect, test } from "vitest";
import type { Action, PhysicalPlan } from "../../../src/jobs/mod.ts";
import { A, agent, B, Driven, deploysIn, runOn, started } from "./driven.ts";
import { planOf } from "./plans.ts";
import { nameOf } from "./world.ts";

type Deploy = Extract<Action, { kind: "deploy" }>;

/** A reader that runs, with all that was run before it. */
function reading(plan: PhysicalPlan, reader: string) {
  const driven = new Driven(plan);
  const { all, last } = runOn(driven, started(driven, [agent(A, 9)]), (task) => nameOf(task) === reader);
  if (last === null) throw new Error(`${reader} was not deployed`);
  return { driven, last, before: all.slice(0, all.indexOf(last)) };
}

/** A task that reads at once what a task gives that another run of it would not give again. */
function unrepeatable(plan: PhysicalPlan): { readonly reader: string; readonly producer: string } {
  for (const { from, to } of plan.exchanges) {
    if (plan.fragments[from]?.isRepeatable === false) return { reader: `${to}.0`, producer: `${from}.0` };
  }
  throw new Error("all fragments are repeatable");
}

describe("a new JobManager", () => {
  test("has a reader begun anew whose producer's rows went with their agent", () => {
    const { driven, last } = reading(planOf("sink", { parallelism: 2 }), "1.0");
    driven.newJobManager();
    driven.feed({ kind: "agents", agents: [agent(A, 9)] });
    driven.report(last, "running");
    const actions = driven.feed({ kind: "inventoryDone" });
    expect(actions).toContainEqual({ kind: "cancelTask", task: last.task, attempt: last.attempt, peer: A });
    expect(deploysIn(actions).map(({ task }) => nameOf(task))).toEqual(["0.0", "0.1"]);
  });

  test("has a reader begun anew that has read an earlier run of what cannot be given again the same, and no other", () => {
    const plan = planOf("unrepeatable", { parallelism: 1 });
    const { reader, producer } = unrepeatable(plan);
    for (const isReplaced of [true, false]) {
      const { driven, last, before } = reading(plan, reader);
      driven.newJobManager();
      driven.feed({ kind: "agents", agents: [agent(A, 9)] });
      const again = (of: Deploy): Deploy => (nameOf(of.task) === producer ? { ...of, attempt: of.attempt + 100 } : of);
      for (const of of before) driven.report(isReplaced ? again(of) : of, "finished");
      driven.report(last, "running");
      const called = driven.feed({ kind: "inventoryDone" }).filter(({ kind }) => kind === "cancelTask");
      expect(called.length).toBe(isReplaced ? 1 : 0);
      if (isReplaced) expect(called).toMatchObject([{ task: last.task, attempt: last.attempt }]);
    }
  });

  test("does not touch what a later attempt of the job has begun", () => {
    const driven = new Driven(planOf("scan", { parallelism: 1 }));
    const [deploy] = started(driven, [agent(A, 1)]);
    if (deploy === undefined) throw new Error("nothing was deployed");
    expect(driven.report({ ...deploy, jobAttempt: 2 }, "running")).toEqual([]);
    expect(driven.machine.tasks[0]).toMatchObject({ status: "deployed" });
    expect(driven.report({ ...deploy, jobAttempt: 0, peer: B }, "running")).toMatchObject([{ kind: "cancelTask" }]);
  });
});
