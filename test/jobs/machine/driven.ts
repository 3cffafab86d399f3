/** A machine that the test feeds by hand. */
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

export const [A, B] = ["a", "b"] as PeerId[] as [PeerId, PeerId];
export const agent = (peer: PeerId, slots: number): AgentFacts => {
  return { peer, slotCount: slots, freeSlots: [...Array(slots).keys()], slotMemoryBytes: 1, load: 0 };
};

/** A machine whose moves are committed at once. */
export class Driven {
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
          this.states.push(...(action.via ?? []).map(({ state }) => state), action.to);
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

export function deploysIn(actions: readonly Action[]) {
  return actions.filter((action) => action.kind === "deploy");
}

export function started(driven: Driven, agents: readonly AgentFacts[]) {
  const first = driven.feed({ kind: "tick" });
  return deploysIn([...first, ...driven.feed({ kind: "agents", agents })]);
}

/** Runs what is deployed to its end, wave by wave; all that was deployed. */
export function runOn(
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
