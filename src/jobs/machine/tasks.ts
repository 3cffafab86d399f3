import type { PeerId } from "../../kernel/mod.ts";
import { invariant, unreachable } from "../../kernel/mod.ts";
import type { ExchangeOutline, FragmentOutline, PlanOutline, TaskGraph, TaskVertex } from "../physical/mod.ts";
import { taskGraph } from "../physical/mod.ts";
import { Commits } from "./commits.ts";
import type { Action, InputPlace, MachineSettings, Prepared, TaskReport } from "./facts.ts";
import { LiveTasks } from "./live_tasks.ts";
import { OpenRegions } from "./open_regions.ts";
import {
  cancelOf,
  isDone,
  isLive,
  type Loss,
  nameOf,
  note,
  runName,
  type TaskRecord,
  type TaskStatus,
} from "./task_record.ts";

/** The tasks of one attempt of a job: what each does, and what follows from what happens to one for the others. */
export class Tasks {
  readonly plan: PlanOutline;
  readonly graph: TaskGraph;
  readonly records: readonly TaskRecord[];
  /** Why the job cannot go on; null while it can. */
  fatal: { readonly reason: string; readonly isFinal: boolean } | null = null;
  /** The job finishes with what its roots have given: nothing runs again, and what is lost undoes nothing else. */
  isFinishing = false;
  /** Any task was ever deployed, or has begun. */
  hasDeployed = false;
  hasBegun = false;
  readonly commits: Commits;
  readonly #settings: MachineSettings;
  /** By fragment: exchanges that it reads. */
  readonly inputs: readonly (readonly ExchangeOutline[])[];
  readonly live: LiveTasks;
  /** By fragment: tasks that have not given all of their rows. */
  readonly #undone: number[];
  readonly #open: OpenRegions;
  /** Tasks whose rows leave the job. */
  readonly rootNumbers: readonly number[];
  readonly #rootFragments: readonly number[];
  /** What tasks that were taken over read. */
  readonly #adoptedInputs = new Map<number, readonly InputPlace[]>();

  constructor(plan: PlanOutline, settings: MachineSettings) {
    this.plan = plan;
    this.graph = taskGraph(plan);
    this.#settings = settings;
    this.live = new LiveTasks(settings);
    this.commits = new Commits(settings.commitWaitMs);
    this.inputs = plan.fragments.map(({ inputs }) => inputs.map((id) => plan.exchanges[id] as ExchangeOutline));
    this.records = this.graph.vertices.map((task) => ({
      task,
      status: "waiting",
      attempt: 0,
      runs: 0,
      peer: null,
      slot: 0,
      failures: 0,
      losses: 0,
      ends: 0,
      notBeforeMs: 0,
      sinceMs: 0,
      hasGiven: false,
      outputBytes: 0,
      reasons: [],
    }));
    this.#undone = plan.fragments.map(({ parallelism }) => parallelism);
    const isRoot = (record: TaskRecord) => this.fragmentOf(record).output.kind !== "exchanges";
    this.rootNumbers = this.records.flatMap((record, number) => (isRoot(record) ? [number] : []));
    this.#rootFragments = plan.fragments.filter(({ output }) => output.kind !== "exchanges").map(({ id }) => id);
    const isDoneAt = (number: number) => isDone(this.at(number).status);
    this.#open = new OpenRegions({ graph: this.graph, roots: this.rootNumbers, isDone: isDoneAt });
  }

  at(number: number): TaskRecord {
    const record = this.records[number];
    invariant(record !== undefined, `task ${number} is of the plan`);
    return record;
  }

  numberOf({ fragment, index }: TaskVertex): number | null {
    const known = this.plan.fragments[fragment];
    return known === undefined || index >= known.parallelism ? null : this.graph.numberOf({ fragment, index });
  }

  fragmentOf(record: TaskRecord): FragmentOutline {
    return this.plan.fragments[record.task.fragment] as FragmentOutline;
  }

  /** All rows that leave the job are given. */
  get areRootsMade(): boolean {
    return this.#rootFragments.every((fragment) => this.#undone[fragment] === 0);
  }

  /** Tasks with a sink whose file does not stand yet. */
  get openSinks(): readonly TaskRecord[] {
    const roots = this.rootNumbers.map((number) => this.at(number));
    return roots.filter((record) => record.status !== "committed" && this.fragmentOf(record).output.kind === "sink");
  }

  /** What an agent says; a report of another attempt than the newest changes nothing. */
  report(report: TaskReport, nowMs: number): Action[] {
    const number = this.numberOf(report.task);
    if (number === null) return [];
    const record = this.at(number);
    if (report.attempt === record.attempt && this.#isPrepared(record)) return this.#committing(record, report, nowMs);
    const isNewest = report.attempt === record.attempt && report.peer === record.peer;
    if (!isNewest) return report.status === "running" || report.status === "finished" ? [cancelOf(report)] : [];
    switch (report.status) {
      case "running":
        if (record.status === "deployed") this.#set(record, "running", nowMs);
        return [];
      case "finished":
        if (record.status === "cancelling") return this.#drop(record, nowMs);
        if (isLive(record)) {
          this.#set(record, "finished", nowMs);
          record.hasGiven = true;
          record.outputBytes = report.outputBytes ?? 0;
        }
        return [];
      case "committed":
        if (record.status === "finished") this.#set(record, "committed", nowMs);
        return [];
      case "ended":
        return this.#over(number, { reason: report.reason ?? "it ended unasked", isFinal: false, nowMs });
      case "failed":
        if (report.isLoss === true && record.status !== "cancelling") {
          return this.#lost(number, report.reason ?? "what it read is gone", nowMs);
        }
        return this.#over(number, { reason: report.reason ?? "it failed", isFinal: report.isFinal === true, nowMs });
      default:
        return unreachable(report.status);
    }
  }

  /** What becomes of a prepared file; another agent than the one that prepared it may tell. */
  #committing(record: TaskRecord, { status, reason = "it failed" }: TaskReport, nowMs: number): Action[] {
    if (status === "committed") this.#set(record, "committed", nowMs);
    else if (status === "failed") this.commits.refused(record, reason, nowMs);
    else if (status === "ended") this.commits.seek(record, reason, nowMs);
    return [];
  }

  #isPrepared(record: TaskRecord): boolean {
    return this.isFinishing && record.status === "finished" && this.fragmentOf(record).output.kind === "sink";
  }

  /** What an earlier JobManager has noted of the sinks of a job that finishes. */
  restore(prepared: readonly Prepared[], nowMs: number): void {
    for (const { task, attempt, peer } of prepared) {
      const number = this.numberOf(task);
      if (number === null) continue;
      const record = this.at(number);
      Object.assign(record, { attempt, peer, runs: 1 });
      this.#set(record, "finished", nowMs);
    }
  }

  /** Takes over a task of before the change of the JobManager. */
  adopt(report: TaskReport, nowMs: number): Action[] {
    const number = this.numberOf(report.task);
    const isStanding = report.status !== "failed" && report.status !== "ended";
    if (number === null || !isStanding) return this.report(report, nowMs);
    const record = this.at(number);
    if (report.attempt < record.attempt) return [cancelOf(report)];
    const before =
      record.peer !== null && isLive(record) && report.attempt > record.attempt
        ? [cancelOf({ ...record, peer: record.peer })]
        : [];
    this.#adoptedInputs.set(number, report.inputs ?? []);
    if (report.attempt > record.attempt) record.runs++;
    record.attempt = report.attempt;
    record.peer = report.peer;
    record.slot = report.slot ?? 0;
    record.outputBytes = report.outputBytes ?? 0;
    this.#set(record, report.status === "running" ? "running" : report.status, nowMs);
    return before;
  }

  /**
   * Regions of which only a part was found again start anew; so do readers of rows that are gone, or that another run
   * of their producer has replaced.
   */
  settle(nowMs: number): Action[] {
    const actions: Action[] = [];
    if (this.isFinishing) this.#adoptedInputs.clear();
    for (const [number, inputs] of this.#adoptedInputs) {
      // Whether an earlier run was read nobody knows: a later one must take it for granted.
      if (!this.#isReplaced(inputs)) continue;
      const region = this.graph.regions[this.graph.regionOf[number] as number] as readonly number[];
      actions.push(...this.#reset([...region, ...region.flatMap((member) => [...this.#downstream(member)])], nowMs));
    }
    this.#adoptedInputs.clear();
    for (const record of this.records) record.hasGiven = true;
    if (this.isFinishing) return actions;
    for (const region of this.graph.regions) {
      const records = region.map((number) => this.at(number));
      const isWhole = new Set(records.map(({ status }) => status === "waiting")).size === 1;
      const isStarved = records.some(isLive) && !region.every((number) => this.#isFed(number));
      if (!isWhole || isStarved) actions.push(...this.#restartRegion(region, "it was not found whole", nowMs));
    }
    return actions;
  }

  /** Whether a producer that cannot give the same again has run once more since. */
  #isReplaced(inputs: readonly InputPlace[]): boolean {
    return inputs.some(({ producer, attempt }) => {
      const record = this.at(this.graph.numberOf(producer));
      return record.status !== "waiting" && record.attempt !== attempt && !this.fragmentOf(record).isRepeatable;
    });
  }

  /** Everything at the peer is gone, up to that attempt; whole rows for the client are not while their agent is there. */
  lose(of: Loss, nowMs: number): Action[] {
    const lost = this.records.flatMap((record, number) => {
      const isThere = record.peer === of.peer && record.attempt <= of.upToAttempt;
      const isKept = record.status === "committed" || (of.isAgentThere && this.#isWithAgent(record));
      return isThere && !isKept ? [number] : [];
    });
    if (of.isUnexplained) for (const number of lost) this.#countEnd(this.at(number), of.reason);
    return this.#loseAll(lost, of.reason, nowMs);
  }

  /** What the executor ran may have ended it: it is not begun for ever. */
  #countEnd(record: TaskRecord, reason: string): void {
    const { executorEndsMax, taskRetriesMax } = this.#settings;
    if (record.status !== "running" || ++record.ends <= Math.max(executorEndsMax, taskRetriesMax)) return;
    const text = `${reason}, while it ran task ${nameOf(record.task)}, ${record.ends} times`;
    this.fatal ??= { reason: text, isFinal: false };
  }

  /** What the task gave is kept by its agent, not by an executor. */
  #isWithAgent(record: TaskRecord): boolean {
    return record.status === "finished" && this.fragmentOf(record).output.kind === "client";
  }

  /** What the peer has of the job is known: all else of it there is gone. */
  loseMissing(
    of: { readonly peer: PeerId; readonly runs: ReadonlySet<string>; readonly reason: string },
    nowMs: number,
  ): Action[] {
    const lost = this.records.flatMap((record, number) => {
      const isMissing = record.peer === of.peer && record.status !== "committed" && !of.runs.has(runName(record));
      return isMissing ? [number] : [];
    });
    return this.#loseAll(lost, of.reason, nowMs);
  }

  #loseAll(all: readonly number[], reason: string, nowMs: number): Action[] {
    const actions: Action[] = [];
    const lost: number[] = [];
    for (const number of all) {
      if (this.#isPrepared(this.at(number))) this.commits.seek(this.at(number), reason, nowMs);
      else lost.push(number);
    }
    for (const number of lost) this.#markLost(this.at(number), reason, nowMs);
    for (const number of lost) actions.push(...this.#withNeighbours(number, reason, nowMs));
    return actions;
  }

  #lost(number: number, reason: string, nowMs: number): Action[] {
    return this.#loseAll([number], reason, nowMs);
  }

  loseOutput(
    of: { readonly task: TaskVertex; readonly attempt: number; readonly reason: string },
    nowMs: number,
  ): Action[] {
    const number = this.numberOf(of.task);
    const record = number === null ? null : this.at(number);
    if (number === null || record?.status !== "finished" || record.attempt !== of.attempt) return [];
    return this.#lost(number, of.reason, nowMs);
  }

  cancel(record: TaskRecord, nowMs: number): Action[] {
    if (record.peer === null || !isLive(record) || record.status === "cancelling") return [];
    this.#set(record, "cancelling", nowMs);
    return [cancelOf({ ...record, peer: record.peer })];
  }

  /** Regions that have to run now for the roots to be made, and can; producers first. Deploying one can undo others. */
  *runnable(nowMs: number): Generator<readonly number[], void> {
    for (const region of this.#open) {
      if (this.#canRun(region, nowMs) && this.#open.isNeeded(region)) yield region;
    }
  }

  /** Of one that waits. */
  #canRun(region: readonly number[], nowMs: number): boolean {
    return region.every((number) => this.at(number).notBeforeMs <= nowMs && this.#isFed(number));
  }

  /** Makes ready for a region that runs again: whoever has read what it cannot give again the same starts anew. */
  beforeDeploy(region: readonly number[], nowMs: number): Action[] {
    const actions: Action[] = [];
    for (const number of region) {
      const record = this.at(number);
      if (!record.hasGiven || this.fragmentOf(record).isRepeatable) continue;
      record.hasGiven = false;
      actions.push(
        ...this.#reset(
          [...this.#downstream(number)].filter((reader) => this.graph.regionOf[reader] !== this.graph.regionOf[number]),
          nowMs,
        ),
      );
    }
    return actions;
  }

  /** Undoes what the tasks have done or do. */
  #reset(numbers: readonly number[], nowMs: number): Action[] {
    return numbers.flatMap((number) => {
      const record = this.at(number);
      return record.status === "finished" ? this.#drop(record, nowMs) : this.cancel(record, nowMs);
    });
  }

  /** What a task has given is not needed. */
  #drop(record: TaskRecord, nowMs: number): Action[] {
    const { peer } = record;
    this.#wait(record, nowMs);
    return peer === null ? [] : [cancelOf({ ...record, peer })];
  }

  deploy(
    number: number,
    place: { readonly attempt: number; readonly peer: PeerId; readonly slot: number },
    nowMs: number,
  ): void {
    const record = this.at(number);
    invariant(record.status === "waiting", "a task that is deployed was waiting");
    Object.assign(record, place);
    record.runs++;
    this.#set(record, "deployed", nowMs);
  }

  /** Tasks that took too long to begin or to end. */
  overdue(nowMs: number): Action[] {
    return this.records.flatMap((record, number): Action[] => {
      const dueMs = this.live.dueMs(record);
      if (dueMs === null || dueMs > nowMs || record.peer === null) return [];
      if (record.status === "cancelling") {
        record.sinceMs = nowMs;
        const reason = `task ${nameOf(record.task)} did not end within ${this.#settings.cancelTimeoutMs} ms`;
        return [{ kind: "endExecutor", peer: record.peer, reason }];
      }
      this.#countFailure(record, { reason: "it did not begin in time", isFinal: false, nowMs });
      return [...this.cancel(record, nowMs), ...this.#withNeighbours(number, "another task did not begin", nowMs)];
    });
  }

  #over(number: number, how: { readonly reason: string; readonly isFinal: boolean; readonly nowMs: number }): Action[] {
    const record = this.at(number);
    if (record.status === "committed") return [];
    const wasAsked = record.status === "cancelling";
    if (!wasAsked) this.#countFailure(record, how);
    this.#wait(record, how.nowMs);
    return wasAsked ? [] : this.#withNeighbours(number, `task ${nameOf(record.task)}: ${how.reason}`, how.nowMs);
  }

  #countFailure(
    record: TaskRecord,
    how: { readonly reason: string; readonly isFinal: boolean; readonly nowMs: number },
  ): void {
    const { taskRetriesMax, backoffMs, backoffMsMax } = this.#settings;
    record.failures++;
    note(record, how.reason);
    record.notBeforeMs = how.nowMs + Math.min(backoffMsMax, backoffMs * 2 ** (record.failures - 1));
    const text = `task ${nameOf(record.task)}: ${how.reason}`;
    if (how.isFinal) this.fatal ??= { reason: text, isFinal: true };
    else if (record.failures > taskRetriesMax) {
      this.fatal ??= { reason: `${text} (failed ${record.failures} times)`, isFinal: false };
    }
  }

  #markLost(record: TaskRecord, reason: string, nowMs: number): void {
    record.losses++;
    note(record, reason);
    this.#wait(record, nowMs);
    if (record.losses > this.#settings.taskLossesMax) {
      this.fatal ??= {
        reason: `task ${nameOf(record.task)} was lost ${record.losses} times: ${reason}`,
        isFinal: false,
      };
    }
  }

  /** What is gone takes its region with it, and those who are reading it. */
  #withNeighbours(number: number, reason: string, nowMs: number): Action[] {
    if (this.isFinishing) return [];
    const region = this.graph.regions[this.graph.regionOf[number] as number] as readonly number[];
    const actions = region.length > 1 ? this.#restartRegion(region, reason, nowMs) : [];
    for (const member of region) {
      if (this.at(member).status === "finished") continue;
      for (const reader of this.graph.consumers[member] ?? []) {
        const isOfRegion = this.graph.regionOf[reader] === this.graph.regionOf[member];
        if (isOfRegion || !isLive(this.at(reader))) continue;
        const readers = this.graph.regions[this.graph.regionOf[reader] as number] as readonly number[];
        actions.push(...this.#restartRegion(readers, reason, nowMs));
      }
    }
    return actions;
  }

  #restartRegion(region: readonly number[], reason: string, nowMs: number): Action[] {
    return region.flatMap((number) => {
      const record = this.at(number);
      if (record.status !== "finished") return this.cancel(record, nowMs);
      note(record, reason);
      return this.#drop(record, nowMs);
    });
  }

  #wait(record: TaskRecord, nowMs: number): void {
    record.peer = null;
    this.#set(record, "waiting", nowMs);
  }

  /** The one place where a status changes: what is counted follows it. */
  #set(record: TaskRecord, status: TaskStatus, nowMs: number): void {
    const change = Number(isDone(record.status)) - Number(isDone(status));
    const { fragment } = record.task;
    this.#undone[fragment] = (this.#undone[fragment] as number) + change;
    const isWaiting = status === "waiting";
    if (isWaiting !== (record.status === "waiting")) this.#open.changed(this.graph.numberOf(record.task), isWaiting);
    record.status = status;
    record.sinceMs = nowMs;
    if (status !== "waiting") {
      this.hasDeployed = true;
      this.hasBegun ||= status !== "deployed";
    }
    this.live.changed(record, nowMs);
  }

  #isFed(number: number): boolean {
    const { task } = this.at(number);
    return (this.inputs[task.fragment] as readonly ExchangeOutline[]).every((exchange) => {
      if (!exchange.isBlocking || this.#undone[exchange.from] === 0) return true;
      return exchange.kind === "forward" && this.#isProducerDone(exchange, task);
    });
  }

  #isProducerDone({ from, offset = 0 }: ExchangeOutline, { index }: TaskVertex): boolean {
    const producer = this.numberOf({ fragment: from, index: index - offset });
    return producer === null || isDone(this.at(producer).status);
  }

  /** Whoever has read of the task, directly or not, with all of their regions. */
  #downstream(number: number): ReadonlySet<number> {
    const found = new Set<number>();
    const visit = (from: number): void => {
      for (const reader of this.graph.consumers[from] ?? []) {
        if (found.has(reader)) continue;
        const region = this.graph.regions[this.graph.regionOf[reader] as number] as readonly number[];
        for (const member of region) found.add(member);
        region.forEach(visit);
      }
    };
    visit(number);
    return found;
  }
}
