/** Executors of one process with their agents, driven by the JobManager's own machine for one job. */
import { Arena } from "../../src/arrow/mod.ts";
import { issueCertificate } from "../../src/cluster/admission/certificate.ts";
import { createClusterKey } from "../../src/cluster/admission/cluster_key.ts";
import type { Pool } from "../../src/exec/mod.ts";
import { InlinePool } from "../../src/exec/mod.ts";
import { type EnginePort, Executor } from "../../src/executor/mod.ts";
import {
  type Action,
  decodeOutline,
  encodeOutline,
  encodePhysicalPlan,
  type Fact,
  isEnded,
  JobMachine,
  type JobState,
  type MachineSettings,
  type PhysicalPlan,
} from "../../src/jobs/mod.ts";
import type { Address, BlobHash, ClusterId, KeyPair, Keys, PeerId, Transport } from "../../src/kernel/mod.ts";
import type { OperatorId, UserFunction } from "../../src/plan/mod.ts";
import { nodeCompression } from "../../src/platform/compression.ts";
import { nodeDisk } from "../../src/platform/disk.ts";
import { createKeys } from "../../src/platform/keys.ts";
import { createTransport } from "../../src/platform/network/mod.ts";
import {
  EXECUTOR_PROTOCOL,
  encodeExecutorCredential,
  executorAssign,
  executorCancel,
  executorClean,
  executorCommit,
  executorCompile,
  executorFailed,
  executorFind,
  executorMetrics,
  executorReady,
  executorRelease,
  executorReport,
  executorRows,
  executorRun,
  type JobOrder,
  methodTable,
  on,
  ownVersions,
  RpcSession,
  type TaskMetrics,
  type TaskReport,
} from "../../src/protocol/mod.ts";
import type { Row } from "../jobs/physical/exchanges.ts";
import { RealClock, randomOf } from "../support/loopback.ts";
import { ipcRows } from "./ipc_rows.ts";
import { LoopbackNetwork } from "./transports.ts";

export const CLUSTER = "0123456789abcdef0123456789abcdef" as ClusterId;
export const JOB_ID = "00112233445566778899aabbccddeeff";
const keys: Keys = createKeys();
const clock = new RealClock();
const DAY_MS = 86_400_000;

export interface EngineOptions {
  readonly userFunctions?: ReadonlyMap<OperatorId, UserFunction>;
  readonly memoryBytes?: number;
  readonly workers?: number;
  /** In place of the inline pool. */
  readonly pool?: (engine: TestEngine) => Pool;
}

export class TestEngine implements EnginePort {
  readonly arena: Arena;
  readonly tools = { disk: nodeDisk(), compression: nodeCompression() };
  opened = 0;
  readonly options: EngineOptions;

  constructor(options: EngineOptions) {
    this.options = options;
    this.arena = Arena.create({ limitBytes: options.memoryBytes ?? 1 << 28 });
  }

  async openPool(): Promise<Pool> {
    this.opened++;
    const { pool, userFunctions = new Map(), workers = 2 } = this.options;
    if (pool !== undefined) return pool(this);
    const pause = () => this.turn();
    return new InlinePool({ arena: this.arena, tools: this.tools, userFunctions, size: workers, pause });
  }

  limitMemory(bytes: number): void {
    this.arena.limit(Math.min(this.options.memoryBytes ?? 1 << 28, bytes));
  }

  turn(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve));
  }

  collectGarbage(): void {}

  placeOf(): null {
    return null;
  }
}

export interface ClusterOptions extends EngineOptions {
  readonly agents: number;
  readonly slots: number;
  readonly directory: string;
  /** What agents let the job take; default: all that the engine has. */
  readonly jobMemoryBytes?: number;
  readonly settings?: Partial<MachineSettings>;
  readonly codec?: JobOrder["codec"];
  /** Over the machine's network, encrypted; default: channels within the process. */
  readonly isReal?: boolean;
}

const log = { write: () => undefined };

function transportOf(network: LoopbackNetwork, keyPair: KeyPair, isReal: boolean): Transport {
  if (!isReal) return network.transport(keys.peerOf(keyPair.publicKey));
  return createTransport({ keyPair, log, listen: ["/ip4/127.0.0.1/tcp/0" as Address] });
}

/** One agent with its executor. */
export class TestAgent {
  readonly engine: TestEngine;
  #executor: Executor | null = null;
  readonly #options: ClusterOptions;
  readonly #number: number;
  readonly transport: Transport;
  readonly key: KeyPair = keys.create();
  readonly executorKey: KeyPair = keys.create();
  readonly executorTransport: Transport;
  readonly ended: string[] = [];
  session: RpcSession | null = null;

  constructor(options: ClusterOptions, network: LoopbackNetwork, number: number) {
    const isReal = options.isReal === true;
    this.engine = new TestEngine(options);
    this.transport = transportOf(network, this.key, isReal);
    this.executorTransport = transportOf(network, this.executorKey, isReal);
    this.#options = options;
    this.#number = number;
  }

  /** To be called once the agent listens. */
  async start(): Promise<void> {
    const random = randomOf(this.#number + 1);
    const options = this.#options;
    this.#executor = new Executor(
      {
        pid: 1_000 + this.#number,
        transport: this.executorTransport,
        clock,
        random: { next: random, bytes: (count) => crypto.getRandomValues(new Uint8Array(count)) },
        keys,
        log,
        engine: this.engine,
        ended: (reason) => this.ended.push(reason),
      },
      {
        agent: this.peer,
        agentAddresses: this.transport.addresses,
        credential: new Uint8Array(1),
        slots: options.slots,
        directory: `${options.directory}/executor${this.#number}`,
      },
    );
    await this.#executor.start();
  }

  async stop(): Promise<void> {
    await this.#executor?.stop("the test is over");
    await this.transport.stop();
  }

  get peer(): PeerId {
    return this.transport.self;
  }

  /** The session once the executor has connected. */
  get calls(): RpcSession {
    if (this.session === null) throw new Error("the executor is not there");
    return this.session;
  }
}

interface RootRows {
  readonly attempt: number;
  readonly rows: Row[];
  messages: number;
}

export class TestCluster {
  readonly options: ClusterOptions;
  readonly agents: readonly TestAgent[];
  readonly reports: TaskReport[] = [];
  readonly metrics: TaskMetrics[] = [];
  readonly history: { state: JobState; reason: string }[] = [];
  /** Called with each row message before it is answered. */
  onRows: () => Promise<void> = () => Promise.resolve();
  readonly #clusterKey = createClusterKey(keys);
  #plan: PhysicalPlan | null = null;
  #planBytes = new Uint8Array();
  #machine: JobMachine | null = null;
  #at = { state: "submitted" as JobState, attempt: 1, reason: "" };
  #lost = new Set<PeerId>();
  #wake: () => void = () => undefined;
  readonly #rows = new Map<string, RootRows>();
  /** By executor and order: calls to one executor keep their order. */
  readonly #calls = new Map<PeerId, Promise<unknown>>();
  #lastRows: Promise<void> = Promise.resolve();
  /** Why executors asked to be ended. */
  readonly spoiled: string[] = [];
  failures: unknown[] = [];

  constructor(options: ClusterOptions) {
    this.options = options;
    const network = new LoopbackNetwork();
    this.agents = Array.from({ length: options.agents }, (_, i) => new TestAgent(options, network, i));
  }

  async start(): Promise<this> {
    for (const agent of this.agents) {
      await agent.transport.start({
        credential: () => new Uint8Array(1),
        admit: () => ({ kind: "member" }),
        connected: () => undefined,
        disconnected: () => undefined,
        posted: () => undefined,
        opened: (channel) => {
          if (channel.protocol !== EXECUTOR_PROTOCOL) return channel.abort("no");
          agent.session = new RpcSession(channel, {
            clock,
            versions: ownVersions("sage test"),
            role: () => "node",
          });
          agent.session.serve(this.#services(agent));
        },
      });
      await agent.start();
    }
    return this;
  }

  async stop(): Promise<void> {
    for (const agent of this.agents) await agent.stop();
  }

  #services(agent: TestAgent) {
    const clusterKeys = [{ keyId: this.#clusterKey.keyId, publicKey: this.#clusterKey.publicKey }];
    return methodTable([
      on(executorReady, () => ({ cluster: CLUSTER, keys: clusterKeys })),
      on(executorReport, ({ reports }) => {
        for (const report of reports) this.#reported(agent, report);
        return {};
      }),
      on(executorMetrics, ({ metrics }) => {
        this.metrics.push(...metrics.map((each) => each.metrics));
        return {};
      }),
      on(executorRows, async ({ run, fromRow, rowCount, bytes }) => {
        const before = this.#lastRows;
        this.#lastRows = before.then(() => this.onRows());
        await this.#lastRows;
        const name = `${run.task.fragment}.${run.task.index}`;
        const known = this.#rows.get(name);
        const entry = known?.attempt === run.attempt ? known : { attempt: run.attempt, rows: [], messages: 0 };
        if (entry.rows.length !== fromRow) throw new Error(`rows came from ${fromRow}, not ${entry.rows.length}`);
        const rows = ipcRows(bytes);
        if (rows.length !== rowCount) throw new Error(`${rows.length} rows came, not ${rowCount}`);
        entry.rows.push(...rows);
        entry.messages++;
        this.#rows.set(name, entry);
        return {};
      }),
      on(executorFailed, ({ reason }) => {
        this.spoiled.push(reason);
        return {};
      }),
      on(executorFind, ({ agent: at }) => {
        const found = this.agents.find(({ peer }) => peer === at);
        if (found === undefined) throw new Error("no such agent");
        return { peer: found.executorTransport.self, addresses: found.executorTransport.addresses };
      }),
    ]);
  }

  /** Gives the job to all executors. */
  async assign(plan: PhysicalPlan, jobAttempt = 1): Promise<void> {
    this.#plan = plan;
    this.#planBytes = new Uint8Array(encodePhysicalPlan(plan));
    for (const agent of this.agents) await agent.calls.call(executorAssign, this.assignment(agent, jobAttempt));
  }

  assignment(agent: TestAgent, jobAttempt: number) {
    const facts = {
      serial: 1,
      peer: agent.peer,
      role: "node" as const,
      name: "n",
      keyId: this.#clusterKey.keyId,
      issuedAtMs: Date.now(),
      expiresAtMs: Date.now() + DAY_MS,
    };
    const certificate = issueCertificate(keys, this.#clusterKey, { cluster: CLUSTER, facts });
    const credential = encodeExecutorCredential(keys, agent.key, {
      certificate,
      peer: agent.executorTransport.self,
      jobId: JOB_ID,
      expiresAtMs: Date.now() + DAY_MS,
    });
    const job: JobOrder = {
      jobId: JOB_ID,
      name: "job",
      jobAttempt,
      plan: { hash: "0".repeat(64) as BlobHash, bytes: null },
      bundle: null,
      params: "{}",
      taskMemoryBytes: 0,
      resultBytesMax: 1 << 30,
      codec: this.options.codec ?? "none",
    };
    const directory = `${this.options.directory}/${agent.peer}`;
    return {
      memoryBytes: this.options.jobMemoryBytes ?? 1 << 28,
      tasks: [],
      job,
      plan: this.#planBytes,
      bundlePath: null,
      credential,
      keys: [{ keyId: this.#clusterKey.keyId, publicKey: this.#clusterKey.publicKey }],
      directory,
    };
  }

  async compile(plan: Uint8Array, request: { slots: number; parallelism: number | null }) {
    const agent = this.agents[0] as TestAgent;
    return await agent.calls.call(executorCompile, { plan, ...request }, { deadlineMs: 60_000 });
  }

  /** Runs a plan to its end, as a JobManager would; rows by root. */
  async run(plan: PhysicalPlan, onFact: (machine: JobMachine) => void = () => undefined): Promise<Row[][]> {
    await this.assign(plan);
    const { settings = {} } = this.options;
    const machine = new JobMachine({ jobId: JOB_ID, term: 1, at: this.#at, settings: { backoffMs: 10, ...settings } });
    this.#machine = machine;
    this.#tellAgents();
    this.#feed({ kind: "tick" });
    while (!isEnded(this.#at.state)) {
      onFact(machine);
      const dueMs = machine.nextDueMs(clock.nowMs());
      await new Promise<void>((resolve) => {
        const end = clock.wake(dueMs === null ? 1_000 : Math.max(1, dueMs - clock.nowMs()), resolve);
        this.#wake = () => {
          end();
          resolve();
        };
      });
      this.#feed({ kind: "tick" });
    }
    await Promise.all(this.#calls.values());
    if (this.failures.length > 0) throw this.failures[0];
    return this.roots();
  }

  get state(): JobState {
    return this.#at.state;
  }

  roots(): Row[][] {
    const plan = this.#plan as PhysicalPlan;
    const roots: Row[][] = Array.from({ length: plan.rootCount }, () => []);
    for (const { id, parallelism, output } of plan.fragments) {
      if (output.kind !== "client") continue;
      for (let task = 0; task < parallelism; task++) {
        roots[output.root]?.push(...(this.#rows.get(`${id}.${task}`)?.rows ?? []));
      }
    }
    return roots;
  }

  /** All of the job is dropped everywhere; what is left in the arenas. */
  async release(): Promise<{ bytes: number; isReusable: boolean }> {
    let bytes = 0;
    let isReusable = true;
    for (const agent of this.agents) {
      if (this.#lost.has(agent.peer)) continue;
      const reply = await agent.calls.call(executorRelease, { jobId: JOB_ID });
      isReusable &&= reply.isReusable;
      bytes += agent.engine.arena.bytesInUse();
    }
    return { bytes, isReusable };
  }

  /** The agent and its executor are gone. */
  async lose(agent: TestAgent): Promise<void> {
    this.#lost.add(agent.peer);
    await agent.executorTransport.stop();
    await agent.transport.stop();
    this.#tellAgents();
    this.#feed({ kind: "agentLost", peer: agent.peer, reason: "gone" });
  }

  verb(verb: "stop" | "cancel"): void {
    this.#feed({ kind: "verb", verb });
  }

  async clean(sinkPaths: readonly string[]): Promise<void> {
    for (const agent of this.agents)
      await agent.calls.call(executorClean, { jobId: JOB_ID, upToAttempt: 3, sinkPaths });
  }

  #tellAgents(): void {
    const { slots } = this.options;
    const agents = this.agents
      .filter(({ peer }) => !this.#lost.has(peer))
      .map(({ peer }) => {
        const freeSlots = Array.from({ length: slots }, (_, i) => i);
        return { peer, slotCount: slots, freeSlots, slotMemoryBytes: 1 << 28, load: 0 };
      });
    this.#feed({ kind: "agents", agents });
  }

  #reported(agent: TestAgent, report: TaskReport): void {
    this.reports.push(report);
    if (this.#lost.has(agent.peer)) return;
    const { lost, place: _, metrics: __, ...rest } = report;
    this.#feed({ kind: "task", peer: agent.peer, ...rest } as Fact);
    if (lost) this.#feed({ kind: "outputLost", ...lost, reason: report.reason ?? "" });
  }

  #feed(fact: Fact): void {
    const machine = this.#machine;
    if (machine === null) return;
    const actions = machine.step(fact, clock.nowMs());
    for (const action of actions) this.#carryOut(action);
    if (actions.length > 0 || fact.kind !== "tick") this.#wake();
  }

  #carryOut(action: Action): void {
    switch (action.kind) {
      case "move":
        this.#at = { state: action.to, attempt: action.attempt, reason: action.reason };
        this.history.push({ state: action.to, reason: action.reason });
        queueMicrotask(() => this.#feed({ kind: "moved", ...this.#at }));
        return;
      case "compile": {
        const plan = decodeOutline(encodeOutline(this.#plan as PhysicalPlan));
        queueMicrotask(() => this.#feed({ kind: "planned", plan: plan as never }));
        return;
      }
      case "deploy": {
        const { task, attempt, slot, inputs } = action;
        const orders = [{ task, attempt, slot, inputs: inputs.map((input) => ({ ...input })) }];
        this.#order(action.peer, (session) =>
          session.call(executorRun, {
            jobId: JOB_ID,
            memoryBytes: this.options.jobMemoryBytes ?? 1 << 28,
            tasks: orders,
          }),
        );
        return;
      }
      case "cancelTask": {
        const runs = [{ task: action.task, attempt: action.attempt }];
        this.#order(action.peer, (session) => session.call(executorCancel, { jobId: JOB_ID, runs }));
        return;
      }
      case "commitSink": {
        const run = { task: action.task, attempt: action.attempt };
        this.#order(action.peer, (session) => session.call(executorCommit, { jobId: JOB_ID, run }));
        return;
      }
      default:
        return;
    }
  }

  #order(peer: PeerId, call: (session: RpcSession) => Promise<unknown>): void {
    const agent = this.agents.find((each) => each.peer === peer);
    if (agent === undefined || this.#lost.has(peer)) return;
    const before = this.#calls.get(peer) ?? Promise.resolve();
    const next = before
      .then(async () => {
        if (this.#machine !== null && agent.session !== null && !this.#lost.has(peer)) await call(agent.session);
      })
      .catch((error: unknown) => {
        if (!this.#lost.has(peer)) this.failures.push(error);
      });
    this.#calls.set(peer, next);
  }
}
