import { expect, it } from "vitest";
import { type Action, type AgentFacts, type Fact, JobMachine } from "../../../src/jobs/mod.ts";
import type { PeerId } from "../../../src/kernel/mod.ts";
import { planOf } from "./plans.ts";

const JOBS = 100;
const AGENTS = 1_000;
const PARALLELISM = 100;
/** It takes a few seconds of processor time, whatever else the machine does. */
const TIMEOUT_MS = 600_000;

it("deciding about a task of 20,000 in 100 jobs on 1,000 agents takes far less than a millisecond", {
  timeout: TIMEOUT_MS,
}, () => {
  const plan = planOf("groups", { parallelism: PARALLELISM, slots: PARALLELISM });
  const tasks = plan.fragments.reduce((sum, { parallelism }) => sum + parallelism, 0);
  const agents = Array.from({ length: AGENTS }, (_, i): AgentFacts => {
    return { peer: `peer${i}` as PeerId, slotCount: 4, freeSlots: [0, 1, 2, 3], slotMemoryBytes: 1 << 30, load: 0 };
  });
  const startMs = cpuMs();
  for (let job = 0; job < JOBS; job++) finish(String(job), { plan, agents });
  const msPerTask = (cpuMs() - startMs) / (JOBS * tasks);
  console.log(`${tasks * JOBS} tasks: ${msPerTask.toFixed(3)} ms each`);
  expect(tasks * JOBS).toBeGreaterThanOrEqual(20_000);
  expect(msPerTask).toBeLessThan(1);
});

/** Of this process: other work on the machine does not count. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

function finish(jobId: string, of: { readonly plan: ReturnType<typeof planOf>; readonly agents: AgentFacts[] }): void {
  const machine = new JobMachine({ jobId, term: 1, at: { state: "submitted", attempt: 1, reason: "" } });
  const facts: Fact[] = [{ kind: "agents", agents: of.agents }];
  for (let nowMs = 0; facts.length > 0; nowMs++) {
    // One fact a turn, as if each came alone.
    const actions = machine.steps([facts.shift() as Fact], nowMs);
    for (const action of actions) facts.push(...answers(action, of.plan));
  }
  expect(machine.state).toBe("finished");
}

function answers(action: Action, plan: ReturnType<typeof planOf>): Fact[] {
  switch (action.kind) {
    case "move":
      return [{ kind: "moved", state: action.to, attempt: action.attempt, reason: action.reason }];
    case "compile":
      return [{ kind: "planned", plan }];
    case "deploy": {
      const { jobAttempt, task, attempt, peer } = action;
      const report = { kind: "task", jobAttempt, task, attempt, peer } as const;
      return [{ ...report, status: "running" } as Fact, { ...report, status: "finished", outputBytes: 10 } as Fact];
    }
    default:
      return [];
  }
}
