import { expect, test } from "vitest";
import { type Action, type AgentFacts, type Fact, JobMachine } from "../../../src/jobs/mod.ts";
import type { PeerId } from "../../../src/kernel/mod.ts";
import { planOf } from "./plans.ts";

const A = "a" as PeerId;
const AGENT: AgentFacts = { peer: A, slotCount: 1, freeSlots: [0], slotMemoryBytes: 1, load: 0 };

function deploysIn(actions: readonly Action[]) {
  return actions.filter((action) => action.kind === "deploy");
}

test("tells the log of a state that does not last together with the next one", () => {
  const machine = new JobMachine({ jobId: "j", term: 1, at: { state: "submitted", attempt: 1, reason: "" } });
  const move = { kind: "move", attempt: 1, reason: "" } as const;
  expect(machine.step({ kind: "tick" }, 10)).toEqual([{ kind: "compile" }]);
  const via = [{ state: "compiling", sinceMs: 10 }] as const;
  const planned = machine.step({ kind: "planned", plan: planOf("scan", { parallelism: 1 }) }, 50);
  expect(planned).toEqual([{ ...move, from: "submitted", to: "scheduling", via }]);
  machine.step({ kind: "moved", state: "scheduling", attempt: 1, reason: "" }, 60);
  const [deploy] = deploysIn(machine.step({ kind: "agents", agents: [AGENT] }, 70));
  if (deploy === undefined) throw new Error("no task was deployed");
  const report = { ...deploy, kind: "task" } as const;
  expect(machine.step({ ...report, status: "running" }, 80)).toEqual([]);
  expect(machine.step({ ...report, status: "finished", outputBytes: 1 }, 90)).toEqual([
    {
      ...move,
      from: "scheduling",
      to: "finished",
      via: [
        { state: "running", sinceMs: 80 },
        { state: "finishing", sinceMs: 90 },
      ],
    },
  ]);
});

test("tells the log of a state that lasts", () => {
  const machine = new JobMachine({ jobId: "j", term: 1, at: { state: "submitted", attempt: 1, reason: "" } });
  machine.step({ kind: "tick" }, 0);
  expect(machine.nextDueMs(0)).toBe(200);
  expect(machine.step({ kind: "tick" }, 200)).toMatchObject([{ from: "submitted", to: "compiling" }]);
  machine.step({ kind: "moved", state: "compiling", attempt: 1, reason: "" }, 210);
  const planned = machine.step({ kind: "planned", plan: planOf("scan", { parallelism: 1 }) }, 220);
  expect(planned).toEqual([{ kind: "move", from: "compiling", to: "scheduling", attempt: 1, reason: "" }]);
  machine.step({ kind: "moved", state: "scheduling", attempt: 1, reason: "" }, 230);
  const [deploy] = deploysIn(machine.step({ kind: "agents", agents: [AGENT] }, 240));
  machine.step({ ...deploy, kind: "task", status: "running" } as Fact, 250);
  expect(machine.nextDueMs(250)).toBe(450);
  expect(machine.step({ kind: "tick" }, 450)).toMatchObject([{ from: "scheduling", to: "running" }]);
});
