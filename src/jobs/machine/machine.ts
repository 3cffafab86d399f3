/**
 * What the JobManager does about one job: facts in, actions out, nothing else. A state of the job changes only when the
 * log says so ("moved"); until then nothing is decided. A new JobManager starts from the log's last move and from what
 * agents tell of their tasks.
 */
import { invariant, type PeerId, unreachable } from "../../kernel/mod.ts";
import type { PlanOutline, TaskVertex } from "../physical/mod.ts";
import { type AgentFacts, Placement, type TaskNeeds } from "../placement/mod.ts";
import { canMove, isEnded, type JobState } from "../states.ts";
import { preparedOf } from "./commits.ts";
import {
  type Action,
  type Fact,
  MACHINE_DEFAULTS,
  type MachineSettings,
  type Prepared,
  type StateStep,
  type TaskReport,
  type UserVerb,
} from "./facts.ts";
import { inputBytesOf, inputsOf } from "./inputs.ts";
import { isLive, type Loss, type TaskRecord } from "./task_record.ts";
import { Tasks } from "./tasks.ts";

/** Attempts of tasks count up from here in each term, so that a new JobManager's are higher. */
const ATTEMPTS_A_TERM = 2 ** 20;

/** Reasons that mean something to a later JobManager as well. */
const STOP_ASKED = "stop was asked for";
const CANCEL_ASKED = "cancel was asked for";
const RESTART_ASKED = "restart was asked for";
const CONTINUE_ASKED = "continue was asked for";
/** Begins the reason of a failure that would come again. */
const FINAL = "final: ";
/** Begins the reason of a failure after which a part of the output may stand: only another attempt makes it whole. */
const HALF = "the output was not whole: ";
/** Attempts of a job beyond those that it may have, so that its output gets whole. */
const HALF_RESTARTS_MAX = 8;

/** As the reason of a move to failing: the job would fail again, and is not restarted. */
export function finalReason(reason: string): string {
  return FINAL + reason;
}

/** A move's reason as people read it. */
export function shownReason(reason: string): string {
  return reason.startsWith(FINAL) ? reason.slice(FINAL.length) : reason;
}

export interface MachineOptions {
  readonly jobId: string;
  /** Raft term of this JobManager. */
  readonly term: number;
  /** The job's last move in the log. */
  readonly at: { readonly state: JobState; readonly attempt: number; readonly reason: string };
  readonly settings?: Partial<MachineSettings>;
  /** Noted with the move to finishing. */
  readonly prepared?: readonly Prepared[];
}

/** States in which the tasks must be known. */
const NEEDS_PLAN: ReadonlySet<JobState> = new Set(["scheduling", "running", "finishing", "failing", "cancelling"]);

const CAN_GIVE_UP: ReadonlySet<JobState> = new Set(["submitted", "compiling", "scheduling", "running", "restarting"]);

export class JobMachine {
  readonly #jobId: string;
  readonly #settings: MachineSettings;
  #at: MachineOptions["at"];
  #moving: JobState | null = null;
  #nextAttempt: number;
  #plan: PlanOutline | null = null;
  #planProblem: string | null = null;
  #hasAskedToCompile = false;
  #tasks: Tasks | null = null;
  /** Those that `takeMoved` was about. */
  #tasksTold: Tasks | null = null;
  #agents: readonly AgentFacts[] = [];
  #wish: UserVerb | null = null;
  #isAdopting: boolean;
  #isInventoryDone = false;
  /** What agents told before the plan was there, and what was lost meanwhile. */
  readonly #early: (TaskReport | Loss)[] = [];
  #restartDueMs = 0;
  /** Since when it is in its state. */
  #sinceMs: number | null = null;
  /** When the first task of the attempt was seen to run. */
  #begunMs: number | null = null;
  readonly #prepared: readonly Prepared[];
  #isReleased = false;
  #wantedSlots = 0;
  /** Why it must not go on. */
  #hopeless: string | null = null;

  constructor(options: MachineOptions) {
    this.#jobId = options.jobId;
    this.#settings = { ...MACHINE_DEFAULTS, ...options.settings };
    this.#at = options.at;
    this.#prepared = options.at.state === "finishing" ? (options.prepared ?? []) : [];
    this.#nextAttempt = options.term * ATTEMPTS_A_TERM + 1;
    this.#isAdopting = NEEDS_PLAN.has(options.at.state);
    this.#isReleased = isEnded(options.at.state);
  }

  get state(): JobState {
    return this.#at.state;
  }

  get attempt(): number {
    return this.#at.attempt;
  }

  /** What `show` prints: each task with its place, attempt, failures and their reasons. */
  get tasks(): readonly Readonly<TaskRecord>[] {
    return this.#tasks?.records ?? [];
  }

  step(fact: Fact, nowMs: number): Action[] {
    return this.steps([fact], nowMs);
  }

  /** What has happened at once is decided about once. */
  steps(facts: readonly Fact[], nowMs: number): Action[] {
    this.#sinceMs ??= nowMs;
    const taken = facts.flatMap((fact) => this.#take(fact, nowMs));
    return [...taken, ...this.#decide(nowMs)];
  }

  /**
   * Tasks that may have come into a slot, or out of one, since this was asked last (see `isLive`). `areAllNew`: nothing that
   * was told before counts any more.
   */
  takeMoved(): { readonly areAllNew: boolean; readonly moved: Iterable<Readonly<TaskRecord>> } {
    const areAllNew = this.#tasks !== this.#tasksTold;
    this.#tasksTold = this.#tasks;
    return { areAllNew, moved: this.#tasks?.live.takeMoved() ?? [] };
  }

  /** Null when the plan has no such task, or is not known. */
  task(of: TaskVertex): Readonly<TaskRecord> | null {
    const number = this.#tasks?.numberOf(of) ?? null;
    return number === null ? null : (this.#tasks?.at(number) ?? null);
  }

  /** How many slots are missing for what could begin now, at the least; 0: none. */
  get wantedSlots(): number {
    return this.#wantedSlots;
  }

  /** Whether any of its tasks has ever been deployed in this attempt. */
  get hasBegun(): boolean {
    return this.#tasks?.hasDeployed ?? false;
  }

  /** When a "tick" would change something; null when only other facts can. */
  nextDueMs(nowMs: number): number | null {
    const dueMs = [this.#tasks?.live.nextDueMs(nowMs) ?? null];
    if (this.#at.state === "restarting" && this.#moving === null) dueMs.push(this.#restartDueMs);
    if (this.#at.state === "finishing" && this.#moving === null) dueMs.push(this.#commitDueMs);
    if (this.#moving === null) dueMs.push(this.#shownDueMs);
    const due = dueMs.filter((each) => each !== null);
    return due.length === 0 ? null : Math.min(...due);
  }

  /** A file that is prepared, and waits for its node; null: none does. */
  get awaited(): (Prepared & { readonly reason: string }) | null {
    const tasks = this.#at.state === "finishing" ? this.#tasks : null;
    return tasks?.commits.awaited(tasks.openSinks) ?? null;
  }

  /** When the log has to be told of a state that lasts. */
  get #shownDueMs(): number | null {
    const isCompiling = this.#at.state === "submitted" && this.#plan === null && this.#planProblem === null;
    const sinceMs = isCompiling ? this.#sinceMs : this.#at.state === "scheduling" ? this.#begunMs : null;
    return sinceMs === null || this.#isAdopting ? null : sinceMs + this.#settings.shownAfterMs;
  }

  get #commitDueMs(): number | null {
    return this.#isAdopting ? null : (this.#tasks?.commits.nextDueMs(this.#tasks.openSinks) ?? null);
  }

  #take(fact: Fact, nowMs: number): Action[] {
    switch (fact.kind) {
      case "moved":
        return this.#moved(fact, nowMs);
      case "planned":
        return this.#planned(fact.plan, nowMs);
      case "planFailed":
        this.#planProblem = fact.reason;
        this.#isAdopting = false;
        return [];
      case "agents":
        this.#agents = fact.agents;
        return [];
      case "task":
        return this.#report(fact, nowMs);
      case "outputLost":
        return this.#tasks?.loseOutput(fact, nowMs) ?? [];
      case "agentLost":
        this.#agents = this.#agents.filter(({ peer }) => peer !== fact.peer);
        return this.#lose(lossOf(fact), nowMs);
      case "executorLost":
        return this.#lose(lossOf(fact), nowMs);
      case "inventory":
        return this.#tasks?.loseMissing(fact, nowMs) ?? [];
      case "giveUp":
        this.#hopeless = fact.reason;
        return [];
      case "verb":
        return this.#verb(fact.verb);
      case "inventoryDone":
        return this.#settle(nowMs);
      case "tick":
        return this.#tasks?.overdue(nowMs) ?? [];
      default:
        return unreachable(fact);
    }
  }

  #moved({ state, attempt, reason }: MachineOptions["at"], nowMs: number): Action[] {
    this.#at = { state, attempt, reason };
    this.#sinceMs = nowMs;
    this.#begunMs = null;
    this.#moving = null;
    if (!isEnded(state)) this.#isReleased = false;
    else this.#hopeless = null;
    if (state !== "restarting") return [];
    const { backoffMs, backoffMsMax } = this.#settings;
    const isAsked = reason === RESTART_ASKED || reason === CONTINUE_ASKED;
    this.#restartDueMs = isAsked ? nowMs : nowMs + Math.min(backoffMsMax, backoffMs * 2 ** (attempt - 2));
    this.#tasks = this.#plan === null ? null : new Tasks(this.#plan, this.#settings);
    this.#planProblem = null;
    this.#hasAskedToCompile = this.#plan !== null;
    return [{ kind: "release", upToAttempt: attempt - 1 }];
  }

  #planned(plan: PlanOutline, nowMs: number): Action[] {
    if (this.#plan !== null) return [];
    this.#plan = plan;
    this.#tasks = new Tasks(plan, this.#settings);
    this.#tasks.isFinishing = this.#at.state === "finishing";
    this.#tasks.restore(this.#prepared, nowMs);
    const early = this.#early.splice(0);
    const adopted = early.flatMap((each) => ("kind" in each ? this.#report(each, nowMs) : this.#lose(each, nowMs)));
    return this.#isInventoryDone ? [...adopted, ...this.#settle(nowMs)] : adopted;
  }

  #report(report: TaskReport, nowMs: number): Action[] {
    if (report.jobAttempt !== this.#at.attempt) {
      const { task, attempt, peer } = report;
      const isThere = report.status === "running" || report.status === "finished";
      return isThere && report.jobAttempt < this.#at.attempt ? [{ kind: "cancelTask", task, attempt, peer }] : [];
    }
    if (this.#tasks === null) {
      if (this.#isAdopting) this.#early.push(report);
      return [];
    }
    return this.#isAdopting ? this.#tasks.adopt(report, nowMs) : this.#tasks.report(report, nowMs);
  }

  #lose(of: Loss, nowMs: number): Action[] {
    if (this.#tasks !== null) return this.#tasks.lose(of, nowMs);
    if (this.#isAdopting) this.#early.push(of);
    return [];
  }

  #settle(nowMs: number): Action[] {
    this.#isInventoryDone = true;
    if (!this.#isAdopting || this.#tasks === null) return [];
    this.#isAdopting = false;
    return this.#tasks.settle(nowMs);
  }

  #verb(verb: UserVerb): Action[] {
    const { state } = this.#at;
    const refuse = (reason: string): Action[] => [{ kind: "refuse", verb, reason }];
    switch (verb) {
      case "continue":
        if (state !== "stopped") return refuse(`the job is ${state}; only a stopped job can be continued`);
        break;
      case "restart":
        if (["failing", "cancelling", "finishing", "restarting"].includes(state)) return refuse(`the job is ${state}`);
        break;
      case "stop":
      case "cancel":
        if (isEnded(state)) return refuse(`the job has ended: it is ${state}`);
        if (state === "finishing" || state === "cancelling") return refuse(`the job is ${state} already`);
        break;
      default:
        return unreachable(verb);
    }
    this.#wish = verb;
    return [];
  }

  #decide(nowMs: number): Action[] {
    this.#wantedSlots = 0;
    if (this.#moving !== null) return [];
    const wished = this.#decideWish();
    if (wished !== null) return wished;
    const { state } = this.#at;
    if (this.#hopeless !== null && CAN_GIVE_UP.has(state)) return this.#move("failing", FINAL + this.#hopeless);
    if (NEEDS_PLAN.has(state) && this.#plan === null && this.#planProblem === null) return this.#compile();
    if (this.#isAdopting) return [];
    switch (state) {
      case "submitted":
      case "compiling":
        return this.#decideCompiling(nowMs);
      case "scheduling":
      case "running":
        return this.#decideWork(nowMs);
      case "finishing":
        return this.#decideFinishing(nowMs);
      case "failing":
        return this.#decideFailing(nowMs);
      case "restarting":
        return nowMs < this.#restartDueMs ? [] : this.#move("scheduling", "");
      case "cancelling": {
        const ending = this.#endAll(nowMs);
        if (ending !== null) return ending;
        return this.#move(this.#at.reason === STOP_ASKED ? "stopped" : "cancelled", this.#at.reason);
      }
      case "finished":
      case "failed":
      case "cancelled":
      case "stopped":
        return this.#release();
      default:
        return unreachable(state);
    }
  }

  /** What the user wants goes before what else would happen; dropped where it has become impossible. */
  #decideWish(): Action[] | null {
    const wish = this.#wish;
    if (wish === null) return null;
    this.#wish = null;
    const { state } = this.#at;
    const [to, reason] = {
      stop: ["cancelling", STOP_ASKED] as const,
      cancel: ["cancelling", CANCEL_ASKED] as const,
      restart: [isEnded(state) ? "restarting" : "failing", RESTART_ASKED] as const,
      continue: ["restarting", CONTINUE_ASKED] as const,
    }[wish];
    if (canMove(state, to)) return this.#move(to, reason);
    return [{ kind: "refuse", verb: wish, reason: `the job is ${state} by now` }];
  }

  #decideCompiling(nowMs: number): Action[] {
    const sinceMs = this.#sinceMs ?? nowMs;
    const isTold = this.#at.state === "compiling";
    const via: StateStep[] = isTold ? [] : [{ state: "compiling", sinceMs }];
    if (this.#planProblem !== null) return this.#move("failing", FINAL + this.#planProblem, { via });
    if (this.#plan !== null) return this.#move("scheduling", "", { via });
    const lasts = !isTold && nowMs >= sinceMs + this.#settings.shownAfterMs;
    return [...this.#compile(), ...(lasts ? this.#move("compiling", "") : [])];
  }

  #decideWork(nowMs: number): Action[] {
    const tasks = this.#tasks;
    if (tasks === null) return this.#planProblem === null ? [] : this.#move("failing", FINAL + this.#planProblem);
    const isTold = this.#at.state === "running";
    if (!isTold && tasks.hasBegun) this.#begunMs ??= nowMs;
    const begunMs = isTold ? null : this.#begunMs;
    const via: StateStep[] = begunMs === null ? [] : [{ state: "running", sinceMs: begunMs }];
    const { fatal } = tasks;
    if (fatal !== null) return this.#move("failing", fatal.isFinal ? FINAL + fatal.reason : fatal.reason, { via });
    const deployed = this.#schedule(tasks, nowMs);
    if (tasks.areRootsMade) return [...deployed, ...this.#finish(tasks, via, nowMs)];
    const lasts = begunMs !== null && nowMs >= begunMs + this.#settings.shownAfterMs;
    return lasts ? [...deployed, ...this.#move("running", "")] : deployed;
  }

  /** Where nothing is to be done before the end, both are one move. */
  #finish(tasks: Tasks, before: readonly StateStep[], nowMs: number): Action[] {
    tasks.isFinishing = true;
    const isTold = this.#at.state === "running" || before.length > 0;
    const via: StateStep[] = isTold ? [...before] : [{ state: "running", sinceMs: nowMs }];
    const open = tasks.openSinks;
    if (open.length > 0 || tasks.live.all.size > 0)
      return this.#move("finishing", "", { via, prepared: preparedOf(open) });
    return this.#move("finished", "", { via: [...via, { state: "finishing", sinceMs: nowMs }] });
  }

  #schedule(tasks: Tasks, nowMs: number): Action[] {
    const actions: Action[] = [];
    const { strategy, taskMemoryBytes } = this.#settings;
    let placement: Placement | null = null;
    let smallestUnplaced = Number.POSITIVE_INFINITY;
    for (const region of tasks.runnable(nowMs)) {
      // A region that is at least as large as one without a place has none either.
      if (region.length >= smallestUnplaced) continue;
      placement ??= new Placement(this.#freeAgents(tasks), { strategy, seed: this.#jobId });
      const placed = placement.placeAll(region.map((number) => this.#needsOf(tasks, number, taskMemoryBytes)));
      if (placed === null) {
        smallestUnplaced = region.length;
        this.#wantedSlots = region.length;
        if (smallestUnplaced === 1) break;
        continue;
      }
      actions.push(...tasks.beforeDeploy(region, nowMs));
      for (const { task, peer, slot } of placed) {
        tasks.deploy(tasks.graph.numberOf(task), { attempt: this.#nextAttempt++, peer, slot }, nowMs);
      }
      for (const number of region) actions.push(this.#deployAction(tasks, number));
    }
    return actions;
  }

  #needsOf(tasks: Tasks, number: number, memoryBytes: number): TaskNeeds {
    const inputBytes = inputBytesOf(tasks, number);
    const near = [...inputBytes].sort((a, b) => b[1] - a[1]).map(([peer]) => peer);
    const { task } = tasks.at(number);
    return { task, memoryBytes, share: tasks.graph.shareOf(task), inputBytes, near };
  }

  #deployAction(tasks: Tasks, number: number): Action {
    const { task, attempt, peer, slot } = tasks.at(number);
    invariant(peer !== null, "a deployed task has a place");
    return { kind: "deploy", jobAttempt: this.#at.attempt, task, attempt, peer, slot, inputs: inputsOf(tasks, number) };
  }

  /** Agents with the slots that the job's own tasks are not in; whoever gave the facts knows of tasks that it took. */
  #freeAgents(tasks: Tasks): readonly AgentFacts[] {
    const used = new Map<PeerId, Set<number>>();
    for (const record of tasks.live.moved) {
      const { peer, slot } = record;
      if (peer === null || !isLive(record)) continue;
      const slots = used.get(peer);
      if (slots === undefined) used.set(peer, new Set([slot]));
      else slots.add(slot);
    }
    if (used.size === 0) return this.#agents;
    return this.#agents.map((agent) => {
      const slots = agent.freeSlots.length === 0 ? undefined : used.get(agent.peer);
      return slots === undefined ? agent : { ...agent, freeSlots: agent.freeSlots.filter((slot) => !slots.has(slot)) };
    });
  }

  #decideFinishing(nowMs: number): Action[] {
    const tasks = this.#tasks;
    if (tasks === null) return this.#planProblem === null ? [] : this.#move("failing", FINAL + this.#planProblem);
    if (!tasks.areRootsMade) return this.#move("failing", `${HALF}rows for the client were lost`);
    const ending = [...tasks.live.all].flatMap((record) => tasks.cancel(record, nowMs));
    const open = tasks.openSinks;
    if (open.length === 0 && tasks.live.all.size === 0) return this.#move("finished", "");
    const problem = tasks.commits.problemOf(open, nowMs);
    if (problem !== null) return this.#move("failing", `${problem.isFinal ? FINAL : ""}${HALF}${problem.reason}`);
    return [...ending, ...tasks.commits.orders(open, { jobAttempt: this.#at.attempt, nowMs })];
  }

  #decideFailing(nowMs: number): Action[] {
    const ending = this.#endAll(nowMs);
    if (ending !== null) return ending;
    const { reason, attempt } = this.#at;
    if (reason === RESTART_ASKED) return this.#move("restarting", reason);
    if (reason.startsWith(FINAL)) return this.#move("failed", shownReason(reason));
    const restartsMax = this.#settings.restartsMax + (reason.startsWith(HALF) ? HALF_RESTARTS_MAX : 0);
    return attempt <= restartsMax ? this.#move("restarting", reason) : this.#move("failed", reason);
  }

  /** Ends what runs; null when nothing does any more. */
  #endAll(nowMs: number): Action[] | null {
    const tasks = this.#tasks;
    if (tasks === null || tasks.live.all.size === 0) return null;
    return [...tasks.live.all].flatMap((record) => tasks.cancel(record, nowMs));
  }

  #compile(): Action[] {
    if (this.#hasAskedToCompile) return [];
    this.#hasAskedToCompile = true;
    return [{ kind: "compile" }];
  }

  #move(to: JobState, reason: string, how: Pick<Extract<Action, { kind: "move" }>, "via" | "prepared"> = {}): Action[] {
    const { state: from, attempt } = this.#at;
    const { via = [], prepared = [] } = how;
    this.#moving = to;
    const more = { ...(via.length === 0 ? {} : { via }), ...(prepared.length === 0 ? {} : { prepared }) };
    return [{ kind: "move", from, to, attempt, reason, ...more }];
  }

  #release(): Action[] {
    if (this.#isReleased) return [];
    this.#isReleased = true;
    return [{ kind: "release", upToAttempt: this.#at.attempt }];
  }
}

function lossOf(fact: Extract<Fact, { kind: "agentLost" | "executorLost" }>): Loss {
  const { peer, reason } = fact;
  const isAgentThere = fact.kind === "executorLost";
  const isUnexplained = fact.kind === "executorLost" && fact.isUnexplained === true;
  const upToAttempt = fact.kind === "executorLost" ? fact.upToAttempt : Number.MAX_SAFE_INTEGER;
  return { peer, reason, isAgentThere, isUnexplained, upToAttempt };
}
