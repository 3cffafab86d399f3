/**
 * One run: a cluster grows, clients ask it for things while faults happen, then all faults end and the cluster must come to
 * rest, whole and agreed, in bounded time. What must hold is checked all the while.
 */

import { SageError } from "../../kernel/mod.ts";
import type { RaftRules } from "../../raft/mod.ts";
import { checkFinal, unrest } from "../check/final_check.ts";
import { checkLinearizable, type HistoryEntry } from "../check/linearizability.ts";
import { LogCheck } from "../check/log_check.ts";
import type { Violation } from "../check/violation.ts";
import { DiskFullError } from "../disk/virtual_store.ts";
import { SimCluster } from "../nodes/sim_cluster.ts";
import type { SimNode, SimNodeEnd, WrapStore } from "../nodes/sim_node.ts";
import type { Trace } from "../trace.ts";
import { Client, type Shared, type WorkloadOptions } from "../workload/client.ts";
import { History } from "../workload/history.ts";
import type { Settle } from "../world/world.ts";
import { ClusterTarget } from "./cluster_target.ts";
import { FAULT_KINDS, type FaultKind, type FaultOptions, Faults } from "./faults.ts";

/** Faults put in on purpose, to see that they are found. */
export interface Canary {
  readonly rules?: RaftRules;
  readonly wrapStore?: WrapStore;
}

export interface ScenarioOptions {
  readonly seed: number;
  readonly settle: Settle;
  /** Default 5. */
  readonly nodes?: number;
  /** Virtual minutes in which faults happen; default 1. */
  readonly minutes?: number;
  /** Kinds, and how often and long; by default drawn from the seed. */
  readonly faults?: Partial<FaultOptions>;
  readonly workload?: Partial<WorkloadOptions>;
  readonly canary?: Canary;
  readonly hasTrace?: boolean;
  /** Errors that reached nobody, so far: the caller's runtime knows. */
  readonly strayErrors?: () => Promise<readonly unknown[]>;
}

export interface ScenarioStats {
  readonly virtualMs: number;
  readonly events: number;
  readonly terms: number;
  readonly entries: number;
  readonly snapshotsRestored: number;
  readonly calls: number;
  readonly answers: number;
  /** From the end of all faults until the cluster was whole. */
  readonly restMs: number | null;
  /** Equal for equal runs. */
  readonly fingerprint: number;
}

export interface ScenarioResult {
  readonly seed: number;
  readonly violations: readonly Violation[];
  readonly history: readonly HistoryEntry[];
  readonly stats: ScenarioStats;
  readonly trace: Trace;
}

/** After the last fault the cluster is whole within this. */
export const REST_MS_MAX = 60_000;
/** In a whole cluster a command is applied within this. */
export const PROGRESS_MS_MAX = 3_000;
const LOOK_MS = 200;
/** A cluster that was whole for so long stays so: whoever is missing would have been missed. */
const CALM_MS = 2_000;

export async function runScenario(options: ScenarioOptions): Promise<ScenarioResult> {
  const run = new Run(options);
  await run.all();
  return run.result();
}

class Run {
  readonly #options: ScenarioOptions;
  readonly #cluster: SimCluster;
  readonly #log: LogCheck;
  readonly #history = new History();
  readonly #shared: Shared;
  #target: ClusterTarget | null = null;
  #restMs: number | null = null;
  #entries: readonly HistoryEntry[] = [];

  constructor(options: ScenarioOptions) {
    const { seed, settle, canary = {}, hasTrace = false } = options;
    this.#options = options;
    this.#cluster = new SimCluster({
      seed,
      settle,
      hasTrace,
      // Often enough that nodes fall behind one, also in a short run.
      node: { snapshots: { everyEntries: 200, keepEntries: 50 } },
      ...canary,
    });
    const { world } = this.#cluster;
    this.#log = new LogCheck(() => world.nowMs);
    this.#shared = {
      cluster: this.#cluster,
      log: this.#log,
      history: this.#history,
      options: { clients: 5, thinkMs: 200, keys: 3, ...options.workload },
      seen: new Map(),
      jobs: [],
      blobs: new Map(),
      stats: { calls: 0, answers: 0 },
    };
    this.#cluster.watch = {
      roleChanged: ({ name }, { role, term }) => {
        if (role === "leader") this.#log.elected(name, term);
      },
      applied: (node, result, data) => this.#log.applied(node, result, data),
      restored: () => {
        this.#log.restoredCount++;
      },
      ended: (node, end) => this.#ended(node, end),
    };
  }

  async all(): Promise<void> {
    const { world } = this.#cluster;
    try {
      await this.#cluster.grow(this.#options.nodes ?? 5);
      await this.#storm();
      if (this.#isFine) await this.#rest();
      if (this.#isFine) this.#judge();
    } catch (error) {
      this.#log.fail("error", error instanceof Error ? (error.stack ?? error.message) : String(error));
    }
    await this.#noteStray();
    for (const { text, atMs } of this.#log.violations)
      this.#cluster.note("check", `${text} (at ${atMs} of ${world.nowMs})`);
  }

  result(): ScenarioResult {
    const { world, trace } = this.#cluster;
    const { calls, answers } = this.#shared.stats;
    const { violations, termCount, lastIndex, restoredCount } = this.#log;
    const stats: ScenarioStats = {
      virtualMs: world.nowMs,
      events: world.eventCount,
      terms: termCount,
      entries: lastIndex,
      snapshotsRestored: restoredCount,
      calls,
      answers,
      restMs: this.#restMs,
      fingerprint: world.fingerprint,
    };
    return { seed: this.#options.seed, violations, history: this.#entries, stats, trace };
  }

  get #isFine(): boolean {
    return this.#log.violations.length === 0;
  }

  /** Clients and faults, for as long as was asked for. */
  async #storm(): Promise<void> {
    const { world } = this.#cluster;
    const target = new ClusterTarget(this.#cluster);
    this.#target = target;
    const clients = Array.from(
      { length: this.#shared.options.clients },
      (_, index) => new Client(`c${index}`, this.#shared),
    );
    const faults = new Faults(target, this.#faultOptions());
    await world.run((this.#options.minutes ?? 1) * 60_000, () => !this.#isFine);
    target.release();
    faults.calm();
    for (const client of clients) client.stop();
  }

  /** A mix of its own for each seed: some runs have few kinds of faults, but many of them. */
  #faultOptions(): FaultOptions {
    const random = this.#cluster.world.random.fork();
    const share = random.between(0.3, 1.3);
    const kinds = FAULT_KINDS.filter(() => random.chance(share));
    const drawn = {
      kinds: kinds.length > 0 ? kinds : (["crash", "partition"] satisfies FaultKind[]),
      everyMs: random.between(600, 6_000),
      lastsMs: random.between(500, 6_000),
    };
    this.#cluster.note("world", `faults: ${drawn.kinds.join(" ")}`);
    return { ...drawn, ...this.#options.faults };
  }

  async #rest(): Promise<void> {
    const { world, nodes } = this.#cluster;
    const startMs = world.nowMs;
    const target = this.#target;
    let why: string | null = "just begun";
    let sinceMs = startMs;
    while (this.#isFine && world.nowMs - sinceMs < CALM_MS) {
      await world.run(LOOK_MS);
      why = target?.isReplacing ? "a node is being replaced" : unrest(this.#cluster.nodes);
      if (why !== null) sinceMs = world.nowMs;
      if (world.nowMs - startMs > REST_MS_MAX) {
        return this.#log.fail("no-agreement", `${REST_MS_MAX} ms after the last fault: ${why ?? "only now"}`);
      }
    }
    if (!this.#isFine) return;
    this.#restMs = sinceMs - startMs;
    for (const { name } of nodes) await this.#progress(name);
    await world.run(2 * LOOK_MS);
  }

  /** Each node can bring a command into the log, soon. */
  async #progress(name: string): Promise<void> {
    const node = this.#cluster.nodes.find((other) => other.name === name)?.node;
    if (node === undefined || node === null || !this.#isFine) return;
    const { world } = this.#cluster;
    let answer = "";
    const command = { kind: "setting.set", key: "end", value: name, expectedVersion: null } as const;
    node.propose(command, PROGRESS_MS_MAX).then(
      ({ ok }) => {
        answer = ok ? "ok" : "refused";
      },
      (error: unknown) => {
        answer = String(error);
      },
    );
    await world.run(PROGRESS_MS_MAX + 100, () => answer !== "");
    if (answer !== "ok")
      this.#log.fail("no-progress", `a command at ${name} when all is well: ${answer || "no answer"}`);
  }

  #judge(): void {
    const log = this.#log;
    const { jobs, blobs } = this.#shared;
    checkFinal(this.#cluster.nodes, log, { acknowledged: log.acknowledgedNames, jobs, blobs: [...blobs.keys()] });
    this.#entries = this.#history.entries((name) => {
      const applied = log.find(name);
      return applied === null ? null : applied.atMs;
    });
    const verdict = checkLinearizable(this.#entries);
    if (verdict.kind === "too-hard") {
      log.fail("not-linearizable", `the history of ${verdict.key} is too hard to check: ${verdict.configurationCount}`);
    } else if (verdict.kind === "violation") {
      const shown = (entry: HistoryEntry) =>
        `    ${entry.client} ${entry.calledAtMs.toFixed(2)}–${entry.returnedAtMs.toFixed(2)} ${JSON.stringify(entry.operation)}`;
      const lines = ["  ordered so far:", ...verdict.longest.slice(-12).map(shown), "  none can be next:"];
      const text = [...lines, ...verdict.stuck.map(shown)].join("\n");
      log.fail("not-linearizable", `no order explains the history of ${verdict.key}\n${text}`);
    }
  }

  #ended({ name, peer }: SimNode, end: SimNodeEnd): void {
    if (end.kind === "removed") {
      if (!this.#target?.removed.has(peer))
        this.#log.fail("node-ended", `${name} was removed, but nobody asked for it`);
      return;
    }
    const { error } = end;
    // A node that cannot reach anybody to join gives up, and is started again.
    if (error instanceof DiskFullError || (end.kind === "not-started" && error instanceof SageError)) return;
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#log.fail("node-ended", `${name} ended by itself (${end.kind}): ${text}`);
  }

  async #noteStray(): Promise<void> {
    for (const error of (await this.#options.strayErrors?.()) ?? []) {
      this.#log.fail("error", `unhandled: ${error instanceof Error ? error.stack : String(error)}`);
    }
  }
}
