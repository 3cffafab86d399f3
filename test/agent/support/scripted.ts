/** An agent whose executors are played by the test: no process, no network, and time that stands still until told. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Agent, type AgentHooks, type AgentSettings, type JobsReport } from "../../../src/agent/mod.ts";
import type {
  Address,
  BlobHash,
  ClusterId,
  PeerId,
  ProcessUsage,
  SpawnedProcess,
  Spawner,
  SpawnHooks,
  SpawnOptions,
} from "../../../src/kernel/mod.ts";
import { nodeDisk } from "../../../src/platform/disk.ts";
import { createKeys } from "../../../src/platform/keys.ts";
import {
  EXECUTOR_PROTOCOL,
  type ExecutorSetup,
  executorAdopt,
  executorAssign,
  executorCancel,
  executorClean,
  executorCommit,
  executorCompile,
  executorPing,
  executorReady,
  executorRelease,
  executorReport,
  executorRows,
  executorRun,
  executorSetup,
  methodTable,
  on,
  ownVersions,
  parse,
  RpcSession,
  type TaskOrder,
  type TaskReport,
  type TaskRun,
} from "../../../src/protocol/mod.ts";
import { loopback, ManualClock, randomOf } from "../../support/loopback.ts";

const keys = createKeys();
export const NO_PLAN = { hash: "0".repeat(64) as BlobHash, bytes: new Uint8Array(1) };
const CLUSTER = "0123456789abcdef0123456789abcdef" as ClusterId;

/** A process that does what the test says. */
export class FakeExecutor implements SpawnedProcess {
  readonly pid: number;
  readonly peer: PeerId;
  readonly setup: ExecutorSetup;
  readonly assigned: { readonly jobId: string; readonly jobAttempt: number; readonly bundlePath: string | null }[] = [];
  readonly orders: TaskOrder[] = [];
  readonly cancelled: TaskRun[] = [];
  readonly committed: TaskRun[] = [];
  readonly cleaned: string[] = [];
  readonly adopted: TaskRun[] = [];
  /** What another executor has prepared is seen here. */
  hasFile = true;
  released = 0;
  isReusable = true;
  isAnswering = true;
  residentBytes = 50 << 20;
  limitBytes = 0;
  hasEnded = false;
  session: RpcSession | null = null;
  readonly #hooks: SpawnHooks;
  readonly #world: ScriptedAgent;

  constructor(world: ScriptedAgent, options: SpawnOptions, hooks: SpawnHooks) {
    this.#world = world;
    this.#hooks = hooks;
    this.pid = 100 + world.executors.length;
    this.setup = parse(executorSetup, JSON.parse(options.firstLine), "setup");
    const seed = Uint8Array.from(this.setup.privateKey.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
    this.peer = world.peerOfSeed(seed);
  }

  kill(): void {
    this.exit({ signal: "SIGKILL" });
  }

  usage(): ProcessUsage {
    return { residentBytes: this.residentBytes, cpuMs: 0 };
  }

  limitMemory(bytes: number): boolean {
    this.limitBytes = bytes;
    return false;
  }

  prints(stream: "out" | "err", text: string): void {
    this.#hooks.output(stream, new TextEncoder().encode(text));
  }

  exit(how: { readonly code?: number; readonly signal?: string; readonly startError?: string }): void {
    if (this.hasEnded) return;
    this.hasEnded = true;
    const { code = null, signal = null, startError = null } = how;
    setImmediate(() => this.#hooks.exited({ code, signal, startError, isOutOfMemory: false }));
  }

  async becomeReady(): Promise<void> {
    const [near, far] = loopback({ protocol: EXECUTOR_PROTOCOL, peers: [this.peer, this.#world.peer] });
    const { clock } = this.#world;
    this.#world.agent.attached(far);
    this.session = new RpcSession(near, { clock, versions: ownVersions("test"), role: () => "node" });
    this.session.serve(this.#methods());
    const addresses = [`/ip4/127.0.0.1/tcp/${this.pid}` as Address];
    await this.session.call(executorReady, { pid: this.pid, addresses });
  }

  async report(order: TaskOrder, report: Partial<TaskReport> & Pick<TaskReport, "status">): Promise<void> {
    const { task, attempt } = order;
    const { jobId, jobAttempt } = this.assigned.at(-1) as (typeof this.assigned)[number];
    await this.session?.call(executorReport, { reports: [{ jobId, jobAttempt, task, attempt, ...report }] });
  }

  async rows(order: TaskOrder, fromRow: number, bytes: Uint8Array): Promise<void> {
    const { task, attempt } = order;
    const { jobId } = this.assigned.at(-1) as (typeof this.assigned)[number];
    await this.session?.call(executorRows, { jobId, run: { task, attempt }, fromRow, rowCount: 1, bytes });
  }

  #methods() {
    return methodTable([
      on(executorAssign, ({ job, bundlePath, tasks }) => {
        this.assigned.push({ jobId: job.jobId, jobAttempt: job.jobAttempt, bundlePath });
        this.orders.push(...tasks);
        return {};
      }),
      on(executorRun, ({ tasks }) => {
        this.orders.push(...tasks);
        return {};
      }),
      on(executorCancel, ({ runs }) => {
        this.cancelled.push(...runs);
        return {};
      }),
      on(executorCommit, ({ run }) => {
        this.committed.push(run);
        return {};
      }),
      on(executorRelease, () => {
        this.released++;
        return { isReusable: this.isReusable };
      }),
      on(executorClean, ({ sinkPaths }) => {
        this.cleaned.push(...sinkPaths);
        return {};
      }),
      on(executorAdopt, ({ run }) => {
        this.adopted.push(run);
        return { isThere: this.hasFile };
      }),
      on(executorCompile, ({ plan }) => ({ outline: plan, plan, text: "a plan" })),
      on(executorPing, () => {
        if (this.isAnswering) return { arenaBytes: 0, atMs: 0 };
        return new Promise<never>(() => undefined);
      }),
    ]);
  }
}

export class ScriptedAgent implements AsyncDisposable {
  readonly clock = new ManualClock();
  readonly identity = keys.create();
  readonly peer = keys.peerOf(this.identity.publicKey);
  readonly directory = mkdtempSync(join(tmpdir(), "sage-scripted-"));
  readonly executors: FakeExecutor[] = [];
  readonly reports: JobsReport[] = [];
  readonly agent: Agent;
  /** Told of each new process; ends those that must not start. */
  spawned: (executor: FakeExecutor) => void = (executor) => void setImmediate(() => void executor.becomeReady());
  /** Answers reports; may reject. */
  answer: () => Promise<unknown> = () => Promise.resolve();
  readonly #made: { readonly publicKey: Uint8Array; readonly privateKey: Uint8Array }[] = [];

  constructor(
    options: {
      readonly slots?: number;
      readonly settings?: Partial<AgentSettings>;
      readonly hooks?: Partial<AgentHooks>;
    } = {},
  ) {
    const { slots = 2, settings = {}, hooks = {} } = options;
    const random = randomOf(7);
    const spawner: Spawner = {
      spawn: (of, processHooks) => {
        const executor = new FakeExecutor(this, of, processHooks);
        this.executors.push(executor);
        this.spawned(executor);
        return executor;
      },
    };
    const noting = {
      ...keys,
      create: () => {
        const pair = keys.create();
        this.#made.push(pair);
        return pair;
      },
    };
    this.agent = new Agent(
      {
        clock: this.clock,
        random: { next: random, bytes: (count) => new Uint8Array(count) },
        keys: noting,
        log: { write: () => undefined },
        spawner,
        disk: nodeDisk(),
        transport: { self: this.peer, addresses: ["/ip4/127.0.0.1/tcp/7070" as Address] },
        identity: this.identity,
      },
      {
        version: "0.1.0",
        slots,
        memoryBytes: 1 << 30,
        directory: join(this.directory, "work"),
        workersPerSlot: 1,
        settings,
      },
      {
        facts: () => ({ cluster: CLUSTER, keys: [], certificate: new Uint8Array(8) }),
        blob: () => Promise.resolve(new Uint8Array(3)),
        report: async (body) => {
          this.reports.push(body);
          return await this.answer();
        },
        findExecutor: () => Promise.reject(new Error("there are no other agents")),
        ...hooks,
      },
    );
    this.agent.start();
  }

  peerOfSeed(seed: Uint8Array): PeerId {
    const pair = this.#made.find(({ privateKey }) => privateKey.every((byte, index) => byte === seed[index]));
    if (pair === undefined) throw new Error("the agent has not made this key");
    return keys.peerOf(pair.publicKey);
  }

  /** Lets everything happen that happens without time. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 40; turn++) await new Promise((resolve) => setImmediate(resolve));
  }

  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 125) {
      this.clock.advance(Math.min(125, ms - passed));
      for (let turn = 0; turn < 6; turn++) await new Promise((resolve) => setImmediate(resolve));
    }
    await this.settle();
  }

  get taskReports(): TaskReport[] {
    return this.reports.flatMap((body) => body.reports as readonly TaskReport[]);
  }

  get lost() {
    return this.reports.flatMap((body) => body.lost);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.agent.stop();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

export const JOB = "00112233445566778899aabbccddeeff";

export function jobOrder(
  options: { readonly jobId?: string; readonly jobAttempt?: number; readonly bundle?: BlobHash } = {},
) {
  const { jobId = JOB, jobAttempt = 1, bundle = null } = options;
  const limits = { taskMemoryBytes: 0, resultBytesMax: 1 << 20 };
  return { jobId, name: "test", jobAttempt, plan: NO_PLAN, bundle, params: "{}", ...limits, codec: "none" as const };
}

export function taskOrder(index: number, attempt = 1, slot = index): TaskOrder {
  return { task: { fragment: 0, index }, attempt, slot, inputs: [] };
}
