/** A simulated cluster whose nodes have scripted agents, and a client of it. */
import { settle } from "../../../scripts/sim_settle.ts";
import { JOB_DEFAULTS } from "../../../src/client/mod.ts";
import type { JobState } from "../../../src/jobs/mod.ts";
import type { BlobHash } from "../../../src/kernel/mod.ts";
import {
  type CallContext,
  type CallMethod,
  type ItemOutput,
  type ItemShape,
  type JobOptions,
  jobSubmit,
  jobVerb,
  type StreamMethod,
} from "../../../src/protocol/mod.ts";
import { SimCluster, type SimNode } from "../../../src/sim/mod.ts";
import { type Script, ScriptedAgent } from "./scripted_agent.ts";

const NEVER = new AbortController().signal;

export class JobsWorld {
  readonly cluster: SimCluster;
  readonly agents = new Map<string, ScriptedAgent>();
  /** All agents that ever were, also of earlier lives. */
  readonly everyAgent: ScriptedAgent[] = [];
  #jobs = 0;

  constructor(options: { readonly seed: number; readonly script: Script }) {
    this.cluster = new SimCluster({
      seed: options.seed,
      settle,
      node: { slots: options.script.slots },
      agent: (node, hooks) => {
        const agent = new ScriptedAgent(node, hooks, options.script);
        this.agents.set(node.name, agent);
        this.everyAgent.push(agent);
        return agent;
      },
    });
  }

  get begun(): string[] {
    return this.everyAgent.flatMap(({ begun }) => begun);
  }

  /** Any node that is up and does not lead, or the leader where it is alone. */
  get follower(): SimNode {
    const ready = this.cluster.nodes.filter(({ node }) => node?.phase === "ready");
    const found = ready.find((node) => node !== this.cluster.leader) ?? ready[0];
    if (found === undefined) throw new Error("no node is ready");
    return found;
  }

  context(deadlineMs: number | null = null, signal: AbortSignal = NEVER, at = this.follower): CallContext {
    return {
      peer: at.peer,
      role: "submit",
      version: 1,
      deadlineMs: deadlineMs === null ? null : at.host.nowMs() + deadlineMs,
      signal,
    };
  }

  // The table is type-erased; the method says what goes in and comes out.
  async call<R>(
    method: CallMethod<never, never> | CallMethod<any, any>,
    body: unknown,
    at = this.follower,
  ): Promise<R> {
    const served = at.node?.methods.get(method.name);
    if (served?.kind !== "call") throw new Error(`no call ${method.name}`);
    return this.cluster.settled(Promise.resolve(served.run(body, this.context(20_000, NEVER, at)) as R));
  }

  stream<Item extends ItemShape>(
    method: StreamMethod<any, Item>,
    body: unknown,
    at = this.follower,
  ): AsyncIterable<ItemOutput<Item>> {
    const served = at.node?.methods.get(method.name);
    if (served?.kind !== "stream") throw new Error(`no stream ${method.name}`);
    return served.run(body, this.context(null, NEVER, at)) as AsyncIterable<ItemOutput<Item>>;
  }

  /** All items, while virtual time goes on; the error, where it ends with one. */
  collect<Item extends ItemShape>(method: StreamMethod<any, Item>, body: unknown, at = this.follower) {
    const items: ItemOutput<Item>[] = [];
    const run = async () => {
      for await (const item of this.stream(method, body, at)) items.push(item);
    };
    const done = run();
    done.catch(() => undefined);
    return { items, done };
  }

  async submit(logical: string, options: Partial<JobOptions> = {}, jobId = this.newId()) {
    const bytes = new TextEncoder().encode(logical);
    const plan = { hash: this.cluster.keys.sha256(bytes) as BlobHash, bytes };
    const body = { jobId, name: logical, plan, bundle: null, options: { ...JOB_DEFAULTS, ...options } };
    return this.call<{ jobId: string; number: number }>(jobSubmit, body);
  }

  newId(): string {
    return (++this.#jobs).toString(16).padStart(32, "0");
  }

  verb(jobId: string, verb: "stop" | "cancel" | "restart" | "continue" | "delete") {
    return this.call<{ state: string }>(jobVerb, { jobId, verb });
  }

  stateOf(jobId: string): JobState | undefined {
    const at = this.cluster.leader ?? this.follower;
    return at.node?.replica.state.jobs.get(jobId)?.state;
  }

  historyOf(jobId: string): string[] {
    const at = this.cluster.leader ?? this.follower;
    return at.node?.replica.state.jobs.get(jobId)?.history.map(({ state }) => state) ?? [];
  }

  async until(jobId: string, state: JobState, limitMs = 60_000): Promise<void> {
    await this.cluster.until(
      () => this.stateOf(jobId) === state,
      limitMs,
      `job ${jobId} is ${state} (${this.stateOf(jobId)})`,
      5,
    );
  }
}
