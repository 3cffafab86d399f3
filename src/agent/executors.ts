/** All executor processes of the agent: those that stand by, those that have a job, and those that are being started. */
import { type Channel, type PeerId, Timers } from "../kernel/mod.ts";
import type { Served } from "../protocol/mod.ts";
import { AgentError } from "./error.ts";
import { type ExecutorParts, ExecutorProcess } from "./executor.ts";
import type { End } from "./exit_reason.ts";
import type { AgentHooks, AgentOptions, AgentPorts, AgentSettings } from "./ports.ts";
import { Supervisor } from "./supervisor.ts";

export interface ExecutorsOptions {
  readonly ports: AgentPorts;
  readonly options: AgentOptions;
  readonly settings: AgentSettings;
  readonly hooks: Pick<AgentHooks, "facts">;
  services(executor: ExecutorProcess): readonly Served[];
  /** One that was taken is gone. */
  lost(executor: ExecutorProcess, end: End): void;
  output(executor: ExecutorProcess, stream: "out" | "err", bytes: Uint8Array): void;
}

interface Waiter {
  readonly resolve: (executor: ExecutorProcess) => void;
  readonly reject: (error: Error) => void;
}

/** Spares are begun this long after the start, and after one was taken: what is going on has the processor first. */
const FIRST_SPARE_MS = 1_000;
const NEXT_SPARE_MS = 250;
/** Processes that start at the same time. */
const STARTING_MAX = 4;
/** A spare that is one too many is kept for so long. */
const SURPLUS_MS = 10_000;
/** Spares are looked at every so many looks. */
const SPARE_LOOKS = 10;
const STOP_WAIT_MS = 2_000;

const SPARE = "spare";
const SUPERVISION = {
  strategy: "one-for-one",
  backoff: { firstMs: 100, maxMs: 10_000 },
  breaker: { failuresMax: 5, windowMs: 60_000, restMs: 10_000, restMsMax: 120_000 },
  stableMs: 10_000,
} as const;

export class Executors {
  readonly #options: ExecutorsOptions;
  readonly #parts: ExecutorParts;
  readonly #timers: Timers;
  readonly #supervisor: Supervisor;
  readonly #all = new Map<PeerId, ExecutorProcess>();
  /** Those that stand by, with the time since when; the one used last at the end. */
  readonly #spares = new Map<ExecutorProcess, number>();
  /** Those that are letting go of their job: whoever waits has one of them sooner than a new one. */
  readonly #returning = new Set<ExecutorProcess>();
  #waiters: Waiter[] = [];
  /** Spares are not begun before. */
  #sparesFromMs = Number.POSITIVE_INFINITY;
  /** Nothing is started before. */
  #retryFromMs = 0;
  #isBalancing = false;
  #isStopped = false;
  #looks = 0;
  #lastFailure = "";
  readonly #whenEmpty: (() => void)[] = [];

  constructor(options: ExecutorsOptions) {
    const { clock, random } = options.ports;
    this.#options = options;
    this.#timers = new Timers(clock, random);
    this.#supervisor = new Supervisor(SUPERVISION, random);
    this.#supervisor.add(SPARE, "permanent");
    this.#parts = {
      ...options,
      ready: (executor) => this.#ready(executor),
      ended: (executor, end) => this.#ended(executor, end),
    };
  }

  start(): void {
    this.#sparesFromMs = this.#nowMs + FIRST_SPARE_MS;
    this.#timers.every(this.#options.settings.lookMs, () => this.#look());
    this.#timers.after(FIRST_SPARE_MS, () => this.#balance());
  }

  /** Ends all; at most a few seconds. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#refuse(new AgentError("stopping", "The node is stopping."));
    for (const executor of this.#all.values()) executor.end("the node stops");
    if (this.#all.size > 0) {
      await new Promise<void>((resolve) => {
        this.#whenEmpty.push(resolve);
        this.#timers.after(STOP_WAIT_MS, resolve);
      });
    }
    this.#timers.stop();
  }

  get(peer: PeerId): ExecutorProcess | null {
    return this.#all.get(peer) ?? null;
  }

  /** How long no executor is started, for too many did not come up; 0: they are. */
  get restMs(): number {
    return this.#supervisor.restMs(this.#nowMs);
  }

  attached(channel: Channel): void {
    const executor = this.#all.get(channel.peer);
    if (executor === undefined) channel.abort("no executor of this node");
    else executor.attached(channel);
  }

  /** One that is ready, for the caller alone; started if need be. @throws {AgentError} no-executor, stopping */
  take(signal?: AbortSignal): Promise<ExecutorProcess> {
    if (this.#isStopped) return Promise.reject(new AgentError("stopping", "The node is stopping."));
    const spare = [...this.#spares.keys()].findLast((each) => !each.isGone);
    if (spare !== undefined) {
      this.#spares.delete(spare);
      this.#sparesFromMs = Math.max(this.#sparesFromMs, this.#nowMs + NEXT_SPARE_MS);
      this.#timers.after(NEXT_SPARE_MS, () => this.#balance());
      return Promise.resolve(spare);
    }
    if (this.restMs > 0) return Promise.reject(this.#noExecutor());
    return new Promise((resolve, reject) => {
      const waiter: Waiter = { resolve, reject };
      this.#waiters.push(waiter);
      signal?.addEventListener("abort", () => {
        this.#waiters = this.#waiters.filter((other) => other !== waiter);
        reject(new AgentError("no-executor", "Nobody waits for the executor any more.", { retryable: true }));
      });
      this.#balance();
    });
  }

  /** It will be given back soon, or end. */
  returning(executor: ExecutorProcess): void {
    if (!executor.isGone) this.#returning.add(executor);
  }

  /** It has no job any more and may be given another. */
  giveBack(executor: ExecutorProcess): void {
    this.#returning.delete(executor);
    if (executor.phase !== "ready" || executor.isGone) return;
    const { settings, options } = this.#options;
    const hadTasks = executor.givenUpTo > 0;
    executor.givenUpTo = 0;
    executor.jobId = null;
    executor.limitMemory(options.slots);
    if (hadTasks && executor.isOutgrown) {
      this.#spares.set(executor, this.#nowMs);
      return executor.end("it kept too much memory of its last job");
    }
    const waiter = this.#waiters.shift();
    if (waiter !== undefined) return waiter.resolve(executor);
    this.#spares.set(executor, this.#nowMs);
    const [oldest] = this.#spares.keys();
    // While jobs come and go, each slot may want one, and the compiler too; what is surplus goes once it has been idle.
    const sparesMax = Math.max(settings.sparesMax, settings.sparesMin + options.slots + 1);
    if (this.#spares.size > sparesMax) oldest?.end("it is not needed");
  }

  get #nowMs(): number {
    return this.#options.ports.clock.nowMs();
  }

  get #startingCount(): number {
    let count = 0;
    for (const executor of this.#all.values()) if (executor.phase === "starting") count++;
    return count;
  }

  /** Starts what is missing. */
  #balance(): void {
    // A process that cannot even be started tells so at once.
    if (this.#isBalancing) return;
    this.#isBalancing = true;
    try {
      while (this.#isOneMissing()) this.#startOne();
    } finally {
      this.#isBalancing = false;
    }
  }

  #isOneMissing(): boolean {
    const nowMs = this.#nowMs;
    if (this.#isStopped || this.restMs > 0 || nowMs < this.#retryFromMs) return false;
    const startingMax = this.#supervisor.isTrying(nowMs) ? 1 : STARTING_MAX;
    const starting = this.#startingCount;
    const areSparesDue = nowMs >= this.#sparesFromMs;
    const wanted = this.#waiters.length + (areSparesDue ? this.#options.settings.sparesMin : 0);
    return starting < startingMax && starting + this.#returning.size + this.#spares.size < wanted;
  }

  #startOne(): void {
    try {
      const executor = new ExecutorProcess(this.#parts);
      this.#all.set(executor.peer, executor);
      this.#supervisor.started(SPARE, this.#nowMs);
    } catch (error) {
      this.#failedToStart(error instanceof Error ? error.message : String(error));
    }
  }

  #ready(executor: ExecutorProcess): void {
    const { ports } = this.#options;
    this.#supervisor.proved(SPARE);
    const startMs = Math.round(this.#nowMs - executor.startedMs);
    const { cpuMs = null, residentBytes = null } = executor.usage() ?? {};
    ports.log.write("debug", "executor is ready", { pid: executor.pid, startMs, cpuMs, residentBytes });
    this.giveBack(executor);
  }

  #ended(executor: ExecutorProcess, end: End): void {
    const wasStarting = !this.#spares.has(executor) && !executor.wasReady;
    const isSpare = this.#spares.delete(executor);
    this.#returning.delete(executor);
    this.#all.delete(executor.peer);
    if (this.#all.size === 0) for (const resolve of this.#whenEmpty.splice(0)) resolve();
    if (this.#isStopped) return;
    if (wasStarting) this.#failedToStart(end.reason);
    else if (!isSpare) this.#options.lost(executor, end);
    this.#balance();
  }

  #failedToStart(reason: string): void {
    const { nowMs, verdict } = this.#exited();
    this.#lastFailure = reason;
    this.#options.ports.log.write("warn", "executor did not start", { reason, restMs: Math.ceil(this.restMs) });
    const afterMs = verdict.start[0]?.afterMs ?? 0;
    // Those who wait are told once nothing is tried any more; until then the next start is for them.
    if (this.restMs > 0) this.#refuse(this.#noExecutor());
    this.#retryFromMs = nowMs + afterMs;
    this.#timers.after(afterMs, () => this.#balance());
  }

  #exited() {
    const nowMs = this.#nowMs;
    return { nowMs, verdict: this.#supervisor.exited(SPARE, { isOrderly: false, nowMs }) };
  }

  #noExecutor(): AgentError {
    const seconds = Math.ceil(this.restMs / 1_000);
    const text = `Executors do not start on this node: ${this.#lastFailure}. It tries again in ${seconds} s.`;
    return new AgentError("no-executor", text, { retryable: true });
  }

  #refuse(error: AgentError): void {
    for (const waiter of this.#waiters.splice(0)) waiter.reject(error);
  }

  #look(): void {
    this.#looks++;
    const areSparesLookedAt = this.#looks % SPARE_LOOKS === 0;
    for (const executor of this.#all.values()) {
      if (areSparesLookedAt || !this.#spares.has(executor)) executor.look();
    }
    const { sparesMin } = this.#options.settings;
    const [oldest] = this.#spares;
    if (oldest === undefined || this.#spares.size <= sparesMin) return;
    const [executor, sinceMs] = oldest;
    if (this.#nowMs - sinceMs > SURPLUS_MS) executor.end("it is not needed");
  }
}
