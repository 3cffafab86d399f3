/**
 * A node's part in running jobs: its agent, if it has one, and the JobManager while it leads. Clients ask any node; what
 * only the JobManager knows is passed on to it, and again to the next one.
 */
import type {
  AgentApi,
  AgentHooks,
  ClusterFacts,
  ExecutorPlace,
  ExecutorQuestion,
  JobsReport,
} from "../../agent/mod.ts";
import { type ApplyResult, type Command, type MemberView, type Peers } from "../../cluster/mod.ts";
import { type BlobHash, type PeerId, SageError, type Timers } from "../../kernel/mod.ts";
import {
  agentExecutor,
  type CallContext,
  jobsReport,
  type MethodTable,
  methodTable,
  on,
  type RpcSession,
  type Served,
} from "../../protocol/mod.ts";
import { NodeError } from "../error.ts";
import type { Gossip } from "../gossip.ts";
import type { Own } from "../own.ts";
import type { NodePorts } from "../ports.ts";
import { ANSWER_TIMEOUT_MS, type Replica } from "../replica.ts";
import type { Standing } from "../standing.ts";
import { AgentCalls } from "./calls.ts";
import { Contents } from "./contents.ts";
import { JobManager } from "./manager.ts";
import { pause } from "./pause.ts";

export interface JobsOptions {
  readonly ports: NodePorts;
  readonly timers: Timers;
  readonly own: Own;
  readonly replica: Replica;
  readonly standing: Standing;
  readonly peers: () => Peers;
  readonly gossip: () => Gossip | null;
}

const REPORT_DEADLINE_MS = 5_000;
const TAKE_OVER_RETRY_MS = 200;
/** While there is no leader, or it has not begun. */
const LEADER_LOOK_MS = 25;

export class Jobs {
  readonly agent: AgentApi | null;
  readonly contents: Contents;
  readonly #options: JobsOptions;
  readonly #calls: AgentCalls;
  readonly #stopped = new AbortController();
  #manager: JobManager | null = null;
  #takingOver: number | null = null;

  constructor(options: JobsOptions) {
    const { ports, own, replica, peers } = options;
    const { clock, keys, store } = ports;
    this.#options = options;
    this.contents = new Contents({ clock, keys, store, replica, self: own.peer, peers });
    this.agent = ports.agent?.(this.#agentHooks()) ?? null;
    const table: MethodTable | null = this.agent === null ? null : methodTable(this.agent.services());
    this.#calls = new AgentCalls({ self: own.peer, clock, peers, own: table });
  }

  /** Once the node serves. */
  start(): void {
    this.agent?.start();
    this.roleChanged();
  }

  /** Ends the JobManager and all executors. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    this.#manager?.stop();
    this.#manager = null;
    await this.agent?.stop();
  }

  /** `agent.*`, and what agents call. */
  services(): Served[] {
    const report = on(jobsReport, (body, { peer }) => {
      this.#managerOrThrow().report(peer, body);
      return {};
    });
    return [...(this.agent?.services() ?? []), report];
  }

  get slotsUsed(): number {
    return this.agent?.slotsUsed ?? 0;
  }

  roleChanged(): void {
    const { role, term } = this.#options.replica.consensus.status();
    if (this.#manager !== null && (role !== "leader" || this.#manager.term !== term)) {
      this.#manager.stop();
      this.#manager = null;
    }
    if (role === "leader" && this.#manager === null) void this.#takeOver(term);
    this.agent?.leaderChanged();
  }

  applied(result: ApplyResult | null): void {
    if (result === null) this.#manager?.restored();
    else this.#manager?.applied(result);
  }

  disconnected(peer: PeerId): void {
    this.#manager?.agents.doubt(peer);
  }

  memberChanged(peer: PeerId, member: MemberView | null): void {
    this.#manager?.agents.healthChanged(peer, member?.health ?? null);
  }

  /**
   * Has the JobManager do it: this node's own, or the leader's by `remote`. Asked again where the leader changes, as long as
   * the caller waits.
   *
   * @throws {NodeError} not-leader: none was found in time
   */
  async atLeader<T>(
    call: Pick<CallContext, "role" | "signal" | "deadlineMs">,
    local: (manager: JobManager) => T | Promise<T>,
    remote: (session: RpcSession) => Promise<T>,
  ): Promise<T> {
    while (true) {
      const target = await this.#target(call);
      try {
        return target instanceof JobManager ? await local(target) : await remote(target);
      } catch (error) {
        this.#mayRetry(call, error);
        await pause(this.#options.ports.clock, LEADER_LOOK_MS, call.signal);
      }
    }
  }

  /** The same for streams: `open` is called again, and goes on where it was. */
  async *streamAtLeader<T>(
    call: Pick<CallContext, "role" | "signal" | "deadlineMs">,
    open: (target: JobManager | RpcSession) => AsyncIterable<T>,
  ): AsyncGenerator<T, void> {
    while (!call.signal.aborted) {
      const target = await this.#target(call);
      try {
        yield* open(target);
        return;
      } catch (error) {
        if (call.signal.aborted) return;
        this.#mayRetry(call, error);
        await pause(this.#options.ports.clock, LEADER_LOOK_MS, call.signal);
      }
    }
  }

  async #target({ role, signal, deadlineMs }: Pick<CallContext, "role" | "signal" | "deadlineMs">) {
    const { replica, own, peers, ports } = this.#options;
    while (!signal.aborted && !this.#stopped.signal.aborted) {
      if (this.#manager !== null) return this.#manager;
      // What a node passes on comes from the one that was asked: it looks for the leader itself.
      if (role === "node") throw notLeader();
      const { leader } = replica.consensus.status();
      if (leader !== null && leader !== own.peer) {
        const session = await peers()
          .session(leader)
          .catch(() => null);
        if (session !== null) return session;
      }
      if (deadlineMs !== null && ports.clock.nowMs() > deadlineMs) break;
      await pause(ports.clock, LEADER_LOOK_MS, signal);
    }
    throw notLeader();
  }

  #mayRetry({ role, signal, deadlineMs }: Pick<CallContext, "role" | "signal" | "deadlineMs">, error: unknown): void {
    const isPassing = error instanceof SageError && (error.code === "not-leader" || error.code === "closed");
    const isLate = deadlineMs !== null && this.#options.ports.clock.nowMs() > deadlineMs;
    if (!isPassing || isLate || signal.aborted || role === "node" || this.#stopped.signal.aborted) throw error;
  }

  #managerOrThrow(): JobManager {
    if (this.#manager !== null) return this.#manager;
    throw notLeader();
  }

  /** The state must be level with the log before anything is decided by it. */
  async #takeOver(term: number): Promise<void> {
    if (this.#takingOver === term) return;
    this.#takingOver = term;
    const { replica, ports } = this.#options;
    const { signal } = this.#stopped;
    const isLeader = (): boolean => {
      const status = replica.consensus.status();
      return status.role === "leader" && status.term === term && !signal.aborted;
    };
    while (isLeader()) {
      try {
        await replica.catchUp();
        break;
      } catch {
        await pause(ports.clock, TAKE_OVER_RETRY_MS, signal);
      }
    }
    if (this.#takingOver === term) this.#takingOver = null;
    if (isLeader() && this.#manager === null) this.#manage(term);
  }

  #manage(term: number): void {
    const { replica, ports, own, timers, gossip } = this.#options;
    const { clock, keys, log, transport } = ports;
    this.#manager = new JobManager({
      term,
      self: own.peer,
      clock,
      timers,
      keys,
      log,
      replica,
      calls: this.#calls,
      contents: this.contents,
      propose: (command: Command, asker) =>
        replica.propose(command, asker?.by ?? own.actor, ANSWER_TIMEOUT_MS, asker?.request),
      isConnected: (peer) => transport.isConnected(peer),
      healthOf: (peer) => gossip()?.member(peer)?.health ?? null,
    });
    this.#manager.start();
  }

  #agentHooks(): AgentHooks {
    return {
      facts: () => this.#clusterFacts(),
      blob: (hash: BlobHash, signal: AbortSignal) => this.contents.get(hash, signal),
      report: (body: JobsReport) => this.#report(body),
      findExecutor: (of: ExecutorQuestion, signal: AbortSignal) => this.#findExecutor(of, signal),
    };
  }

  #clusterFacts(): ClusterFacts {
    const { standing, replica } = this.#options;
    const cluster = replica.state.cluster?.id ?? standing.belonging?.cluster;
    if (cluster === undefined) throw new NodeError("not-possible", "This node belongs to no cluster yet.");
    const keys = replica.state.keys.size > 0 ? [...replica.state.keys.values()] : (standing.belonging?.keys ?? []);
    return {
      cluster,
      keys: keys.map(({ keyId, publicKey }) => ({ keyId, publicKey })),
      certificate: standing.credential,
    };
  }

  async #report(body: JobsReport): Promise<void> {
    const { replica, own, peers } = this.#options;
    const { leader } = replica.consensus.status();
    if (leader === null) throw notLeader();
    if (leader === own.peer) return this.#managerOrThrow().report(own.peer, body);
    const session = peers().opened(leader) ?? (await peers().session(leader));
    await session.call(jobsReport, body, { deadlineMs: REPORT_DEADLINE_MS });
  }

  async #findExecutor({ agent, jobId, jobAttempt }: ExecutorQuestion, signal: AbortSignal): Promise<ExecutorPlace> {
    return this.#calls.call(agent, agentExecutor, { jobId, jobAttempt }, { signal });
  }
}

function notLeader(): NodeError {
  return new NodeError("not-leader", "The JobManager is not known now, or has not begun yet. Try again.");
}
