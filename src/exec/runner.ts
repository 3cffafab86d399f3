/**
 * What a worker does with a request. The same code runs in threads and inline; it never looks at which.
 */
import { type Batch, releaseBatch, retainBatch } from "../arrow/mod.ts";
import { sourceOf } from "../connectors/mod.ts";
import { unreachable } from "../kernel/mod.ts";
import { CodeStage } from "./code_stage.ts";
import { ControlBlock, Interrupted } from "./control.ts";
import { memoryFailure } from "./failure.ts";
import type {
  BatchesSource,
  PhaseRequest,
  PhaseResult,
  PipelineRequest,
  SplitsSource,
  StageSpec,
  WorkerRequest,
} from "./messages.ts";
import { eachHandlers, phaseHandlers } from "./phases.ts";
import { TopKStage } from "./sort/mod.ts";
import type { Stage } from "./stage.ts";
import { UnnestStage } from "./unnest_stage.ts";
import { UserStage } from "./user_stage.ts";
import type { WorkerContext } from "./worker_context.ts";

/** Bits of a row position below the task's number: rows of one task. */
const TASK_ROW_BITS = 36n;
/** Bits below the pipeline's ordinal: task number and row. */
const ORDINAL_BITS = 57n;
/** Positions that each row of a batch has on average, for the rows that stages make of it. */
const ROW_SPREAD_BITS = 16n;

export async function carryOut(worker: WorkerContext, request: WorkerRequest): Promise<unknown> {
  try {
    return await dispatch(worker, request);
  } catch (error) {
    throw memoryFailure(error, 0);
  }
}

async function dispatch(worker: WorkerContext, request: WorkerRequest): Promise<unknown> {
  switch (request.kind) {
    case "pipeline":
      return await runPipeline(worker, request);
    case "phase":
      return await runPhase(worker, request);
    case "each":
      return await eachHandlers[request.name]?.(worker, request.argument);
    default:
      return unreachable(request);
  }
}

async function runPhase(worker: WorkerContext, request: PhaseRequest): Promise<PhaseResult[]> {
  const control = new ControlBlock(worker.arena, request.control);
  const handler = phaseHandlers[request.name];
  const results: PhaseResult[] = [];
  for (let task = control.takeTask(); task < request.taskCount && !control.cancelled; task = control.takeTask()) {
    results.push({ task, value: await handler?.(worker, request.argument, task) });
    await worker.pause();
  }
  return results;
}

async function runPipeline(worker: WorkerContext, request: PipelineRequest): Promise<unknown> {
  const control = new ControlBlock(worker.arena, request.control);
  const run: PipelineRun = { worker, request, control, head: buildStages(worker, request, control) };
  try {
    if (request.source.kind === "batches") await runBatches(run, request.source);
    else await runSplits(run, request.source);
    const { close } = request;
    return close === null || control.cancelled ? undefined : await eachHandlers[close.name]?.(worker, close.argument);
  } catch (error) {
    if (error instanceof Interrupted) return undefined;
    throw error;
  } finally {
    run.head.dispose();
  }
}

interface PipelineRun {
  readonly worker: WorkerContext;
  readonly request: PipelineRequest;
  readonly control: ControlBlock;
  readonly head: Stage & { task: number };
}

/** The chain of stages, and in front of it the output's task number. */
function buildStages(worker: WorkerContext, request: PipelineRequest, control: ControlBlock): Stage & { task: number } {
  const sink = new OutputStage(worker, request);
  let next: Stage = sink;
  for (const spec of [...request.stages].reverse())
    next = stageOf(worker, spec, { capacityRows: request.batchRows, next, control });
  const first = next;
  return {
    get task() {
      return sink.task;
    },
    set task(task: number) {
      sink.task = task;
    },
    push: (rows) => first.push(rows),
    endTask: () => first.endTask(),
    dispose: () => first.dispose(),
  };
}

interface StageOptions {
  readonly capacityRows: number;
  readonly next: Stage;
  readonly control: ControlBlock;
}

function stageOf(worker: WorkerContext, spec: StageSpec, options: StageOptions): Stage {
  switch (spec.kind) {
    case "code":
      return new CodeStage(worker, spec, {
        control: options.control,
        capacityRows: Math.min(options.capacityRows, spec.capacityRows ?? options.capacityRows),
        next: spec.state === null ? options.next : null,
      });
    case "user":
      return new UserStage(worker, spec, options);
    case "unnest":
      return new UnnestStage(worker, spec, options);
    case "topK":
      return new TopKStage(worker, spec, options);
    default:
      return unreachable(spec);
  }
}

/** Batches of one task that the driver may not have taken yet. */
const WINDOW_BATCHES = 8;

/** Ends the chain: hands batches to the driver under the number of the current task, and waits where it is behind. */
class OutputStage implements Stage {
  task = 0;
  readonly #worker: WorkerContext;
  readonly #request: PipelineRequest;
  #batchCount = 0;

  constructor(worker: WorkerContext, request: PipelineRequest) {
    this.#worker = worker;
    this.#request = request;
  }

  push(rows: { readonly batch: Batch }): void | Promise<void> {
    retainBatch(this.#worker.arena, rows.batch);
    this.#worker.output({ task: this.task, batch: rows.batch });
    this.#batchCount++;
    const batches = this.#batchCount - WINDOW_BATCHES;
    if (this.#request.windowTasks === 0 || batches <= 0) return;
    return this.#worker.awaitConsumed(this.#request.control, { tasks: this.task, batches });
  }

  endTask(): void {
    this.#batchCount = 0;
    this.#worker.output({ task: this.task, batch: null });
  }

  dispose(): void {}
}

/** Takes tasks until there are none; waits where the driver is too far behind. */
async function forEachTask(run: PipelineRun, taskCount: number, body: (task: number) => Promise<void>): Promise<void> {
  const { control, request, worker } = run;
  for (let task = control.takeTask(); task < taskCount && !control.cancelled; task = control.takeTask()) {
    const tasks = task - request.windowTasks + 1;
    if (request.windowTasks > 0 && tasks > 0) await worker.awaitConsumed(control.address, { tasks, batches: 0 });
    if (control.cancelled) return;
    run.head.task = task;
    await body(task);
    if (!control.cancelled) await run.head.endTask();
    await worker.pause();
  }
}

function rowBaseOf(request: PipelineRequest, task: number): bigint {
  return (BigInt(request.ordinal) << ORDINAL_BITS) | (BigInt(task) << TASK_ROW_BITS);
}

/** Tasks are ranges of `taskRows` rows within one batch. */
async function runBatches(run: PipelineRun, source: BatchesSource): Promise<void> {
  const ranges = taskRanges(source);
  const { ordinal, rowsBefore } = run.request;
  await forEachTask(run, ranges.length, async (task) => {
    const range = ranges[task];
    if (range === undefined) return;
    const first = (BigInt(ordinal) << ORDINAL_BITS) | (BigInt(rowsBefore + range.before) << ROW_SPREAD_BITS);
    await pushMorsels(run, { ...range, rowBase: first - BigInt(range.start) });
  });
}

interface TaskRange {
  readonly batch: Batch;
  readonly start: number;
  readonly end: number;
  /** Rows of the source before `start`. */
  readonly before: number;
}

function taskRanges(source: BatchesSource): TaskRange[] {
  const ranges: TaskRange[] = [];
  let before = 0;
  for (const batch of source.batches) {
    for (let start = 0; start < batch.rowCount; start += source.taskRows) {
      const end = Math.min(batch.rowCount, start + source.taskRows);
      ranges.push({ batch, start, end, before });
      before += end - start;
    }
  }
  return ranges;
}

/** Pushes rows in morsels, so that a cancelled request ends soon. */
async function pushMorsels(
  run: PipelineRun,
  rows: { readonly batch: Batch; readonly start: number; readonly end: number; readonly rowBase: bigint },
): Promise<void> {
  const { morselRows } = run.request;
  for (let start = rows.start; start < rows.end && !run.control.cancelled; start += morselRows) {
    const { batch, rowBase } = rows;
    const pending = run.head.push({ batch, rowBase, start, end: Math.min(rows.end, start + morselRows) });
    if (pending !== undefined) await pending;
  }
}

async function runSplits(run: PipelineRun, source: SplitsSource): Promise<void> {
  const { worker, request, control } = run;
  const signal = {
    get aborted() {
      return control.cancelled;
    },
  };
  const connector = sourceOf(source.connector);
  await forEachTask(run, source.splits.length, async (task) => {
    const split = source.splits[task];
    if (split === undefined) return;
    const context = {
      ...worker.tools,
      arena: worker.arena,
      owner: source.operator,
      batchRows: request.batchRows,
      signal,
    };
    const reader = connector.open(source.connector, source.request, split, context);
    let rowBase = rowBaseOf(request, task);
    try {
      for (
        let batch = await reader.read(request.batchRows);
        batch !== null;
        batch = await reader.read(request.batchRows)
      ) {
        try {
          control.addRowsRead(batch.rowCount);
          await pushMorsels(run, { batch, start: 0, end: batch.rowCount, rowBase });
        } finally {
          releaseBatch(worker.arena, batch);
        }
        rowBase += BigInt(batch.rowCount);
        await worker.pause();
        if (control.cancelled) return;
      }
    } finally {
      reader.close();
    }
  });
}
