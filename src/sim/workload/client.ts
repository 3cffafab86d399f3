/**
 * A client that asks one node after another, one thing at a time: settings read, set and changed if unchanged, jobs made and
 * moved, now and then a blob. What it was told goes into the history and is held against the log at once.
 */
import {
  type Command,
  ConsensusError,
  isEnded,
  JOB_STATE_TABLE,
  type JobState,
  type Outcome,
} from "../../cluster/mod.ts";
import { type BlobHash, InvariantError } from "../../kernel/mod.ts";
import type { ClusterNode } from "../../node/mod.ts";
import type { Operation } from "../check/linearizability.ts";
import { type LogCheck, nameOf } from "../check/log_check.ts";
import type { SimCluster } from "../nodes/sim_cluster.ts";
import { HostCrash } from "../world/host.ts";
import type { Seeded } from "../world/seeded.ts";
import type { Call, History } from "./history.ts";

export interface WorkloadOptions {
  readonly clients: number;
  /** Mean time between the answer to one request and the next. */
  readonly thinkMs: number;
  /** Settings that the clients share: fewer means more strife. */
  readonly keys: number;
}

/** What all clients of a run share. */
export interface Shared {
  readonly cluster: SimCluster;
  readonly log: LogCheck;
  readonly history: History;
  readonly options: WorkloadOptions;
  /** By key: what some client saw last. */
  readonly seen: Map<string, { readonly version: number; readonly value: string | null }>;
  /** Jobs that were acknowledged. */
  readonly jobs: string[];
  readonly blobs: Map<BlobHash, number>;
  readonly stats: { calls: number; answers: number };
}

const TIMEOUT_MS = 5_000;
/** The node may have died with the answer. */
const PATIENCE_MS = 12_000;
const BLOB_BYTES_MAX = 2_000;

export class Client {
  readonly #name: string;
  readonly #shared: Shared;
  readonly #random: Seeded;
  #count = 0;
  #isStopped = false;
  #giveUp = (): void => undefined;

  constructor(name: string, shared: Shared) {
    this.#name = name;
    this.#shared = shared;
    this.#random = shared.cluster.world.random.fork();
    this.#next();
  }

  /** No more requests; the one without an answer gets none. */
  stop(): void {
    this.#isStopped = true;
    this.#giveUp();
  }

  #next(): void {
    const { cluster, options } = this.#shared;
    cluster.world.after(this.#random.exponential(options.thinkMs), () => this.#ask());
  }

  /** Asks a node that seems to be up, at a moment when it has time to listen. */
  #ask(): void {
    if (this.#isStopped) return;
    const { cluster, stats } = this.#shared;
    const chosen = this.#random.pick(cluster.nodes.filter(({ node }) => node?.phase === "ready"));
    if (chosen === undefined) return this.#next();
    const asking = this.#begin();
    stats.calls++;
    this.#count++;
    let isOver = false;
    const over = (): boolean => {
      if (isOver) return false;
      isOver = true;
      cancel();
      this.#next();
      return true;
    };
    this.#giveUp = () => {
      if (over()) asking.unanswered();
    };
    const cancel = cluster.world.after(PATIENCE_MS, this.#giveUp);
    chosen.host.soon(() => {
      const { node } = chosen;
      if (node === null || isOver) return;
      asking.run(node).then(
        (told) => {
          if (!over()) return;
          stats.answers++;
          told();
        },
        (error: unknown) => {
          this.#excused(error);
          if (over()) asking.unanswered();
        },
      );
    });
  }

  /** Nodes refuse in their own words; anything else is a bug. */
  #excused(error: unknown): void {
    if (error instanceof ConsensusError || error instanceof HostCrash) return;
    const kind = error instanceof InvariantError ? "invariant" : "error";
    this.#shared.log.fail("error", `${kind} for a client: ${error instanceof Error ? error.stack : String(error)}`);
  }

  #begin(): Asking {
    const dice = this.#random.next();
    const key = `k${this.#random.below(this.#shared.options.keys)}`;
    const value = `${this.#name}.${this.#count}`;
    if (dice < 0.4) return this.#read(key);
    if (dice < 0.55) return this.#set(key, value, null);
    if (dice < 0.8) return this.#set(key, value, this.#shared.seen.get(key) ?? { version: 0, value: null });
    if (dice < 0.88) return this.#createJob();
    if (dice < 0.98) return this.#moveJob(value);
    return this.#putBlob();
  }

  #call(key: string, name: string | null): Call {
    return { client: this.#name, key, name, calledAtMs: this.#shared.cluster.world.nowMs };
  }

  #read(key: string): Asking {
    const { history, seen, cluster } = this.#shared;
    const call = this.#call(key, null);
    const run = async (node: ClusterNode) => {
      await node.replica.catchUp(TIMEOUT_MS);
      const { value, version } = node.replica.state.settings.get(key) ?? { value: null, version: 0 };
      return () => {
        seen.set(key, { value, version });
        history.returned(call, { kind: "read", result: value }, cluster.world.nowMs);
      };
    };
    return { run, unanswered: () => undefined };
  }

  /** With `expected`: only if the setting is still that. */
  #set(
    key: string,
    value: string,
    expected: { readonly version: number; readonly value: string | null } | null,
  ): Asking {
    const { history, log, cluster, seen } = this.#shared;
    const command: Command = { kind: "setting.set", key, value, expectedVersion: expected?.version ?? null };
    const name = nameOf(command) ?? "";
    const call = this.#call(key, name);
    const operation = (isDone: boolean | null): Operation =>
      expected === null ? { kind: "write", value } : { kind: "compareAndSet", expected: expected.value, value, isDone };
    const run = async (node: ClusterNode) => {
      const outcome = await node.propose(command, TIMEOUT_MS);
      return () => {
        if (outcome.ok) {
          log.acknowledged(name);
          if (outcome.value.type === "version") seen.set(key, { value, version: outcome.value.version });
        } else {
          if (outcome.code !== "stale" || expected === null) return log.fail("error", `${name}: ${outcome.message}`);
          seen.delete(key);
        }
        history.returned(call, operation(outcome.ok), cluster.world.nowMs);
      };
    };
    return { run, unanswered: () => history.unanswered(call, operation(null)) };
  }

  #createJob(): Asking {
    const { log, jobs, blobs } = this.#shared;
    const jobId = this.#hex(16);
    const blob = this.#random.pick([...blobs.keys()]);
    const held = blob !== undefined && this.#random.chance(0.3) ? [blob] : [];
    const command: Command = { kind: "job.create", jobId, name: this.#name, blobs: held, options: new Uint8Array(8) };
    const run = async (node: ClusterNode) => {
      const outcome = await node.propose(command, TIMEOUT_MS);
      return () => {
        this.#accepted(command, outcome);
        if (outcome.ok) jobs.push(jobId);
        else log.fail("error", `a new job: ${outcome.message}`);
      };
    };
    return { run, unanswered: () => undefined };
  }

  #moveJob(reason: string): Asking {
    const { jobs } = this.#shared;
    const jobId = this.#random.pick(jobs);
    const run = async (node: ClusterNode) => {
      const job = node.replica.state.jobs.get(jobId ?? "");
      if (job === undefined || isEnded(job.state)) return nothing;
      const to = this.#random.pick<JobState>(JOB_STATE_TABLE[job.state].next);
      if (to === undefined) return nothing;
      const { jobId: id, attempt, state: from } = job;
      const command: Command = { kind: "job.move", jobId: id, from, attempt, to, reason };
      const outcome = await node.propose(command, TIMEOUT_MS);
      return () => this.#accepted(command, outcome);
    };
    return { run, unanswered: () => undefined };
  }

  #putBlob(): Asking {
    const { cluster, blobs } = this.#shared;
    const bytes = this.#random.bytes(1 + this.#random.below(BLOB_BYTES_MAX));
    const hash = cluster.keys.sha256(bytes) as BlobHash;
    const run = async (node: ClusterNode) => {
      const chunk = await node.propose(
        { kind: "blob.chunk", hash, blobBytes: bytes.length, offset: 0, bytes },
        TIMEOUT_MS,
      );
      if (!chunk.ok) return nothing;
      const command: Command = { kind: "blob.commit", hash };
      const outcome = await node.propose(command, TIMEOUT_MS);
      return () => {
        this.#accepted(command, outcome);
        if (outcome.ok) blobs.set(hash, bytes.length);
      };
    };
    return { run, unanswered: () => undefined };
  }

  #accepted(command: Command, outcome: Outcome): void {
    if (outcome.ok) this.#shared.log.acknowledged(nameOf(command) ?? "");
  }

  #hex(byteCount: number): string {
    return Array.from(this.#random.bytes(byteCount), (byte) => byte.toString(16).padStart(2, "0")).join("");
  }
}

const nothing = (): void => undefined;

interface Asking {
  /** What is asked; gives what to make of the answer if it still counts. */
  readonly run: (node: ClusterNode) => Promise<() => void>;
  readonly unanswered: () => void;
}
