/**
 * The JobManager: what the Raft leader does about jobs while it leads. It begins with the jobs of the log and with what
 * all agents tell that they have; it ends, without a word, when another one leads.
 */

import type { JobsReport } from "../../agent/mod.ts";
import { type ApplyResult, type Command, type Health, type JobRecord } from "../../cluster/mod.ts";
import { type Action, type AgentFacts, isEnded, type JobState, runName, type UserVerb } from "../../jobs/mod.ts";
import type { Clock, Keys, Log, PeerId, TimerId, Timers } from "../../kernel/mod.ts";
import type { TaskReport } from "../../protocol/mod.ts";
import { NodeError } from "../error.ts";
import type { Replica } from "../replica.ts";
import { Agents, type DeployOrder, type Inventory } from "./agents.ts";
import { allocate, type Claim, type FreeAgent } from "./allocation.ts";
import type { AgentCalls } from "./calls.ts";
import type { Contents } from "./contents.ts";
import { type Asker, type DriverHost, JobDriver } from "./driver.ts";
import { Holders, type KeptRun } from "./holders.ts";
import { LogWriter } from "./log_writer.ts";
import { UsedSlots } from "./used_slots.ts";

export interface ManagerOptions {
  readonly term: number;
  readonly self: PeerId;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly keys: Pick<Keys, "sha256">;
  readonly log: Log;
  readonly replica: Replica;
  readonly calls: AgentCalls;
  readonly contents: Contents;
  /** As the asker's, where there is one. */
  readonly propose: (command: Command, asker: Asker | null) => ReturnType<Replica["propose"]>;
  readonly isConnected: (peer: PeerId) => boolean;
  readonly healthOf: (peer: PeerId) => Health | null;
}

/** Agents are looked at again this often, whatever was heard of them. */
const LOOK_MS = 1_000;
/** While jobs lack slots, those that are free are given away this often at the most. */
const ALLOCATE_MS = 5;

interface DriverClaim extends Claim {
  readonly driver: JobDriver;
}

export class JobManager implements DriverHost {
  readonly term: number;
  readonly self: PeerId;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly keys: Pick<Keys, "sha256">;
  readonly calls: AgentCalls;
  readonly contents: Contents;
  readonly agents: Agents;
  readonly #options: ManagerOptions;
  readonly #writer: LogWriter;
  readonly #drivers = new Map<string, JobDriver>();
  readonly #woken = new Set<JobDriver>();
  /** Want slots, or did when they were asked last. */
  readonly #hungry = new Set<JobDriver>();
  readonly #used = new UsedSlots();
  /** Agents that have, or may have, something of a job. */
  readonly #holders: Holders;
  readonly #known = new Set<string>();
  #isInventoryDone = false;
  #isTurnDue = false;
  #allocateDueMs = 0;
  #allocator: TimerId | null = null;
  #isStopped = false;
  readonly #ended = new AbortController();
  #looker: ReturnType<Timers["every"]> | null = null;

  constructor(options: ManagerOptions) {
    const { term, self, clock, timers, keys, log, calls, contents, isConnected, healthOf } = options;
    this.#options = options;
    this.term = term;
    this.self = self;
    this.clock = clock;
    this.timers = timers;
    this.keys = keys;
    this.calls = calls;
    this.contents = contents;
    this.agents = new Agents({
      clock,
      log,
      term,
      calls,
      isConnected,
      healthOf,
      members: () => this.#members(),
      inventory: (peer, inventory, deploying) => this.#inventory(peer, inventory, deploying),
      lost: (peer, reason) => this.#lost(peer, reason),
      unknown: (peer, jobId) => {
        const reason = "its agent has nothing of the job";
        this.#drivers.get(jobId)?.feed({ kind: "inventory", peer, runs: new Set(), reason });
      },
      refused: (peer, order, reason) => this.#refused(peer, order, reason),
    });
    this.#holders = new Holders({
      term,
      agents: this.agents,
      record: (jobId) => this.record(jobId),
      outlineOf: (jobId) => this.driver(jobId)?.loadOutline(this.#ended.signal) ?? Promise.resolve(null),
      isStopped: () => this.#isStopped,
    });
    this.#writer = new LogWriter({
      term,
      clock,
      log,
      replica: options.replica,
      propose: options.propose,
      isStopped: () => this.#isStopped,
    });
  }

  /** The state here is as new as any was when this node began to lead. */
  start(): void {
    for (const record of this.#options.replica.state.jobs.values()) {
      this.#known.add(record.jobId);
      if (!isEnded(record.state)) this.#drive(record);
    }
    this.agents.look();
    this.#looker = this.timers.every(LOOK_MS, () => this.#look());
    this.#lookAtInventory();
  }

  stop(): void {
    this.#isStopped = true;
    this.#ended.abort();
    if (this.#looker !== null) this.timers.cancel(this.#looker);
    if (this.#allocator !== null) this.timers.cancel(this.#allocator);
    this.agents.stop();
    for (const driver of this.#drivers.values()) driver.stop("Another node leads by now. Try again.");
    this.#drivers.clear();
  }

  nowMs(): number {
    return this.clock.nowMs();
  }

  wallMs(): number {
    return this.clock.wallMs();
  }

  record(jobId: string): JobRecord | null {
    return this.#options.replica.state.jobs.get(jobId) ?? null;
  }

  slots() {
    return this.agents.facts(this.#used);
  }

  offered(): readonly AgentFacts[] {
    const members = [...this.#options.replica.state.members.values()];
    return members
      .filter(({ info }) => info.slots > 0)
      .map(({ info: { peer, slots, memoryBytes } }) => {
        return { peer, slotCount: slots, slotMemoryBytes: Math.floor(memoryBytes / slots), load: 0, freeSlots: [] };
      });
  }

  touched(jobId: string, peer: PeerId): void {
    this.#holders.add(jobId, peer);
  }

  /** Agents that may have something of the job. */
  holdersOf(jobId: string): readonly PeerId[] {
    return this.#holders.of(jobId);
  }

  /** All agents have told what they have, or are lost. */
  get isInventoryDone(): boolean {
    return this.#isInventoryDone;
  }

  /** @throws {NodeError} not-leader, not-found */
  check(driver: JobDriver): void {
    if (this.#isStopped) throw new NodeError("not-leader", "Another node leads by now. Try again.");
    if (driver.isStopped) throw new NodeError("not-found", `Job ${driver.number} was deleted.`);
  }

  /** Where the rows of a task lie that ran under an earlier JobManager. */
  keptRun(jobId: string, name: string): KeptRun | null {
    return this.#holders.keptRun(jobId, name);
  }

  /** Also for jobs that have ended; null when the log has none. */
  driver(jobId: string): JobDriver | null {
    const record = this.record(jobId);
    return record === null ? null : (this.#drivers.get(jobId) ?? this.#drive(record));
  }

  wake(driver: JobDriver): void {
    this.#woken.add(driver);
    this.#turnSoon();
  }

  #turnSoon(): void {
    if (this.#isTurnDue || this.#isStopped) return;
    this.#isTurnDue = true;
    this.clock.soon(() => {
      this.#isTurnDue = false;
      if (!this.#isStopped) this.#turn();
    });
  }

  move(driver: JobDriver, action: Extract<Action, { kind: "move" }>): void {
    void this.#writer.move(driver, action, { made: driver.compiler.made, asker: driver.askerOf(action) });
  }

  release(driver: JobDriver, upToAttempt: number): void {
    const { state, attempt } = driver.machine;
    const keepResults = state === "finished" && upToAttempt === attempt;
    const sinkPaths = driver.outline?.sinkPaths ?? [];
    this.#holders.release(driver.jobId, { upToAttempt, keepResults, sinkPaths, isDisturbed: driver.isDisturbed });
  }

  /** @throws {NodeError} not-possible, not-leader */
  async verb(jobId: string, verb: UserVerb, asker: Asker): Promise<JobState | null> {
    return (await this.driver(jobId)?.verb(verb, asker)) ?? null;
  }

  /** Something of the log was applied here. */
  applied({ command, outcome }: ApplyResult): void {
    if (command?.kind === "member.remove" || command?.kind === "member.admit" || command?.kind === "member.update") {
      this.agents.look();
    }
    if (command === null || !("jobId" in command) || !outcome.ok) return;
    const record = this.record(command.jobId);
    if (command.kind === "job.create" && record !== null && !this.#drivers.has(command.jobId)) {
      this.#known.add(command.jobId);
      this.#drive(record)?.feed({ kind: "tick" });
    }
    if (command.kind === "job.move" && record !== null) {
      if (record.state === command.to) this.#drivers.get(command.jobId)?.moved(record);
    }
    if (this.#known.size !== this.#options.replica.state.jobs.size) this.#forget();
  }

  /** The state was replaced. */
  restored(): void {
    for (const [jobId, driver] of this.#drivers) {
      const record = this.record(jobId);
      if (record !== null) driver.moved(record);
    }
    this.#forget();
    this.agents.look();
  }

  report(peer: PeerId, { load, restMs, reports, lost, metrics }: JobsReport): void {
    this.agents.loaded(peer, load, restMs ?? 0);
    // How a task failed is told together with the end of its executor, and counts.
    for (const report of reports) this.#report(peer, report as TaskReport); // read-only there
    for (const { jobId, ...of } of lost) {
      const { upToAttempt, reason, isUnexplained = false } = of;
      if (this.#isOver(jobId)) this.#holders.sweep(jobId, peer);
      else this.#drivers.get(jobId)?.feed({ kind: "executorLost", peer, upToAttempt, reason, isUnexplained });
    }
    for (const { jobId, jobAttempt, run, metrics: counters } of metrics) {
      const driver = this.#drivers.get(jobId);
      if (driver === undefined || jobAttempt !== driver.machine.attempt) continue;
      driver.counted(`${run.task.fragment}.${run.task.index}`, run.attempt, counters);
    }
  }

  #report(peer: PeerId, report: TaskReport): void {
    if (this.#isOver(report.jobId)) return this.#holders.sweep(report.jobId, peer);
    this.#drivers.get(report.jobId)?.report(peer, report);
  }

  #isOver(jobId: string): boolean {
    const record = this.record(jobId);
    return record === null || isEnded(record.state);
  }

  #members(): readonly PeerId[] {
    const members = [...this.#options.replica.state.members.values()];
    return members.filter(({ info }) => info.slots > 0).map(({ info }) => info.peer);
  }

  #look(): void {
    this.agents.look();
    for (const peer of this.agents.present) {
      if (peer !== this.self && !this.#options.isConnected(peer)) this.agents.doubt(peer);
    }
    this.#lookAtInventory();
    this.#feedHungry();
  }

  #lookAtInventory(): void {
    if (this.#isInventoryDone || !this.agents.areKnown) return;
    this.#isInventoryDone = true;
    for (const driver of this.#drivers.values()) driver.feed({ kind: "inventoryDone" });
  }

  #drive(record: JobRecord): JobDriver | null {
    try {
      const driver = new JobDriver(this, record);
      this.#drivers.set(record.jobId, driver);
      driver.feed({ kind: this.#isInventoryDone ? "inventoryDone" : "tick" });
      return driver;
    } catch (error) {
      const { number } = record;
      this.#options.log.write("warn", "job cannot be run: it is of other software", {
        job: number,
        reason: String(error),
      });
      return null;
    }
  }

  /** Jobs that the log has no more: deleted, or forgotten for being old. */
  #forget(): void {
    const { jobs } = this.#options.replica.state;
    for (const jobId of jobs.keys()) this.#known.add(jobId);
    for (const jobId of this.#known) {
      if (jobs.has(jobId)) continue;
      this.#known.delete(jobId);
      const driver = this.#drivers.get(jobId);
      this.#drivers.delete(jobId);
      if (driver !== undefined) {
        this.#hungry.delete(driver);
        this.#used.drop(driver);
      }
      this.#holders.release(jobId, {
        upToAttempt: Number.MAX_SAFE_INTEGER,
        keepResults: false,
        sinkPaths: [],
        isDisturbed: false,
      });
      driver?.stop("The job was deleted.");
    }
  }

  #inventory(peer: PeerId, inventory: Inventory, deploying: readonly DeployOrder[]): void {
    const runs = new Map<string, Set<string>>();
    const has = (jobId: string, name: string): void => {
      const names = runs.get(jobId);
      if (names === undefined) runs.set(jobId, new Set([name]));
      else names.add(name);
    };
    for (const { job, tasks } of deploying) for (const order of tasks) has(job.jobId, runName(order));
    for (const report of inventory.reports) {
      has(report.jobId, runName(report));
      this.touched(report.jobId, peer);
      this.#found(peer, report);
    }
    for (const { jobId } of inventory.jobs) {
      if (this.#isOver(jobId)) this.#holders.sweep(jobId, peer);
      else this.touched(jobId, peer);
    }
    for (const { jobId, jobAttempt, runs: kept } of inventory.results) {
      for (const run of kept) has(jobId, runName(run));
      this.#holders.keep(peer, jobId, { jobAttempt, runs: kept });
    }
    const reason = "its agent does not have it any more";
    for (const driver of this.#drivers.values()) {
      driver.feed({ kind: "inventory", peer, runs: runs.get(driver.jobId) ?? new Set(), reason });
    }
    this.#feedHungry();
    this.#lookAtInventory();
  }

  #found(peer: PeerId, report: Inventory["reports"][number]): void {
    if (this.#isOver(report.jobId)) return;
    const { jobId, reason, isFinal, outputBytes, metrics, place: _place, lost: _lost, ...told } = report;
    const driver = this.#drivers.get(jobId);
    if (metrics !== undefined) driver?.counted(`${told.task.fragment}.${told.task.index}`, told.attempt, metrics);
    driver?.feed({
      kind: "task",
      peer,
      ...told,
      ...(reason === undefined ? {} : { reason }),
      ...(isFinal === undefined ? {} : { isFinal }),
      ...(outputBytes === undefined ? {} : { outputBytes }),
    });
  }

  #lost(peer: PeerId, reason: string): void {
    for (const driver of this.#drivers.values()) driver.feed({ kind: "agentLost", peer, reason });
    this.#lookAtInventory();
  }

  #refused(peer: PeerId, { job, tasks }: DeployOrder, reason: string): void {
    const { jobId, jobAttempt } = job;
    for (const { task, attempt } of tasks) {
      this.#drivers.get(jobId)?.feed({ kind: "task", jobAttempt, task, attempt, peer, status: "failed", reason });
    }
  }

  /** There may be slots that were not there before. */
  #feedHungry(): void {
    if (this.#hungry.size > 0) this.#turnSoon();
  }

  /** Each job first takes in what happened to it; then those that lack slots get what is free, in their order. */
  #turn(): void {
    for (const driver of this.#woken) {
      this.#woken.delete(driver);
      this.#turnOf(driver, NO_AGENTS);
      if (driver.machine.wantedSlots > 0) this.#hungry.add(driver);
      else this.#hungry.delete(driver);
    }
    if (this.#hungry.size > 0) this.#allocateWhenDue();
  }

  /** Gives the slots that it is in since. */
  #turnOf(driver: JobDriver, agents: readonly FreeAgent[]): ReturnType<UsedSlots["move"]> {
    driver.turn(agents);
    return this.#used.move(driver, driver.machine.takeMoved());
  }

  /** In a full cluster one slot after the other becomes free: those of a while are looked at together. */
  #allocateWhenDue(): void {
    const leftMs = this.#allocateDueMs - this.clock.nowMs();
    if (leftMs <= 0) return this.#allocate();
    this.#allocator ??= this.timers.after(leftMs, () => {
      this.#allocator = null;
      if (this.#hungry.size > 0) this.#allocate();
    });
  }

  #allocate(): void {
    const agents = this.slots();
    const free = new Map<PeerId, number[]>();
    for (const { peer, freeSlots } of agents) if (freeSlots.length > 0) free.set(peer, freeSlots);
    const claims = [...this.#hungry].map((driver): DriverClaim => {
      const { priority, taskMemoryBytes } = driver.submission.options;
      const { wantedSlots, hasBegun } = driver.machine;
      return { driver, number: driver.number, priority, wantedSlots, taskMemoryBytes, hasBegun };
    });
    allocate(claims, agents, {
      take: ({ driver }) => {
        driver.waiting = null;
        for (const { peer, slot } of this.#turnOf(driver, agents)) {
          const slots = free.get(peer);
          const at = slots?.indexOf(slot) ?? -1;
          if (at >= 0) slots?.splice(at, 1);
        }
        if (driver.machine.wantedSlots === 0) this.#hungry.delete(driver);
      },
      waits: ({ driver }, why) => {
        driver.waiting = why;
      },
    });
    this.#allocateDueMs = this.#hungry.size > 0 ? this.clock.nowMs() + ALLOCATE_MS : 0;
  }
}

const NO_AGENTS: readonly FreeAgent[] = [];
