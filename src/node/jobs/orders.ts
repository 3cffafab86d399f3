/** What one turn of a job orders of agents, one message to each. */
import type { JobRecord } from "../../cluster/mod.ts";
import type { Action } from "../../jobs/mod.ts";
import { type PeerId, unreachable } from "../../kernel/mod.ts";
import {
  agentCancel,
  agentCommit,
  agentDeploy,
  agentEndExecutor,
  INLINE_BYTES_MAX,
  type JobOrder,
  type TaskOrder,
  type TaskRun,
} from "../../protocol/mod.ts";
import type { Agents } from "./agents.ts";
import type { Contents } from "./contents.ts";
import type { JobDriver } from "./driver.ts";

export interface OrderHost {
  readonly term: number;
  readonly agents: Agents;
  readonly contents: Contents;
  record(jobId: string): JobRecord | null;
  touched(jobId: string, peer: PeerId): void;
}

type CommitSink = Extract<Action, { readonly kind: "commitSink" }>;
type Order = Extract<Action, { readonly kind: "deploy" | "cancelTask" | "commitSink" | "endExecutor" }>;

/** Inputs that one message names; a task with more goes alone. */
const INPUTS_MAX = 10_000;
/** Agents that are asked at once for a prepared file. */
const SEEKERS_MAX = 16;

interface Batch {
  readonly deploy: TaskOrder[];
  readonly cancel: TaskRun[];
  readonly commit: CommitSink[];
  end: string | null;
  jobAttempt: number;
}

export class DeployBatches {
  readonly #host: OrderHost;
  readonly #driver: JobDriver;
  readonly #batches = new Map<PeerId, Batch>();
  /** Agents that have been given the plan. */
  readonly #hasPlan = new Set<PeerId>();
  /** Agents that were asked for files that others have prepared. */
  #asked = 0;

  constructor(host: OrderHost, driver: JobDriver) {
    this.#host = host;
    this.#driver = driver;
  }

  add(order: Order): void {
    const batch = this.#batchOf(order.peer);
    switch (order.kind) {
      case "deploy": {
        const { task, attempt, slot, inputs, jobAttempt } = order;
        batch.deploy.push({ task, attempt, slot, inputs: [...inputs] });
        batch.jobAttempt = jobAttempt;
        break;
      }
      case "cancelTask":
        batch.cancel.push({ task: order.task, attempt: order.attempt });
        break;
      case "commitSink":
        batch.commit.push(order);
        break;
      case "endExecutor":
        batch.end = order.reason;
        break;
      default:
        unreachable(order);
    }
  }

  /** What was cancelled makes room first. */
  send(): void {
    const { agents, term } = this.#host;
    const { jobId } = this.#driver;
    for (const [peer, { deploy, cancel, commit, end, jobAttempt }] of this.#batches) {
      if (end !== null) agents.order(peer, agentEndExecutor, { term, jobId, reason: end });
      if (cancel.length > 0) agents.order(peer, agentCancel, { term, jobId, runs: cancel });
      for (const order of commit) this.#commit(order);
      for (const tasks of inMessages(deploy)) {
        const job = this.#jobOrder(jobAttempt, peer, tasks);
        if (job === null) continue;
        this.#host.touched(jobId, peer);
        agents.order(peer, agentDeploy, { term, job, tasks });
      }
    }
    this.#batches.clear();
  }

  /** Whoever sees the file may have to put it in its place; with many agents, some at a time. */
  #commit({ jobAttempt, task, attempt, peer, isSought }: CommitSink): void {
    const { agents, term } = this.#host;
    const { jobId } = this.#driver;
    const sinkPath = this.#sinkPathOf(task.fragment);
    const body = { term, jobId, jobAttempt, run: { task, attempt }, sinkPath };
    const present = agents.present.filter((other) => other !== peer);
    const from = present.length === 0 ? 0 : this.#asked % present.length;
    const others = isSought ? [...present.slice(from), ...present.slice(0, from)].slice(0, SEEKERS_MAX) : [];
    this.#asked += others.length;
    for (const each of [peer, ...others]) {
      this.#host.touched(jobId, each);
      agents.order(each, agentCommit, body);
    }
  }

  #sinkPathOf(fragment: number): string | null {
    const { outline } = this.#driver;
    const sinks = outline?.fragments.filter(({ output }) => output.kind === "sink") ?? [];
    return outline?.sinkPaths[sinks.findIndex(({ id }) => id === fragment)] ?? null;
  }

  #batchOf(peer: PeerId): Batch {
    const known = this.#batches.get(peer);
    if (known !== undefined) return known;
    const batch: Batch = { deploy: [], cancel: [], commit: [], end: null, jobAttempt: 1 };
    this.#batches.set(peer, batch);
    return batch;
  }

  #jobOrder(jobAttempt: number, peer: PeerId, tasks: readonly TaskOrder[]): JobOrder | null {
    const { jobId, submission, compiler } = this.#driver;
    const hash = compiler.plan();
    const record = this.#host.record(jobId);
    if (hash === null || record === null) return null;
    const here = this.#hasPlan.has(peer) ? null : (compiler.partOf(hash) ?? this.#host.contents.here(hash));
    this.#hasPlan.add(peer);
    const { params, taskMemoryBytes, resultBytesMax, codec } = submission.options;
    const fragments = new Set(tasks.map(({ task }) => task.fragment));
    const sinkPaths = [...fragments].map((fragment) => this.#sinkPathOf(fragment)).filter((path) => path !== null);
    return {
      jobId,
      name: record.name,
      jobAttempt,
      plan: { hash, bytes: here !== null && here.length <= INLINE_BYTES_MAX ? here : null },
      bundle: submission.bundle,
      params,
      taskMemoryBytes,
      resultBytesMax,
      codec,
      ...(sinkPaths.length === 0 ? {} : { sinkPaths }),
    };
  }
}

function inMessages(tasks: readonly TaskOrder[]): TaskOrder[][] {
  const messages: TaskOrder[][] = [];
  let inputs = Number.POSITIVE_INFINITY;
  for (const task of tasks) {
    inputs += task.inputs.length;
    if (inputs > INPUTS_MAX) {
      messages.push([]);
      inputs = task.inputs.length;
    }
    messages.at(-1)?.push(task);
  }
  return messages;
}
