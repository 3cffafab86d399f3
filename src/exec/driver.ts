/**
 * Runs pipelines and phases on the pool: hands out requests, puts outputs in order, and owns whatever lives between
 * pipelines, so that a job that fails or is cancelled leaves nothing behind.
 */
import { type Arena, type Batch, releaseBatch, retainBatch } from "../arrow/mod.ts";
import type { Terminal } from "../codegen/mod.ts";
import type { Tools } from "../connectors/mod.ts";
import { ControlBlock } from "./control.ts";
import { ExecError } from "./error.ts";
import { Control, type PhaseResult, type PipelineRequest } from "./messages.ts";
import { type BatchList, closed, ended, type OpenPipeline, type OpenSource } from "./open_pipeline.ts";
import { OutputQueue } from "./output_queue.ts";
import type { Pool } from "./pool.ts";

export interface ExecuteOptions {
  /** Rows of a batch, default 65,536. */
  readonly batchRows: number;
  /** Rows that a worker takes at a time, default 16,384. */
  readonly morselRows: number;
  readonly signal: AbortSignal | null;
  /** Tables in the arena that scans of the connector "memory" read; they stay the caller's. */
  readonly tables: ReadonlyMap<string, readonly Batch[]>;
  /** Set: sources give no rows, and every pipeline is shown to this function before it runs. */
  readonly onDryRun: ((pipeline: OpenPipeline) => void) | null;
}

/** Tasks that workers may be ahead of the consumer, for each worker. */
const WINDOW_TASKS = 4;

export class Driver {
  readonly pool: Pool;
  readonly tools: Tools;
  readonly options: ExecuteOptions;
  readonly #owned = new Set<() => void>();
  readonly #running = new Set<ControlBlock>();
  #rowsReadBefore = 0n;
  #cancelled = false;

  constructor(pool: Pool, tools: Tools, options: ExecuteOptions) {
    this.pool = pool;
    this.tools = tools;
    this.options = options;
    options.signal?.addEventListener("abort", () => this.cancel());
  }

  get arena(): Arena {
    return this.pool.arena;
  }

  /** Rows read from sources so far. */
  get rowsRead(): number {
    let rows = this.#rowsReadBefore;
    for (const control of this.#running) rows += control.rowsRead;
    return Number(rows);
  }

  /** Asks all running requests to stop; none is begun any more. */
  cancel(): void {
    this.#cancelled = true;
    for (const control of this.#running) control.cancel();
  }

  /** Keeps batches until they are released or the job ends. */
  own(batches: readonly Batch[]): BatchList {
    return { batches, release: this.onEnd(() => batches.forEach((batch) => releaseBatch(this.arena, batch))) };
  }

  /** Calls `free` once: when the returned function is called, or else when the job ends. */
  onEnd(free: () => void): () => void {
    const once = () => {
      if (this.#owned.delete(once)) free();
    };
    this.#owned.add(once);
    return once;
  }

  /** Frees everything that is still owned; on the workers too. */
  async dispose(): Promise<void> {
    for (const free of Array.from(this.#owned)) free();
    try {
      await this.each("dropAllStates", null);
    } catch (error) {
      // Lost workers hold nothing any more.
      if (!(error instanceof ExecError && error.code === "workerLost")) throw error;
    }
  }

  /** Runs pipelines one after the other to their end, all into the state called `state`. */
  async runInto(pipelines: readonly OpenPipeline[], end: { terminal: Terminal; state: string }): Promise<void> {
    for (const [ordinal, pipeline] of pipelines.entries()) {
      for await (const batch of this.#run(ended(pipeline, end), { ordinal, windowTasks: 0 })) {
        releaseBatch(this.arena, batch);
      }
    }
  }

  /** The rows of all pipelines in order; whoever takes a batch owns it. Stops the work when the loop is left early. */
  async *stream(pipelines: readonly OpenPipeline[]): AsyncGenerator<Batch, void> {
    const windowTasks = WINDOW_TASKS * this.pool.size;
    for (const [ordinal, pipeline] of pipelines.entries()) yield* this.#run(closed(pipeline), { ordinal, windowTasks });
  }

  /** All rows of all pipelines, in order, owned by the job. */
  async materialise(pipelines: readonly OpenPipeline[]): Promise<BatchList> {
    const batches: Batch[] = [];
    const list = this.own(batches);
    for (const [ordinal, pipeline] of pipelines.entries()) {
      for await (const batch of this.#run(closed(pipeline), { ordinal, windowTasks: 0 })) batches.push(batch);
    }
    return list;
  }

  /** Results of `taskCount` calls of a phase function, by task. */
  async phase(name: string, argument: unknown, taskCount: number): Promise<unknown[]> {
    if (taskCount === 0) return [];
    return await this.#withControl(async (control) => {
      const request = { kind: "phase", name, argument, taskCount, control: control.address } as const;
      const perWorker = (await this.pool.broadcast(request, noOutput)) as readonly PhaseResult[][];
      const results: unknown[] = Array.from({ length: taskCount });
      for (const { task, value } of perWorker.flat()) results[task] = value;
      return results;
    });
  }

  /** Results of one call on every worker, by worker. */
  async each(name: string, argument: unknown): Promise<readonly unknown[]> {
    return await this.pool.broadcast({ kind: "each", name, argument }, noOutput);
  }

  async *#run(
    pipeline: OpenPipeline,
    how: { readonly ordinal: number; readonly windowTasks: number },
  ): AsyncGenerator<Batch, void> {
    const opened = await pipeline.source();
    this.options.onDryRun?.(pipeline);
    const release = this.onEnd(() => opened.release());
    try {
      if (pipeline.stages.length === 0 && opened.spec.kind === "batches") yield* this.#passOn(opened);
      else yield* this.#runStages(pipeline, opened, how);
    } finally {
      release();
    }
  }

  /** Nothing to compute: the source's own batches. */
  async *#passOn(opened: OpenSource): AsyncGenerator<Batch, void> {
    if (opened.spec.kind !== "batches") return;
    for (const batch of opened.spec.batches) {
      retainBatch(this.arena, batch);
      yield batch;
    }
  }

  async *#runStages(
    pipeline: OpenPipeline,
    opened: OpenSource,
    how: { readonly ordinal: number; readonly windowTasks: number },
  ): AsyncGenerator<Batch, void> {
    this.#checkSignal();
    const { control, free } = this.#openControl();
    const queue = new OutputQueue(this.arena, (tasks) => (control.consumedTasks = tasks));
    const { batchRows, morselRows } = this.options;
    const wholeBatches = pipeline.stages[0]?.kind !== "code";
    const request: PipelineRequest = {
      kind: "pipeline",
      source: opened.spec,
      stages: pipeline.stages,
      control: control.address,
      batchRows,
      morselRows: wholeBatches ? Number.MAX_SAFE_INTEGER : morselRows,
      ...how,
    };
    const done = this.pool
      .broadcast(request, (output) => queue.put(output))
      .then(
        () => queue.end(),
        (error: unknown) => queue.fail(error),
      );
    try {
      for (let batch = await queue.take(); batch !== null; batch = await queue.take()) yield batch;
      this.#checkSignal();
    } finally {
      control.cancel();
      await done;
      queue.close();
      free();
    }
  }

  #checkSignal(): void {
    const reason: unknown = this.options.signal?.reason;
    if (!this.#cancelled && !this.options.signal?.aborted) return;
    throw reason instanceof ExecError ? reason : new ExecError("cancelled", "The job was cancelled");
  }

  #openControl(): { control: ControlBlock; free: () => void } {
    const address = this.arena.allocateZeroed(Control.bytes, 0);
    const control = new ControlBlock(this.arena, address);
    this.#running.add(control);
    const free = this.onEnd(() => {
      this.#rowsReadBefore += control.rowsRead;
      this.#running.delete(control);
      this.arena.release(address);
    });
    return { control, free };
  }

  async #withControl<T>(body: (control: ControlBlock) => Promise<T>): Promise<T> {
    this.#checkSignal();
    const { control, free } = this.#openControl();
    try {
      const result = await body(control);
      this.#checkSignal();
      return result;
    } finally {
      free();
    }
  }
}

function noOutput(): void {}
