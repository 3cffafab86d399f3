/**
 * One run with jobs: a cluster grows, clients submit jobs while nodes, executors, disks and links fail, then all faults end:
 * every job must come to its end, its result must be that of an undisturbed run, and nothing of it may be left behind.
 */
import { SageError } from "../../kernel/mod.ts";
import { unrest } from "../check/final_check.ts";
import { LogCheck } from "../check/log_check.ts";
import { DiskFullError } from "../disk/virtual_store.ts";
import type { SimNode, SimNodeEnd } from "../nodes/sim_node.ts";
import { ClusterTarget } from "../scenario/cluster_target.ts";
import { FAULT_KINDS, type FaultKind, type FaultOptions, Faults } from "../scenario/faults.ts";
import type { ScenarioResult } from "../scenario/scenario.ts";
import { Seeded } from "../world/seeded.ts";
import type { Settle } from "../world/world.ts";
import { functionsOf, JOB_KINDS, type JobKind } from "./catalog.ts";
import { ExecutorFaults } from "./executor_faults.ts";
import { inputFiles } from "./input.ts";
import { checkJobs, leftovers, SinkCheck } from "./job_check.ts";
import { JobClient, type JobShared } from "./job_client.ts";
import { type JobCanary, JobCluster, type Pace } from "./job_cluster.ts";
import { openSimClient } from "./sim_client.ts";

export interface JobScenarioOptions {
  readonly seed: number;
  readonly settle: Settle;
  /** Default 3. */
  readonly nodes?: number;
  /** Virtual minutes in which faults happen; default 0.25. */
  readonly minutes?: number;
  readonly clients?: number;
  readonly faults?: Partial<FaultOptions>;
  /** Default: drawn. */
  readonly pace?: Pace;
  /** Default: all. */
  readonly kinds?: readonly JobKind[];
  readonly canary?: JobCanary;
  readonly hasTrace?: boolean;
  readonly strayErrors?: () => Promise<readonly unknown[]>;
}

export interface JobScenarioResult extends Omit<ScenarioResult, "history" | "stats"> {
  readonly stats: JobStats;
}

export interface JobStats {
  readonly virtualMs: number;
  readonly events: number;
  readonly terms: number;
  readonly entries: number;
  readonly submitted: number;
  readonly accepted: number;
  readonly finished: number;
  readonly rows: number;
  /** Times that rows were asked for anew. */
  readonly resumed: number;
  /** Times that rows of a run were asked for from where those of another had ended, or a connection. */
  readonly continued: number;
  /** From the end of all faults until nothing was left of any job. */
  readonly restMs: number | null;
  readonly fingerprint: number;
}

/** After the last fault all jobs have ended, and nothing is left of them, within this. */
export const JOBS_REST_MS_MAX = 180_000;
const LOOK_MS = 200;
const CALM_MS = 1_000;
const SLOTS = 2;
/** Jobs are over before much can happen; or they take their time, and producers wait for readers in the middle of streams. */
const SLOW_SHARE = 0.25;
const QUICK: Pace = { turnMs: 10, windowBytes: null };
const SLOW: Pace = { turnMs: 80, windowBytes: 1_024 };

export async function runJobScenario(options: JobScenarioOptions): Promise<JobScenarioResult> {
  const run = new JobRun(options);
  await run.all();
  return run.result();
}

class JobRun {
  readonly #options: JobScenarioOptions;
  readonly #jobs: JobCluster;
  readonly #log: LogCheck;
  readonly #sinks: SinkCheck;
  readonly #shared: JobShared;
  readonly #random: Seeded;
  readonly #clients: JobClient[] = [];
  #target: ClusterTarget | null = null;
  #executorFaults: ExecutorFaults | null = null;
  #restMs: number | null = null;

  constructor(options: JobScenarioOptions) {
    const { seed, settle, canary = {}, hasTrace = false } = options;
    const { pace = new Seeded(seed).chance(SLOW_SHARE) ? SLOW : QUICK } = options;
    this.#options = options;
    this.#jobs = new JobCluster({
      seed,
      settle,
      hasTrace,
      functionsOf,
      slots: SLOTS,
      pace,
      node: { snapshots: { everyEntries: 100, keepEntries: 30 } },
      canary,
    });
    const { cluster } = this.#jobs;
    const { world } = cluster;
    this.#random = world.random.fork();
    this.#log = new LogCheck(() => world.nowMs);
    this.#sinks = new SinkCheck(this.#jobs, this.#log);
    this.#jobs.staleOrder = ({ name }, text) => this.#log.fail("stale-order", `${name}: ${text}`);
    for (const [path, bytes] of inputFiles()) this.#jobs.shared.write(path, bytes);
    this.#shared = {
      world,
      thinkMs: 500,
      kinds: options.kinds ?? JOB_KINDS,
      jobs: [],
      stats: { submitted: 0, accepted: 0, finished: 0, rows: 0, resumed: 0 },
      note: (text) => cluster.note("client", text),
      fail: (kind, text) => this.#log.fail(kind, text),
    };
    cluster.watch = {
      roleChanged: ({ name }, { role, term }) => {
        if (role === "leader") this.#log.elected(name, term);
      },
      applied: (node, result, data) => {
        this.#log.applied(node, result, data);
        const { command, outcome } = result;
        if (command?.kind === "job.move" && outcome.ok && node === cluster.leader) {
          cluster.note(node.name, `job ${command.jobId.slice(0, 6)} ${command.to}: ${command.reason}`);
          this.#executorFaults?.moved(node.name, command.to, (leader, isCrash) => this.#handOver(leader, isCrash));
        }
      },
      restored: () => {
        this.#log.restoredCount++;
      },
      ended: (node, end) => this.#ended(node, end),
    };
  }

  async all(): Promise<void> {
    const { cluster } = this.#jobs;
    try {
      await cluster.grow(this.#options.nodes ?? 3);
      const { clients = 2 } = this.#options;
      for (let index = 0; index < clients; index++) {
        const jobs = await openSimClient(cluster, `c${index}`);
        this.#clients.push(new JobClient(`c${index}`, jobs, this.#shared));
      }
      await this.#storm();
      if (this.#isFine) await this.#rest();
      if (this.#isFine) await checkJobs(this.#jobs, this.#log, { notes: this.#shared.jobs, sinks: this.#sinks });
    } catch (error) {
      this.#log.fail("error", error instanceof Error ? (error.stack ?? error.message) : String(error));
    }
    for (const error of (await this.#options.strayErrors?.()) ?? []) {
      this.#log.fail("error", `unhandled: ${error instanceof Error ? error.stack : String(error)}`);
    }
    for (const { text, atMs } of this.#log.violations) cluster.note("check", `${text} (at ${atMs})`);
    for (const { machine } of this.#jobs.workers) for (const process of machine.processes) process.kill();
    await cluster.world.run(1);
  }

  result(): JobScenarioResult {
    const { world, trace } = this.#jobs.cluster;
    const { violations, termCount, lastIndex } = this.#log;
    const stats: JobStats = {
      virtualMs: world.nowMs,
      events: world.eventCount,
      terms: termCount,
      entries: lastIndex,
      ...this.#shared.stats,
      continued: this.#jobs.continuedRows,
      restMs: this.#restMs,
      fingerprint: world.fingerprint,
    };
    return { seed: this.#options.seed, violations, stats, trace };
  }

  get #isFine(): boolean {
    return this.#log.violations.length === 0;
  }

  async #storm(): Promise<void> {
    const { cluster } = this.#jobs;
    const { world } = cluster;
    const target = new ClusterTarget(cluster);
    this.#target = target;
    const faults = new Faults(target, this.#faultOptions());
    const executorFaults = new ExecutorFaults(this.#jobs, {
      everyMs: this.#random.between(1_000, 8_000),
      moveShare: this.#random.chance(0.5) ? 0 : 0.1,
    });
    this.#executorFaults = executorFaults;
    await world.run((this.#options.minutes ?? 0.25) * 60_000, () => !this.#isFine);
    target.release();
    faults.calm();
    executorFaults.calm();
    for (const client of this.#clients) client.stop();
  }

  #faultOptions(): FaultOptions {
    const share = this.#random.between(0.2, 1);
    const kinds = FAULT_KINDS.filter(() => this.#random.chance(share));
    const drawn = {
      kinds: kinds.length > 0 ? kinds : (["crash", "partition"] satisfies FaultKind[]),
      everyMs: this.#random.between(1_500, 10_000),
      lastsMs: this.#random.between(500, 4_000),
    };
    this.#jobs.cluster.note("world", `faults: ${drawn.kinds.join(" ")}`);
    return { ...drawn, ...this.#options.faults };
  }

  #handOver(leader: string, isCrash: boolean): void {
    const target = this.#target;
    if (target === null) return;
    const { world, nodes } = this.#jobs.cluster;
    if (isCrash) {
      target.crash(leader);
      world.after(this.#random.exponential(2_000), () => target.restart(leader));
      return;
    }
    const other = this.#random.pick(nodes.filter(({ name }) => name !== leader));
    if (other !== undefined) target.transferLeader(other.name);
  }

  async #rest(): Promise<void> {
    const { world } = this.#jobs.cluster;
    const startMs = world.nowMs;
    let why: string | null = "just begun";
    let sinceMs = startMs;
    while (this.#isFine && world.nowMs - sinceMs < CALM_MS) {
      await world.run(LOOK_MS, () => !this.#isFine);
      why = this.#unrest();
      if (why !== null) sinceMs = world.nowMs;
      if (world.nowMs - startMs > JOBS_REST_MS_MAX) {
        return this.#log.fail("left-behind", `${JOBS_REST_MS_MAX} ms after the last fault: ${why ?? "only now"}`);
      }
    }
    this.#restMs = sinceMs - startMs;
  }

  #unrest(): string | null {
    if (this.#target?.isReplacing) return "a node is being replaced";
    const { cluster } = this.#jobs;
    const own = unrest(cluster.nodes);
    if (own !== null) return own;
    const state = cluster.leader?.node?.replica.state;
    const open = this.#shared.jobs.find(({ end }) => end === null);
    if (open !== undefined) {
      const record = state?.jobs.get(open.jobId);
      return `the client of job ${open.number} (${open.spec.kind}) has not been told its end; it is ${record?.state ?? "gone"}: ${record?.history.at(-1)?.reason}`;
    }
    if (this.#clients.some(({ isBusy }) => isBusy)) return "a client waits";
    return state === undefined ? "there is no leader" : leftovers(this.#jobs, state);
  }

  #ended({ name, peer }: SimNode, end: SimNodeEnd): void {
    if (end.kind === "removed") {
      if (!this.#target?.removed.has(peer))
        this.#log.fail("node-ended", `${name} was removed, but nobody asked for it`);
      return;
    }
    const { error } = end;
    if (error instanceof DiskFullError || isNoRoom(error) || (end.kind === "not-started" && error instanceof SageError))
      return;
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#log.fail("node-ended", `${name} ended by itself (${end.kind}): ${text}`);
  }
}

function isNoRoom(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOSPC";
}
