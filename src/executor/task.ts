import type { Batch, Schema } from "../arrow/mod.ts";
import { ExecError, type Execution, executePlan } from "../exec/mod.ts";
import { type Fragment, type PhysicalPlan, taskPlan } from "../jobs/mod.ts";
import { invariant, SageError, unreachable } from "../kernel/mod.ts";
import type { JobOrder, TaskMetrics, TaskOrder, TaskReport, TaskRun } from "../protocol/mod.ts";
import { type ExchangeInput, type PartitionKey, type PartitionStore, rangeBounds, rangeWords } from "../shuffle/mod.ts";
import { ExecutorError } from "./error.ts";
import { type Failure, failureOf } from "./failure.ts";
import { TaskInputs } from "./inputs.ts";
import { ExchangeOutput, rangeKeyOf, TaskOutputs } from "./outputs.ts";
import type { ExecutorPorts, JobCode } from "./ports.ts";
import { ResultRows, type RowsMessage } from "./result_rows.ts";
import type { Slot } from "./slot.ts";
import { ClientTarget, ExchangeTarget, SinkTarget, type Target } from "./target.ts";
import { TaskDisk } from "./task_disk.ts";

/** A task that was told to end, and computes on, loses its workers after this time. */
const STOP_WAIT_MS = 80;
/** Ranges of one exchange; readers beyond them get no rows. */
const RANGES_MAX = 256;

export interface TaskParts {
  readonly ports: ExecutorPorts;
  readonly job: JobOrder;
  readonly plan: PhysicalPlan;
  readonly code: JobCode | null;
  readonly store: PartitionStore;
  /** Reads what one producer gives to the task of this number. */
  openInput(place: TaskOrder["inputs"][number], reader: number): ExchangeInput;
  report(report: TaskReport): void;
  sendRows(run: TaskRun, message: RowsMessage): Promise<unknown>;
  /** A task did not get the memory that it needs. */
  outOfMemory(): void;
}

export type TaskStatus = "waiting" | TaskReport["status"];

/** One run of a task, from its order to the end of what it left. */
export class Task {
  readonly run: TaskRun;
  readonly order: TaskOrder;
  readonly #parts: TaskParts;
  readonly #fragment: Fragment;
  readonly #inputs: TaskInputs;
  readonly #abort = new AbortController();
  #status: TaskStatus = "waiting";
  #last: TaskReport | null = null;
  #target: Target | null = null;
  #execution: Execution | null = null;
  #slot: Slot | null = null;
  #endStopping: () => void = () => undefined;
  #startMs = 0;
  #elapsedMs = 0;
  #rowsIn = 0;
  #rowsOut = 0;

  constructor(parts: TaskParts, order: TaskOrder) {
    const { task, attempt } = order;
    const fragment = parts.plan.fragments[task.fragment];
    if (fragment === undefined || task.index >= fragment.parallelism) {
      throw new ExecutorError("notAssigned", `Cannot run task ${task.fragment}.${task.index}: the plan has none such.`);
    }
    this.#parts = parts;
    this.#fragment = fragment;
    this.order = order;
    this.run = { task, attempt };
    this.#inputs = new TaskInputs({
      arena: parts.ports.engine.arena,
      clock: parts.ports.clock,
      exchanges: parts.plan.exchanges,
      inputs: fragment.inputs,
      places: order.inputs,
      open: (place) => parts.openInput(place, task.index),
    });
  }

  get isRunning(): boolean {
    return this.#status === "waiting" || this.#status === "running";
  }

  get metrics(): TaskMetrics {
    const target = this.#target;
    const elapsedMs = this.#status === "running" ? this.#parts.ports.clock.nowMs() - this.#startMs : this.#elapsedMs;
    return {
      rowsIn: this.#execution?.rowsRead ?? this.#rowsIn,
      rowsOut: this.#rowsOut,
      bytesOut: target?.bytes ?? 0,
      spilledBytes: target?.spilledBytes ?? 0,
      backpressureMs: Math.round(target?.backpressureMs ?? 0),
      elapsedMs: Math.round(elapsedMs),
    };
  }

  /** Says once more what became of it. */
  repeat(): void {
    if (this.#last !== null) this.#parts.report(this.#last);
  }

  /** Runs to its last report. Never rejects. */
  async execute(slot: Slot): Promise<void> {
    if (this.#status !== "waiting") return;
    this.#slot = slot;
    this.#startMs = this.#parts.ports.clock.nowMs();
    this.#move({ status: "running" });
    let failure: { readonly error: unknown } | null = null;
    try {
      await this.#compute(slot);
    } catch (error) {
      failure = { error };
    }
    this.#endStopping();
    this.#elapsedMs = this.#parts.ports.clock.nowMs() - this.#startMs;
    this.#inputs.close();
    if (failure !== null && isWorkerLost(failure.error)) await slot.replace();
    if (this.#abort.signal.aborted) this.#ended();
    else if (failure !== null) this.#failed(failure.error);
    else this.#move({ status: "finished", outputBytes: this.#target?.bytes ?? 0, metrics: this.metrics });
  }

  /** Ends it, or drops what it gave; its last report follows, or comes again. What has given nothing has not finished. */
  cancel(): void {
    if (this.#status === "waiting" || this.#status === "finished") return this.#ended();
    this.#target?.drop();
    if (this.#status !== "running") return this.repeat();
    if (this.#abort.signal.aborted) return;
    this.#abort.abort(new ExecError("cancelled", "The task was cancelled"));
    this.#inputs.close();
    // Code of a job may never come back.
    this.#endStopping = this.#parts.ports.clock.wake(STOP_WAIT_MS, () => void this.#slot?.replace());
  }

  /** @throws {ConnectorError} the file cannot be put into its place */
  async commit(): Promise<void> {
    if (this.#status === "committed") return this.repeat();
    if (!(this.#target instanceof SinkTarget) || !this.#target.isPrepared || this.#status !== "finished") {
      return this.#failed(new ExecutorError("notPrepared", "Cannot commit the file: it was not prepared by this run."));
    }
    try {
      await this.#target.commit();
      this.#move({ status: "committed", metrics: this.metrics });
    } catch (error) {
      // The file stays prepared, and the task finished: it may be tried again.
      this.#tell({ status: "failed", ...this.#failureOf(error), metrics: this.metrics });
    }
  }

  async #compute(slot: Slot): Promise<void> {
    const { engine } = this.#parts.ports;
    const target = await this.#openTarget();
    this.#target = target;
    const pool = await slot.pool();
    const { task, attempt } = this.run;
    pool.prints?.({ task: `${task.fragment}.${task.index}`, attempt });
    this.#abort.signal.throwIfAborted();
    const turn = async () => {
      await engine.turn();
      this.#abort.signal.throwIfAborted();
    };
    const execution = executePlan(taskPlan(this.#fragment, this.order.task.index), pool, {
      tools: { ...engine.tools, turn },
      turn: () => engine.turn(),
      signal: this.#abort.signal,
      sources: (node) => this.#inputs.sourceOf(node),
    });
    this.#execution = execution;
    try {
      await this.#drain(execution.rows(0), target);
      if (!this.#abort.signal.aborted) await target.finish();
    } finally {
      await execution.close();
      this.#rowsIn = execution.rowsRead;
      this.#execution = null;
    }
  }

  async #drain(rows: AsyncGenerator<Batch, void>, target: Target): Promise<void> {
    if (target.isUnwanted) return;
    for await (const batch of rows) {
      this.#rowsOut += batch.rowCount;
      const waiting = target.add(batch);
      if (waiting !== undefined) await waiting;
      if (target.isUnwanted) return;
    }
  }

  async #openTarget(): Promise<Target> {
    const { ports, job } = this.#parts;
    const { output, plan } = this.#fragment;
    const { arena, tools } = ports.engine;
    const schema = rootSchemaOf(plan);
    switch (output.kind) {
      case "exchanges":
        return new ExchangeTarget(await this.#openOutputs(schema, output.exchanges), ports.clock);
      case "client":
        return new ClientTarget(new ResultRows(arena, schema, (rows) => this.#parts.sendRows(this.run, rows)));
      case "sink": {
        const disk = new TaskDisk(tools.disk, { ...job, run: this.run });
        return new SinkTarget(arena, { ...tools, disk }, { sink: output.sink, schema });
      }
      default:
        return unreachable(output);
    }
  }

  async #openOutputs(rootSchema: Schema, ids: readonly number[]): Promise<TaskOutputs> {
    const { plan, store } = this.#parts;
    const outputs: ExchangeOutput[] = [];
    try {
      for (const id of ids) {
        const exchange = plan.exchanges[id];
        const reader = plan.fragments[exchange?.to ?? -1];
        invariant(exchange !== undefined && reader !== undefined, `exchange ${id} is in the plan`);
        const bounds = exchange.kind === "range" ? await this.#bounds(exchange, reader.parallelism) : [];
        const producer = this.order.task.index;
        const keyOf = (partition: number) => this.#keyOf(id, partition);
        const options = { store, exchange, rootSchema, producer, readers: reader.parallelism, bounds, keyOf };
        outputs.push(new ExchangeOutput(options));
      }
    } catch (error) {
      for (const output of outputs) output.close();
      throw error;
    }
    return new TaskOutputs(store.arena, outputs);
  }

  #keyOf(exchange: number, partition: number): PartitionKey {
    const { jobId, jobAttempt } = this.#parts.job;
    const edge = edgeName(exchange, this.run.attempt);
    return { job: jobId, attempt: jobAttempt, edge, partition, producer: this.order.task.index };
  }

  /** Where ranges begin, by the sample that was made for them. */
  async #bounds(
    exchange: Extract<PhysicalPlan["exchanges"][number], { kind: "range" }>,
    parts: number,
  ): Promise<readonly bigint[]> {
    const { arena } = this.#parts.ports.engine;
    const keys = exchange.keys.map(rangeKeyOf);
    const words: bigint[] = [];
    const rounds = this.#inputs.reader(exchange.boundsFrom);
    for (let batches = await rounds.next(1); batches !== null; batches = await rounds.next(1)) {
      try {
        for (const batch of batches) if (batch.rowCount > 0) words.push(...rangeWords(arena, batch, keys));
      } finally {
        for (const batch of batches) for (const block of batch.blocks) arena.release(block);
      }
    }
    return rangeBounds(BigUint64Array.from(words), Math.min(parts, RANGES_MAX));
  }

  #failed(error: unknown): void {
    const failure = this.#failureOf(error);
    this.#target?.fail(failure.reason);
    this.#move({ status: "failed", ...failure, metrics: this.metrics });
    if (error instanceof SageError && error.code === "memoryLimit") this.#parts.outOfMemory();
  }

  #failureOf(error: unknown): Failure {
    const { engine } = this.#parts.ports;
    return failureOf(error, (each) => engine.placeOf(each, this.#parts.code));
  }

  #ended(): void {
    this.#target?.drop();
    this.#move({ status: "ended", metrics: this.metrics });
  }

  #move(to: Pick<TaskReport, "status"> & Partial<TaskReport>): void {
    this.#status = to.status;
    this.#last = this.#tell(to);
  }

  #tell(of: Pick<TaskReport, "status"> & Partial<TaskReport>): TaskReport {
    const { jobId, jobAttempt } = this.#parts.job;
    const report = { jobId, jobAttempt, ...this.run, ...of };
    this.#parts.report(report);
    return report;
  }
}

/** A pool that lost a worker is of no use any more. */
function isWorkerLost(error: unknown): boolean {
  return error instanceof ExecError && error.code === "workerLost";
}

/** Edges of partitions: later runs of a task write other ones. */
export function edgeName(exchange: number, attempt: number): string {
  return `${exchange}@${attempt}`;
}

function rootSchemaOf(plan: Fragment["plan"]): Schema {
  const root = plan.roots[0];
  invariant(root !== undefined, "a fragment has one root");
  return root.schema;
}
