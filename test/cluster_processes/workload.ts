/**
 * Clients of a real cluster, each asking one thing after the other: settings read, set, and changed if unchanged. What they
 * were told is held against what can be, and against what is there in the end.
 */
import type { ClusterClient } from "../../src/client/mod.ts";
import { settingGet, settingSet } from "../../src/protocol/mod.ts";
import { checkLinearizable, type HistoryEntry, type Operation } from "../../src/sim/check/linearizability.ts";
import { Seeded } from "../../src/sim/world/seeded.ts";
import { pause } from "./harness.ts";

export interface WorkloadOptions {
  /** Also part of the settings' names: a cluster is given each but once. */
  readonly seed: number;
  readonly clients: readonly ClusterClient[];
  /** Settings that the clients share at a time. */
  readonly keys: number;
  readonly thinkMs: number;
}

/** After so many operations a new set of settings is used, since a long history is hard to check. */
const OPERATIONS_PER_KEY = 120;
const TIMEOUT_MS = 8_000;

interface Seen {
  readonly version: number;
  readonly value: string | null;
}

export class Workload {
  readonly #options: WorkloadOptions;
  readonly #history: HistoryEntry[] = [];
  readonly #seen = new Map<string, Seen>();
  /** By key: settings that were made once and never touched again. */
  readonly #kept = new Map<string, string>();
  readonly #done: Promise<unknown>;
  #isStopped = false;
  #lastAnswerMs = performance.now();
  #started = 0;
  readonly stats = { asked: 0, answered: 0, unanswered: 0, longestGapMs: 0 };
  /** Answers that should not be. */
  readonly violations: string[] = [];

  constructor(options: WorkloadOptions) {
    this.#options = options;
    const random = new Seeded(options.seed);
    this.#done = Promise.all(options.clients.map((client, index) => this.#run(client, `c${index}`, random.fork())));
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#done;
  }

  /** Looks at all that was answered; `client` must reach the cluster. */
  async check(client: ClusterClient): Promise<void> {
    const result = checkLinearizable(this.#history);
    if (result.kind !== "linearizable") this.violations.push(`history: ${JSON.stringify(result, null, 1)}`);
    const missing: string[] = [];
    const batch = [...this.#kept];
    while (batch.length > 0) {
      const part = batch.splice(0, 200);
      await Promise.all(
        part.map(async ([key, value]) => {
          const { setting } = await client.call(settingGet, { key, consistency: "stale" }, { timeoutMs: 30_000 });
          if (setting?.value !== value) missing.push(key);
        }),
      );
    }
    if (missing.length > 0) this.violations.push(`acknowledged and lost: ${missing.join(", ")}`);
  }

  get historySize(): number {
    return this.#history.length;
  }

  get keptCount(): number {
    return this.#kept.size;
  }

  async #run(client: ClusterClient, name: string, random: Seeded): Promise<void> {
    for (let count = 0; !this.#isStopped; count++) {
      const generation = Math.floor(this.#started++ / (this.#options.keys * OPERATIONS_PER_KEY));
      const key = `s${this.#options.seed}.g${generation}.k${random.below(this.#options.keys)}`;
      this.stats.asked++;
      const isAnswered = await this.#ask({ client, name, random }, key, `${name}.${count}`);
      if (isAnswered) this.#answered();
      else this.stats.unanswered++;
      await pause(random.exponential(this.#options.thinkMs));
    }
  }

  #answered(): void {
    const nowMs = performance.now();
    this.stats.answered++;
    this.stats.longestGapMs = Math.max(this.stats.longestGapMs, Math.round(nowMs - this.#lastAnswerMs));
    this.#lastAnswerMs = nowMs;
  }

  #ask(by: Asker, key: string, value: string): Promise<boolean> {
    const dice = by.random.next();
    if (dice < 0.35) return this.#read(by, key);
    if (dice < 0.5) return this.#keep(by, value);
    if (dice < 0.65) return this.#set(by, { key, value, expected: null });
    return this.#set(by, { key, value, expected: this.#seen.get(key) ?? { version: 0, value: null } });
  }

  async #read({ client, name }: Asker, key: string): Promise<boolean> {
    const calledAtMs = performance.now();
    try {
      const { setting } = await client.call(settingGet, { key, consistency: "leader" }, { timeoutMs: TIMEOUT_MS });
      const { value, version } = setting ?? { value: null, version: 0 };
      this.#seen.set(key, { value, version });
      this.#note(name, key, { kind: "read", result: value }, calledAtMs, performance.now());
      return true;
    } catch {
      return false;
    }
  }

  async #set(
    { client, name, random }: Asker,
    { key, value, expected }: { readonly key: string; readonly value: string; readonly expected: Seen | null },
  ): Promise<boolean> {
    const calledAtMs = performance.now();
    const operation = (isDone: boolean | null): Operation =>
      expected === null ? { kind: "write", value } : { kind: "compareAndSet", expected: expected.value, value, isDone };
    try {
      const expectedVersion = expected?.version ?? null;
      const reply = await client.call(settingSet, { key, value, expectedVersion }, { timeoutMs: TIMEOUT_MS });
      const isDone = reply.result === "set";
      if (!isDone && expected === null) this.violations.push(`${key}=${value} without a condition was a conflict`);
      if (reply.result === "set") this.#seen.set(key, { value, version: reply.version });
      else if (random.chance(0.7)) this.#seen.delete(key);
      this.#note(name, key, operation(isDone), calledAtMs, performance.now());
      return true;
    } catch {
      this.#note(name, key, operation(null), calledAtMs, Number.POSITIVE_INFINITY);
      return false;
    }
  }

  /** A setting of its own: what is acknowledged must be there for ever, as it was set. */
  async #keep({ client }: Asker, value: string): Promise<boolean> {
    const key = `s${this.#options.seed}.kept.${value}`;
    try {
      const reply = await client.call(settingSet, { key, value, expectedVersion: 0 }, { timeoutMs: TIMEOUT_MS });
      if (reply.result === "set") this.#kept.set(key, value);
      else this.violations.push(`${key} is nobody else's, and was a conflict at version ${reply.actualVersion}`);
      return true;
    } catch {
      return false;
    }
  }

  #note(client: string, key: string, operation: Operation, calledAtMs: number, returnedAtMs: number): void {
    this.#history.push({ client, key, operation, calledAtMs, returnedAtMs });
  }
}

interface Asker {
  readonly client: ClusterClient;
  readonly name: string;
  readonly random: Seeded;
}
