import { decodePhysicalPlan } from "../jobs/mod.ts";
import { type Channel, invariant, type PeerId } from "../kernel/mod.ts";
import type { JobOrder, TaskMetrics, TaskOrder, TaskReport, TaskRun } from "../protocol/mod.ts";
import {
  type ExchangeInput,
  GetInput,
  LocalInput,
  type PartitionKey,
  type PartitionStore,
  ShuffleServer,
} from "../shuffle/mod.ts";
import { ExecutorError } from "./error.ts";
import { EXCHANGE_PARTS, type ExecutorPorts, type JobCode } from "./ports.ts";
import type { RowsMessage } from "./result_rows.ts";
import { OWNER } from "./rows.ts";
import { Slot } from "./slot.ts";
import { edgeName, Task, type TaskParts } from "./task.ts";

/** Of the memory that the job may take: what partitions may take before they go to disk. */
const PARTITIONS_MEMORY_SHARE = 0.4;
/** A producer that stays away for longer is lost; normally the JobManager knows much sooner. */
const AWAY_MS_MAX = 15_000;

export interface AssignmentHooks {
  /** A channel to the executor of the job's attempt at this agent. */
  connect(agent: PeerId): Promise<Channel>;
  /** Whether the peer may read partitions of the job. */
  allows(peer: PeerId, jobId: string): boolean;
  report(report: TaskReport): void;
  sendRows(run: TaskRun, rows: RowsMessage): Promise<unknown>;
  /** This process is of no use any more: another one does better. */
  spoiled(reason: string): void;
}

export interface AssignmentOptions {
  readonly job: JobOrder;
  readonly planBytes: Uint8Array;
  readonly bundlePath: string | null;
  readonly directory: string;
  /** Whose executor this is. */
  readonly agent: PeerId;
  readonly slots: number;
}

/** The job's attempt that the executor has: its plan, its tasks, and what they gave. */
export class Assignment {
  readonly job: JobOrder;
  readonly server: ShuffleServer;
  readonly #ports: ExecutorPorts;
  readonly #hooks: AssignmentHooks;
  readonly #options: AssignmentOptions;
  readonly #store: PartitionStore;
  readonly #parts: TaskParts;
  readonly #slots = new Map<number, Slot>();
  readonly #tasks = new Map<string, Task>();
  readonly #running = new Set<Promise<void>>();
  #isClosed = false;

  /** @throws {PlanError} the plan cannot be read */
  constructor(ports: ExecutorPorts, hooks: AssignmentHooks, options: AssignmentOptions) {
    const { job, planBytes, bundlePath, directory } = options;
    const { arena, tools } = ports.engine;
    const exchange = ports.exchange ?? EXCHANGE_PARTS;
    this.job = job;
    this.#ports = ports;
    this.#hooks = hooks;
    this.#options = options;
    const code: JobCode | null = bundlePath === null ? null : { bundlePath, params: job.params };
    const plan = decodePhysicalPlan(planBytes);
    this.#store = exchange.createStore({
      arena,
      owner: OWNER,
      compression: tools.compression,
      memoryBytesMax: partitionsBytes(arena.limitBytes),
      spill: { disk: tools.disk, directory: `${directory}/partitions-${job.jobAttempt}` },
    });
    this.server = new ShuffleServer({
      store: this.#store,
      clock: ports.clock,
      codec: job.codec,
      allows: (peer, key) => key.job === job.jobId && hooks.allows(peer, key.job),
    });
    this.#parts = {
      ports,
      job,
      plan,
      code,
      store: this.#store,
      openInput: (place, reader) => this.#openInput(place, reader),
      report: (report) => hooks.report(report),
      sendRows: (run, rows) => hooks.sendRows(run, rows),
      outOfMemory: () => {
        if (this.isTainted) hooks.spoiled("it lacks memory that was lost with workers that had to be ended");
      },
    };
  }

  /** Whether tasks run or wait. */
  get isBusy(): boolean {
    return this.#running.size > 0;
  }

  /** Workers of a slot were ended while they computed. */
  get isTainted(): boolean {
    return [...this.#slots.values()].some(({ isTainted }) => isTainted);
  }

  /** Counters of tasks that run. */
  metrics(): { run: TaskRun; metrics: TaskMetrics }[] {
    const running = [...this.#tasks.values()].filter(({ isRunning }) => isRunning);
    return running.map((task) => ({ run: task.run, metrics: task.metrics }));
  }

  /** From now on the job may take so much here; partitions go to disk before that. */
  limitMemory(bytes: number): void {
    this.#ports.engine.limitMemory(bytes);
    this.#store.share.limitBytes = partitionsBytes(Math.min(bytes, this.#ports.engine.arena.limitBytes));
  }

  /** Begins a task; of one that is known its last report comes again. @throws {ExecutorError} notAssigned */
  start(order: TaskOrder): void {
    const known = this.#tasks.get(runName(order));
    if (known !== undefined) return known.repeat();
    const task = new Task(this.#parts, order);
    this.#tasks.set(runName(order), task);
    const slot = this.#slotOf(order.slot);
    const run = slot.run(() => task.execute(slot));
    this.#running.add(run);
    void run.finally(() => this.#running.delete(run));
  }

  cancel(run: TaskRun): void {
    const known = this.#tasks.get(runName(run));
    if (known !== undefined) return known.cancel();
    const { jobId, jobAttempt } = this.job;
    this.#hooks.report({ jobId, jobAttempt, ...run, status: "ended" });
  }

  async commit(run: TaskRun): Promise<void> {
    const task = this.#tasks.get(runName(run));
    if (task !== undefined) return await task.commit();
    const { jobId, jobAttempt } = this.job;
    const reason = "The file cannot be committed: the executor that prepared it is gone.";
    this.#hooks.report({ jobId, jobAttempt, ...run, status: "failed", isFinal: false, reason });
  }

  /** Ends all tasks and frees all that they gave. Idempotent. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const task of this.#tasks.values()) task.cancel();
    await Promise.all(this.#running);
    this.server.close();
    this.#store.close();
    await Promise.all([...this.#slots.values()].map((slot) => slot.close()));
  }

  #slotOf(index: number): Slot {
    const known = this.#slots.get(index);
    if (known !== undefined) return known;
    const slot = new Slot(this.#ports.engine, index % Math.max(1, this.#options.slots), this.#parts.code);
    this.#slots.set(index, slot);
    return slot;
  }

  #openInput(place: TaskOrder["inputs"][number], reader: number): ExchangeInput {
    const { engine, clock, random } = this.#ports;
    const key: PartitionKey = {
      job: this.job.jobId,
      attempt: this.job.jobAttempt,
      edge: edgeName(place.exchange, place.attempt),
      partition: reader,
      producer: place.producer.index,
    };
    const exchange = this.#parts.plan.exchanges[place.exchange];
    invariant(exchange !== undefined, `exchange ${place.exchange} is in the plan`);
    const { isBlocking, schema } = exchange;
    if (place.peer === this.#options.agent) {
      if (isBlocking && this.#store.get(key) === null) {
        const message = `What task ${place.producer.index} of fragment ${place.producer.fragment} gave is not here.`;
        throw new ExecutorError("inputLost", message, { input: place, retryable: true });
      }
      return new LocalInput(this.#store, key);
    }
    const { arena, tools } = engine;
    const { compression } = tools;
    const { windowBytes } = this.#ports.exchange ?? EXCHANGE_PARTS;
    const options = { arena, owner: OWNER, compression, schema, windowBytes, clock, random };
    return new GetInput(key, () => this.#hooks.connect(place.peer), { ...options, awayMsMax: AWAY_MS_MAX });
  }
}

function partitionsBytes(bytes: number): number {
  return Math.floor(bytes * PARTITIONS_MEMORY_SHARE);
}

function runName({ task, attempt }: TaskRun): string {
  return `${task.fragment}.${task.index}@${attempt}`;
}
