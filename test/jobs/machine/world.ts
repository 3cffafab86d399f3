/** Agents that do as they are told, with a log and a clock, driven by chance: what a `JobMachine` lives in. */

import {
  type Action,
  type AgentFacts,
  canMove,
  type Fact,
  type InputPlace,
  isEnded,
  JobMachine,
  type JobState,
  type MachineSettings,
  type PhysicalPlan,
  type Prepared,
  type TaskVertex,
} from "../../../src/jobs/mod.ts";
import type { PeerId } from "../../../src/kernel/mod.ts";
import type { Random } from "../../differential/random.ts";

interface HeldTask {
  readonly task: TaskVertex;
  readonly attempt: number;
  readonly jobAttempt: number;
  readonly inputs: readonly InputPlace[];
  readonly slot: number;
  status: "running" | "finished" | "committed";
  /** Which run of every unrepeatable task its rows come from. */
  versions: ReadonlyMap<string, number>;
}

/** A sink's file that is prepared and not committed: it outlives executors and agents. */
interface PreparedFile {
  readonly name: string;
  readonly attempt: number;
  readonly jobAttempt: number;
  readonly at: PeerId;
  readonly held: HeldTask;
  isCommitted: boolean;
}

interface Agent {
  readonly peer: PeerId;
  readonly slots: number;
  readonly held: Map<string, HeldTask>;
  isUp: boolean;
  /** Highest attempt seen of each task: older deployments are refused. */
  readonly seen: Map<string, number>;
}

export interface Chaos {
  /** Chances a step. */
  readonly taskFails: number;
  readonly agentCrashes: number;
  readonly executorCrashes: number;
  readonly leaderChanges: number;
  readonly verbs: number;
  readonly isFinal: number;
  /** Everything takes so long that what was waited for is overdue. */
  readonly delays: number;
}

export const CALM: Chaos = {
  taskFails: 0,
  agentCrashes: 0,
  executorCrashes: 0,
  leaderChanges: 0,
  verbs: 0,
  isFinal: 0,
  delays: 0,
};

export const nameOf = ({ fragment, index }: TaskVertex) => `${fragment}.${index}`;

export class World {
  readonly agents: Agent[];
  readonly deployed: { readonly name: string; readonly peer: PeerId; readonly attempt: number }[] = [];
  readonly history: JobState[] = ["submitted"];
  machine: JobMachine;
  nowMs = 0;
  readonly files: PreparedFile[] = [];
  readonly hasSharedDisk: boolean;
  #prepared: readonly Prepared[] = [];
  #term = 1;
  #at = { state: "submitted" as JobState, attempt: 1, reason: "" };
  readonly #plan: PhysicalPlan;
  readonly #random: Random;
  readonly #settings: Partial<MachineSettings>;
  /** Facts on their way; those of one peer keep their order. */
  #facts: { readonly from: string; readonly fact: Fact }[] = [];
  #actions: Action[] = [];

  constructor(
    plan: PhysicalPlan,
    random: Random,
    options: {
      readonly agents: number;
      readonly slots: number;
      readonly settings?: Partial<MachineSettings>;
      readonly hasSharedDisk?: boolean;
    },
  ) {
    this.hasSharedDisk = options.hasSharedDisk ?? false;
    this.#plan = plan;
    this.#random = random;
    this.#settings = options.settings ?? {};
    this.agents = Array.from({ length: options.agents }, (_, i) => {
      return { peer: `peer${i}` as PeerId, slots: options.slots, held: new Map(), isUp: true, seen: new Map() };
    });
    this.machine = this.#makeMachine();
    this.#tellAgents();
  }

  get state(): JobState {
    return this.#at.state;
  }

  get attempt(): number {
    return this.#at.attempt;
  }

  get hasEnded(): boolean {
    return isEnded(this.#at.state) && this.#facts.length === 0 && this.#actions.length === 0;
  }

  step(chaos: Chaos): void {
    const { pick, chance } = {
      pick: this.#random.pick.bind(this.#random),
      chance: this.#random.chance.bind(this.#random),
    };
    if (chance(chaos.agentCrashes)) this.#crash(pick(this.agents), "agentLost");
    if (chance(chaos.executorCrashes)) this.#crash(pick(this.agents), "executorLost");
    if (chance(chaos.leaderChanges)) this.#changeLeader();
    if (chance(chaos.verbs)) this.verb(pick(["stop", "cancel", "restart", "continue"] as const));
    const moves = [() => this.#deliverFact(), () => this.#carryOutAction(), () => this.#work(chaos)];
    pick(moves)();
    if (chance(0.1)) this.#wait(1 + this.#random.below(20));
    if (chance(chaos.delays)) this.#wakeUp();
    if (chance(0.05)) this.#revive();
  }

  /** Nothing is under way: only time can help. */
  rest(): void {
    const isIdle = this.#facts.length === 0 && this.#actions.length === 0;
    if (!isIdle) return;
    this.#revive();
    this.#wakeUp();
  }

  verb(verb: "stop" | "cancel" | "restart" | "continue"): void {
    this.#feed({ kind: "verb", verb });
  }

  crash(peer: PeerId): void {
    const agent = this.agents.find((each) => each.peer === peer);
    if (agent !== undefined) this.#crash(agent, "agentLost");
  }

  /** Runs of unrepeatable tasks that the roots' rows come from, by task. */
  rootVersions(): Map<string, Set<number>> {
    const found = new Map<string, Set<number>>();
    for (const { held } of this.agents) {
      for (const { task, versions, jobAttempt, status } of held.values()) {
        const { output } = this.#plan.fragments[task.fragment] as PhysicalPlan["fragments"][number];
        if (output.kind === "exchanges" || jobAttempt !== this.#at.attempt || status === "running") continue;
        for (const [name, version] of versions) found.set(name, (found.get(name) ?? new Set()).add(version));
      }
    }
    for (const { held } of this.standing) {
      for (const [name, version] of held.versions) found.set(name, (found.get(name) ?? new Set()).add(version));
    }
    return found;
  }

  /** Files of the newest attempt that were committed. */
  get standing(): readonly PreparedFile[] {
    return this.files.filter(({ isCommitted, jobAttempt }) => isCommitted && jobAttempt === this.#at.attempt);
  }

  get sinkCount(): number {
    return this.#plan.fragments.filter(({ output }) => output.kind === "sink").length;
  }

  #makeMachine(): JobMachine {
    const settings = { backoffMs: 10, deployTimeoutMs: 5_000, cancelTimeoutMs: 2_000, ...this.#settings };
    return new JobMachine({ jobId: "job", term: this.#term, at: this.#at, settings, prepared: this.#prepared });
  }

  #tellAgents(): void {
    const agents = this.agents
      .filter(({ isUp }) => isUp)
      .map((agent): AgentFacts => {
        const freeSlots = Array.from({ length: agent.slots }, (_, i) => i);
        return { peer: agent.peer, slotCount: agent.slots, freeSlots, slotMemoryBytes: 1, load: 0 };
      });
    this.#feed({ kind: "agents", agents });
  }

  #feed(fact: Fact): void {
    this.#actions.push(...this.machine.step(fact, this.nowMs));
  }

  #deliverFact(): void {
    if (this.#facts.length === 0) return;
    const { from } = this.#random.pick(this.#facts);
    const at = this.#facts.findIndex((each) => each.from === from);
    const [next] = this.#facts.splice(at, 1);
    if (next !== undefined) this.#feed(next.fact);
  }

  #carryOutAction(): void {
    const action = this.#actions.shift();
    if (action === undefined) return;
    switch (action.kind) {
      case "move":
        this.#commit(action);
        return;
      case "compile":
        this.#facts.push({ from: "compiler", fact: { kind: "planned", plan: this.#plan } });
        return;
      case "deploy":
        this.#deploy(action);
        return;
      case "cancelTask":
        this.#cancel(action);
        return;
      case "commitSink":
        this.#commitSink(action);
        return;
      case "endExecutor": {
        const agent = this.#agentOf(action.peer);
        if (agent !== undefined) this.#crash(agent, "executorLost");
        return;
      }
      case "release":
        for (const { held } of this.agents) {
          for (const [name, { jobAttempt }] of held) {
            const isKept = this.#at.state === "finished" && jobAttempt === this.#at.attempt;
            if (jobAttempt <= action.upToAttempt && !isKept) held.delete(name);
          }
        }
        return;
      case "refuse":
        return;
      default:
        throw new Error("no such action");
    }
  }

  #commit(action: Extract<Action, { kind: "move" }>): void {
    const { from, to, attempt, reason } = action;
    if (from !== this.#at.state || attempt !== this.#at.attempt) return;
    let state = from;
    for (const next of [...(action.via ?? []).map((step) => step.state), to]) {
      if (!canMove(state, next)) throw new Error(`illegal move from ${state} to ${next}`);
      this.history.push(next);
      state = next;
    }
    this.#at = { state: to, attempt: to === "restarting" ? attempt + 1 : attempt, reason };
    if (to === "finishing") this.#prepared = action.prepared ?? [];
    this.#facts.push({ from: "log", fact: { kind: "moved", ...this.#at } });
  }

  /** Whoever is up and sees the file: all do, where the disk is one for all. */
  #commitSink(action: Extract<Action, { kind: "commitSink" }>): void {
    const { task, attempt, peer, isSought } = action;
    const file = this.files.find((each) => each.name === nameOf(task) && each.attempt === attempt);
    const doer = this.agents.find(
      (agent) => agent.isUp && (agent.peer === peer || (isSought && this.hasSharedDisk)) && file !== undefined,
    );
    if (file === undefined || doer === undefined || (!this.hasSharedDisk && file.at !== doer.peer)) return;
    file.isCommitted = true;
    const held = doer.held.get(nameOf(task));
    if (held?.attempt === attempt) held.status = "committed";
    this.#facts.push({ from: doer.peer, fact: { ...this.#factOf(doer.peer, file.held, "committed") } });
  }

  #deploy(action: Extract<Action, { kind: "deploy" }>): void {
    const agent = this.#agentOf(action.peer);
    const name = nameOf(action.task);
    if (agent === undefined || !agent.isUp) return;
    if ((agent.seen.get(name) ?? 0) >= action.attempt) return;
    for (const { peer, held } of this.agents) {
      const other = held.get(name);
      if (other?.status === "running")
        throw new Error(`task ${name} runs twice: ${other.attempt} at ${peer}, now ${action.attempt}`);
    }
    const inSlot = [...agent.held.values()].find(({ status, slot }) => status === "running" && slot === action.slot);
    if (inSlot !== undefined) throw new Error(`${name} in slot ${action.slot}, where ${nameOf(inSlot.task)} runs`);
    agent.seen.set(name, action.attempt);
    this.deployed.push({ name, peer: action.peer, attempt: action.attempt });
    const { task, attempt, jobAttempt, inputs, slot } = action;
    const held: HeldTask = { task, attempt, jobAttempt, inputs, slot, status: "running", versions: new Map() };
    agent.held.set(name, held);
    this.#report(agent.peer, held, "running");
  }

  #cancel({ peer, task, attempt }: Extract<Action, { kind: "cancelTask" }>): void {
    const agent = this.#agentOf(peer);
    if (agent === undefined || !agent.isUp) return;
    const name = nameOf(task);
    agent.seen.set(name, Math.max(agent.seen.get(name) ?? 0, attempt));
    const held = agent.held.get(name);
    if (held !== undefined && held.attempt <= attempt) agent.held.delete(name);
    const fact: Fact = { kind: "task", jobAttempt: this.#at.attempt, task, attempt, peer, status: "ended" };
    this.#facts.push({ from: peer, fact });
  }

  #work(chaos: Chaos): void {
    const running = this.agents.flatMap((agent) => {
      return [...agent.held.values()].flatMap((held) =>
        held.status === "running" && agent.isUp ? [{ agent, held }] : [],
      );
    });
    if (running.length === 0) return;
    const { agent, held } = this.#random.pick(running);
    if (this.#random.chance(chaos.taskFails)) {
      agent.held.delete(nameOf(held.task));
      const isFinal = this.#random.chance(chaos.isFinal);
      this.#facts.push({
        from: agent.peer,
        fact: { ...this.#factOf(agent.peer, held, "failed"), reason: "chance", isFinal },
      });
      return;
    }
    const versions = this.#versionsOf(agent, held);
    if (versions === null) return;
    held.versions = versions;
    held.status = "finished";
    const { task, attempt, jobAttempt } = held;
    if (this.#plan.fragments[task.fragment]?.output.kind === "sink") {
      this.files.push({ name: nameOf(task), attempt, jobAttempt, at: agent.peer, held, isCommitted: false });
    }
    this.#report(agent.peer, held, "finished");
  }

  /** Null when an input is not there, or not yet. */
  #versionsOf(agent: Agent, held: HeldTask): Map<string, number> | null {
    const versions = new Map<string, number>();
    for (const { producer, peer, attempt } of held.inputs) {
      const source = this.#agentOf(peer)?.held.get(nameOf(producer));
      if (source?.attempt !== attempt) {
        const fact: Fact = { kind: "outputLost", task: producer, attempt, reason: "it is not there" };
        agent.held.delete(nameOf(held.task));
        this.#facts.push({ from: agent.peer, fact });
        this.#facts.push({
          from: agent.peer,
          fact: { ...this.#factOf(agent.peer, held, "ended"), reason: "no input" },
        });
        return null;
      }
      if (source.status === "running") return null;
      for (const [name, version] of source.versions) {
        const known = versions.get(name);
        if (known !== undefined && known !== version) throw new Error(`${nameOf(held.task)} reads two runs of ${name}`);
        versions.set(name, version);
      }
    }
    const fragment = this.#plan.fragments[held.task.fragment] as PhysicalPlan["fragments"][number];
    if (!fragment.isRepeatable) versions.set(nameOf(held.task), held.attempt);
    return versions;
  }

  #factOf(peer: PeerId, held: HeldTask, status: "running" | "finished" | "committed" | "failed" | "ended") {
    const { task, attempt, jobAttempt, inputs, slot } = held;
    return { kind: "task", jobAttempt, task, attempt, peer, status, inputs, slot } as const;
  }

  #report(peer: PeerId, held: HeldTask, status: "running" | "finished" | "committed"): void {
    this.#facts.push({ from: peer, fact: { ...this.#factOf(peer, held, status), outputBytes: 100 } });
  }

  #crash(agent: Agent, kind: "agentLost" | "executorLost"): void {
    if (!agent.isUp) return;
    // What a sink has committed stands, and what the agent itself keeps for the client; all else is gone.
    for (const [name, { task, status }] of agent.held) {
      const output = this.#plan.fragments[task.fragment]?.output;
      const isKept = kind === "executorLost" && status === "finished" && output?.kind === "client";
      if (status !== "committed" && !isKept) agent.held.delete(name);
    }
    if (kind === "agentLost") agent.isUp = false;
    const isHeld = (fact: Fact) => fact.kind === "task" && agent.held.get(nameOf(fact.task))?.attempt === fact.attempt;
    this.#facts = this.#facts.filter(({ from, fact }) => {
      return from !== agent.peer || (kind === "executorLost" && isHeld(fact)) || this.#random.chance(0.5);
    });
    const upToAttempt = Math.max(0, ...agent.seen.values());
    this.#facts.push({ from: agent.peer, fact: { kind, peer: agent.peer, upToAttempt, reason: `${kind} by chance` } });
  }

  #revive(): void {
    const down = this.agents.filter(({ isUp, peer }) => !isUp && !this.#facts.some(({ from }) => from === peer));
    if (down.length === 0) return;
    for (const agent of down) agent.isUp = true;
    // It has come anew: nothing that was sent to it before arrives.
    const peers = new Set(down.map(({ peer }) => peer));
    this.#actions = this.#actions.filter((action) => !("peer" in action && peers.has(action.peer)));
    this.#tellAgents();
  }

  #changeLeader(): void {
    this.#term++;
    this.#actions = this.#actions.filter(({ kind }) => kind === "move" && this.#random.chance(0.5));
    for (const action of this.#actions.splice(0)) if (action.kind === "move") this.#commit(action);
    this.#facts = [];
    this.machine = this.#makeMachine();
    for (const agent of this.agents.filter(({ isUp }) => isUp)) {
      for (const held of agent.held.values()) this.#report(agent.peer, held, held.status);
    }
    const inventory = this.#facts.splice(0);
    this.#feed({ kind: "tick" });
    for (const { fact } of inventory) this.#feed(fact);
    this.#feed({ kind: "inventoryDone" });
    this.#tellAgents();
  }

  #wakeUp(): void {
    this.#wait((this.machine.nextDueMs(this.nowMs) ?? 0) - this.nowMs);
  }

  #wait(delayMs: number): void {
    this.nowMs += Math.max(1, delayMs);
    this.#feed({ kind: "tick" });
  }

  #agentOf(peer: PeerId): Agent | undefined {
    return this.agents.find((agent) => agent.peer === peer);
  }
}
