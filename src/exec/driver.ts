/**
 * Runs pipelines and phases on the pool: hands out requests, puts outputs in order, and owns whatever lives between
 * pipelines, so that a job that fails or is cancelled leaves nothing behind.
 */
import { type Arena, type Batch, releaseBatch, retainBatch } from "../arrow/mod.ts";
import type { Terminal } from "../codegen/mod.ts";
import type { Tools } from "../connectors/mod.ts";
import type { ScanNode } from "../plan/mod.ts";
import { ControlBlock } from "./control.ts";
import { ExecError } from "./error.ts";
import { Control, type EachCall, type PhaseResult, type PipelineRequest, type SourceSpec } from "./messages.ts";
import {
  type BatchList,
  closed,
  ended,
  type OpenPipeline,
  type OpenSource,
  type RoundsSource,
} from "./open_pipeline.ts";
import { OutputQueue } from "./output_queue.ts";
import type { Pool } from "./pool.ts";
import type { RoundReader, ScanSource } from "./scan_source.ts";
import type { WorkerContext } from "./worker_context.ts";

export interface ExecuteOptions {
  /** Rows of a batch, default 65,536. */
  readonly batchRows: number;
  /** Rows that a worker takes at a time, default 16,384. */
  readonly morselRows: number;
  readonly signal: AbortSignal | null;
  /**
   * Called between batches, to let timers and signals of the driver's thread in: where workers are faster than what
   * takes the rows, their messages alone would keep it busy.
   */
  readonly turn: (() => void | Promise<void>) | null;
  /** Tables in the arena that scans of the connector "memory" read; they stay the caller's. */
  readonly tables: ReadonlyMap<string, readonly Batch[]>;
  /** Rows of scans that are no matter of a connector alone; null: of this one they are. Asked once a scan. */
  readonly sources: ((node: ScanNode) => ScanSource | null) | null;
  /** Set: sources give no rows, and every pipeline is shown to this function before it runs. */
  readonly onDryRun: ((pipeline: OpenPipeline) => void) | null;
}

/** Tasks that workers may be ahead of the consumer, for each worker. */
const WINDOW_TASKS = 4;
/** Rows of arriving batches that are run as one request: so many full batches for each worker. */
const ROUND_BATCHES = 4;
const TASKS_PER_WORKER = 2;

export class Driver {
  readonly pool: Pool;
  readonly tools: Tools;
  readonly options: ExecuteOptions;
  readonly #owned = new Set<() => void>();
  readonly #running = new Set<ControlBlock>();
  readonly #readers = new Set<RoundReader>();
  /** Requests that nobody waits for before the end. */
  readonly #background: Promise<unknown>[] = [];
  #local: WorkerContext | null = null;
  #rowsReadBefore = 0n;
  #cancelled = false;

  constructor(pool: Pool, tools: Tools, options: ExecuteOptions) {
    this.pool = pool;
    this.tools = tools;
    this.options = options;
    options.signal?.addEventListener("abort", () => this.cancel());
  }

  /** The driver's own thread as a worker, for phases that are too small to be handed out. */
  get local(): WorkerContext {
    this.#local ??= {
      arena: this.arena,
      tools: this.tools,
      index: this.pool.size,
      userFunctions: new Map(),
      states: new Map(),
      output: noOutput,
      awaitConsumed: () => {},
      pause: () => {},
    };
    return this.#local;
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
    for (const reader of this.#readers) reader.close();
  }

  /** Begins to read rows that arrive; the reader is closed when the pipeline, or the job, ends. */
  openRounds(source: Extract<ScanSource, { kind: "rounds" }>): OpenSource {
    this.#checkSignal();
    const { batchRows, onDryRun } = this.options;
    if (onDryRun !== null) return { spec: { kind: "rounds", next: () => Promise.resolve(null) }, release: () => {} };
    const reader = source.open();
    this.#readers.add(reader);
    const release = this.onEnd(() => {
      this.#readers.delete(reader);
      reader.close();
    });
    const rowsMax = ROUND_BATCHES * this.pool.size * batchRows;
    return { spec: { kind: "rounds", next: () => reader.next(rowsMax) }, release };
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
    for (const state of this.#local?.states.values() ?? []) state.dispose();
    this.#local?.states.clear();
    try {
      await Promise.all(this.#background);
      await this.each("dropAllStates", null);
    } catch (error) {
      // Lost workers hold nothing any more.
      if (!(error instanceof ExecError && error.code === "workerLost")) throw error;
    }
  }

  /**
   * Runs pipelines one after the other to their end, all into the state called `state`. After the last, every worker
   * calls `close` with the state's name; their results.
   */
  async runInto(
    pipelines: readonly OpenPipeline[],
    end: { readonly terminal: Terminal; readonly state: string; readonly close: string },
  ): Promise<readonly unknown[]> {
    const close = { name: end.close, argument: end.state };
    return await this.runToClose(
      pipelines.map((pipeline) => ended(pipeline, end)),
      close,
    );
  }

  /** Runs pipelines that give no rows one after the other. After the last, workers call `close`; their results. */
  async runToClose(pipelines: readonly OpenPipeline[], close: EachCall): Promise<readonly unknown[]> {
    const results: unknown[] = [];
    for (const [ordinal, pipeline] of pipelines.entries()) {
      const isLast = ordinal === pipelines.length - 1;
      const how = { ordinal, windowTasks: 0, close: isLast ? close : null, results };
      for await (const batch of this.#run(pipeline, how)) releaseBatch(this.arena, batch);
    }
    return results;
  }

  /** The rows of all pipelines in order; whoever takes a batch owns it. Stops the work when the loop is left early. */
  async *stream(pipelines: readonly OpenPipeline[]): AsyncGenerator<Batch, void> {
    const windowTasks = WINDOW_TASKS * this.pool.size;
    for (const [ordinal, pipeline] of pipelines.entries()) {
      yield* this.#run(closed(pipeline), { ...plainRun(), ordinal, windowTasks });
    }
  }

  /** All rows of all pipelines, in order, owned by the job. */
  async materialise(pipelines: readonly OpenPipeline[]): Promise<BatchList> {
    const batches: Batch[] = [];
    const list = this.own(batches);
    for (const [ordinal, pipeline] of pipelines.entries()) {
      for await (const batch of this.#run(closed(pipeline), { ...plainRun(), ordinal })) batches.push(batch);
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

  /** Drops a terminal's state in every worker. What is asked of them later finds it gone. */
  dropState(name: string): void {
    this.#local?.states.get(name)?.dispose();
    this.#local?.states.delete(name);
    // A failure would be the workers' loss, which the next request reports.
    this.#background.push(this.each("dropState", name).then(undefined, () => undefined));
  }

  async *#run(pipeline: OpenPipeline, how: RunHow): AsyncGenerator<Batch, void> {
    const opened = await pipeline.source();
    this.options.onDryRun?.(pipeline);
    const release = this.onEnd(() => opened.release());
    try {
      const { spec } = opened;
      if (spec.kind === "rounds") yield* this.#runRounds(pipeline, spec, how);
      else if (pipeline.stages.length === 0 && spec.kind === "batches") yield* this.#passOn(spec.batches);
      else yield* this.#runStages(pipeline, spec, { ...how, rowsBefore: 0 });
    } finally {
      release();
    }
  }

  /** Nothing to compute: the source's own batches. */
  async *#passOn(batches: readonly Batch[]): AsyncGenerator<Batch, void> {
    for (const batch of batches) {
      retainBatch(this.arena, batch);
      yield batch;
    }
  }

  /** A request for each list of batches, into the same states; the last, without rows, closes them. */
  async *#runRounds(pipeline: OpenPipeline, source: RoundsSource, how: RunHow): AsyncGenerator<Batch, void> {
    let rowsBefore = 0;
    const run = (batches: readonly Batch[], close: EachCall | null) => {
      const spec = { kind: "batches", batches, taskRows: this.#taskRows(pipeline, batches) } as const;
      return this.#runStages(pipeline, spec, { ...how, close, rowsBefore });
    };
    for (let batches = await this.#round(source); batches !== null; batches = await this.#round(source)) {
      const list = this.own(batches);
      const rows = rowCountOf(batches);
      this.#rowsReadBefore += BigInt(rows);
      try {
        yield* pipeline.stages.length === 0 ? this.#passOn(batches) : run(batches, null);
      } finally {
        list.release();
      }
      rowsBefore += rows;
    }
    if (how.close !== null) yield* run([], how.close);
  }

  /** What a reader says when it is closed because the job ends is no failure of its own. */
  async #round(source: RoundsSource): Promise<readonly Batch[] | null> {
    this.#checkSignal();
    try {
      return await source.next();
    } catch (error) {
      this.#checkSignal();
      throw error;
    }
  }

  /** Few rows are worth to be shared out among the workers too. */
  #taskRows(pipeline: OpenPipeline, batches: readonly Batch[]): number {
    const { batchRows, morselRows } = this.options;
    if (pipeline.stages[0]?.kind !== "code") return batchRows;
    const even = Math.ceil(rowCountOf(batches) / (TASKS_PER_WORKER * this.pool.size));
    return Math.max(1, Math.min(batchRows, Math.max(morselRows, even)));
  }

  async *#runStages(
    pipeline: OpenPipeline,
    source: SourceSpec,
    how: RunHow & { readonly rowsBefore: number },
  ): AsyncGenerator<Batch, void> {
    this.#checkSignal();
    const { control, free } = this.#openControl();
    const queue = new OutputQueue(this.arena, control);
    const { batchRows, morselRows } = this.options;
    const wholeBatches = pipeline.stages[0]?.kind !== "code";
    const request: PipelineRequest = {
      kind: "pipeline",
      source,
      stages: pipeline.stages,
      control: control.address,
      batchRows,
      morselRows: wholeBatches ? Number.MAX_SAFE_INTEGER : morselRows,
      ordinal: how.ordinal,
      rowsBefore: how.rowsBefore,
      windowTasks: how.windowTasks,
      close: how.close,
    };
    const done = this.pool
      .broadcast(request, (output) => queue.put(output))
      .then(
        (results) => {
          if (how.close !== null) how.results.push(...results);
          queue.end();
        },
        (error: unknown) => queue.fail(error),
      );
    try {
      for (let batch = await queue.take(); batch !== null; batch = await queue.take()) {
        yield batch;
        await this.options.turn?.();
      }
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

function rowCountOf(batches: readonly Batch[]): number {
  return batches.reduce((sum, { rowCount }) => sum + rowCount, 0);
}

interface RunHow {
  readonly ordinal: number;
  readonly windowTasks: number;
  readonly close: EachCall | null;
  /** The workers' results are added here. */
  readonly results: unknown[];
}

/** Without `close` the results are of no interest. */
const plainRun = () => ({ windowTasks: 0, close: null, results: [] });
