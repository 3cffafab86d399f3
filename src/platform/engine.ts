import { availableParallelism, totalmem } from "node:os";
import { Arena, type Batch, type Schema } from "../arrow/mod.ts";
import { sourceOf, type Tools } from "../connectors/mod.ts";
import { ExecError, type Execution, executePlan, explainPipelines, InlinePool, type Pool } from "../exec/mod.ts";
import {
  bind,
  type ConnectorSpec,
  explainPlan,
  type LogicalPlan,
  optimise,
  type Plan,
  type Statistics,
  sourcesOf,
  userFunctionsOf,
} from "../plan/mod.ts";
import { nodeCompression } from "./compression.ts";
import { nodeDisk } from "./disk.ts";
import { garbageCollector } from "./garbage.ts";
import { ThreadPool } from "./thread_pool.ts";

/** A 32-bit arena ends here. */
const ARENA_BYTES_MAX = 2 ** 32 - 65_536;
/** Share of the machine's memory that the arena may take unless told otherwise. */
const DEFAULT_MEMORY_SHARE = 0.6;
/** How long a cancelled job's workers may take to stop by themselves. */
const STOP_WAIT_MS_MAX = 300;

export interface EngineOptions {
  /** Worker threads, default: one a core. 0 runs everything in the calling thread. */
  readonly workers?: number;
  /** Limit of the arena in bytes; default 60 % of the machine's memory, at most 4 GiB. */
  readonly memoryBytes?: number;
  /** Default 65,536. */
  readonly batchRows?: number;
  /** Default 16,384. */
  readonly morselRows?: number;
  /** Module that every worker imports to find the job's functions; without, jobs with functions run inline. */
  readonly bundleUrl?: string | null;
  /** Values of the job's parameters as JSON, for that module's builder. */
  readonly params?: string;
}

export interface RunOptions {
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
  readonly onProgress?: (progress: Progress) => void;
  /** Tables that scans of the connector "memory" read. */
  readonly tables?: ReadonlyMap<string, readonly Batch[]>;
}

export interface Progress {
  readonly rowsRead: number;
  /** Null when a source does not know. */
  readonly rowsTotal: number | null;
  readonly elapsedMs: number;
}

export interface RootResult {
  readonly schema: Schema;
  readonly isSink: boolean;
  /** In order; whoever takes a batch releases it. Nothing comes from a sink, but iterating it writes the file. */
  readonly batches: AsyncGenerator<Batch, void>;
}

export interface RunStats {
  readonly rowsRead: number;
  readonly elapsedMs: number;
  readonly peakBytes: number;
  readonly outputs: readonly { readonly path: string; readonly rows: number }[];
}

/** A job that has started. Its roots run when their batches are asked for. */
export interface Run extends AsyncDisposable {
  readonly roots: readonly RootResult[];
  readonly stats: () => RunStats;
  /** Stops what runs and frees everything. */
  readonly close: () => Promise<void>;
}

const PROGRESS_INTERVAL_MS = 100;
const COLLECT_EVERY_MS = 150;

/** Timers and signals of a thread that computes get a turn this often. */
const TURN_EVERY_MS = 10;

function turns(): () => void | Promise<void> {
  let lastMs = performance.now();
  return () => {
    if (performance.now() - lastMs < TURN_EVERY_MS) return;
    return new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
      lastMs = performance.now();
    });
  };
}

/** For a job in the calling thread: without turns nothing could cancel it, no time limit would end it. */
function pauses(arena: Arena): () => void | Promise<void> {
  const collect = garbageCollector(arena);
  const turn = turns();
  return () => {
    collect();
    return turn();
  };
}

/** For what the calling thread looks through by itself: throws why the job ended. */
function turnsOf(signal: AbortSignal): () => void | Promise<void> {
  const turn = turns();
  return () => turn()?.then(() => signal.throwIfAborted());
}

/** What a run has begun and its close ends. */
type Watches = (NodeJS.Timeout | (() => void))[];

/** The time limit and the caller's signal end the job through `stop`. */
function watchEnd(timers: Watches, { signal, timeoutMs }: RunOptions, stop: (reason: ExecError) => void): void {
  if (timeoutMs !== undefined) {
    const message = `The job ran longer than ${timeoutMs} ms. Allow more with --timeout`;
    timers.push(setTimeout(() => stop(new ExecError("timeout", message)), timeoutMs));
  }
  if (signal === undefined) return;
  const cancel = () => stop(new ExecError("cancelled", "The job was cancelled"));
  if (signal.aborted) cancel();
  signal.addEventListener("abort", cancel);
  timers.push(() => signal.removeEventListener("abort", cancel));
}

function callOff(timers: Watches): void {
  for (const timer of timers.splice(0)) {
    if (typeof timer === "function") timer();
    else clearTimeout(timer);
  }
}

/** One process's arena and workers. Jobs run one at a time. */
export class Engine implements AsyncDisposable {
  readonly tools: Tools = { disk: nodeDisk(), compression: nodeCompression() };
  readonly #options: EngineOptions;
  readonly #memoryBytes: number;
  #arena: Arena | null = null;
  #threads: ThreadPool | null = null;

  constructor(options: EngineOptions = {}) {
    this.#options = options;
    this.#memoryBytes = Math.min(ARENA_BYTES_MAX, options.memoryBytes ?? Math.floor(totalmem() * DEFAULT_MEMORY_SHARE));
  }

  get arena(): Arena {
    this.#arena ??= Arena.create({ limitBytes: this.#memoryBytes });
    return this.#arena;
  }

  /** Looks at the sources, binds and optimises. Throws PlanError and ConnectorError. */
  async plan(logical: LogicalPlan, tables: RunOptions["tables"] = new Map()): Promise<Plan> {
    return (await this.#planned(logical, tables, this.tools)).plan;
  }

  /** Plans and pipelines as text. */
  async explain(logical: LogicalPlan, options: { readonly wasm?: boolean } = {}): Promise<string> {
    const { bound, plan, statistics } = await this.#planned(logical, new Map(), this.tools);
    const pipelines = await explainPipelines(plan, { wasm: options.wasm ?? false, tools: this.tools });
    const parts = [
      ["Logical plan", explainPlan(bound)],
      ["Optimised plan", explainPlan(plan, { statistics })],
      ["Pipelines", pipelines],
    ] as const;
    return parts.map(([title, text]) => `${title}\n\n${text}\n`).join("\n");
  }

  async run(logical: LogicalPlan, options: RunOptions = {}): Promise<Run> {
    if (this.#threads?.isLost) await this.#stopThreads();
    const startMs = performance.now();
    const abort = new AbortController();
    const timers: Watches = [];
    const stop = (reason: ExecError) => {
      abort.abort(reason);
      timers.push(setTimeout(() => void this.#stopThreads(), STOP_WAIT_MS_MAX));
    };
    // Before planning, which may have many files to look at.
    watchEnd(timers, options, stop);
    const turn = turnsOf(abort.signal);
    const tools: Tools = { ...this.tools, turn };
    const planned = this.#planned(logical, options.tables ?? new Map(), tools);
    const { plan, rowsTotal } = await planned.catch((error: unknown) => {
      callOff(timers);
      throw error;
    });
    const pool = this.#pool(logical);
    const { batchRows, morselRows } = this.#options;
    const execution = executePlan(plan, pool, {
      tools,
      turn,
      signal: abort.signal,
      ...(batchRows === undefined ? {} : { batchRows }),
      ...(morselRows === undefined ? {} : { morselRows }),
      ...(options.tables === undefined ? {} : { tables: options.tables }),
    });
    this.#watchProgress(execution, timers, { ...options, startMs, rowsTotal });
    let closed: Promise<void> | null = null;
    const close = () => {
      callOff(timers);
      return (closed ??= execution.close());
    };
    return {
      roots: plan.roots.map((root, index) => ({
        schema: execution.schemas[index] as Schema,
        isSink: root.kind === "sink",
        batches: execution.rows(index),
      })),
      stats: () => ({
        rowsRead: execution.rowsRead,
        elapsedMs: performance.now() - startMs,
        peakBytes: this.arena.peakBytes(),
        outputs: execution.written,
      }),
      close,
      [Symbol.asyncDispose]: close,
    };
  }

  async close(): Promise<void> {
    await this.#stopThreads();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #planned(
    logical: LogicalPlan,
    tables: ReadonlyMap<string, readonly Batch[]>,
    tools: Tools,
  ): Promise<{ bound: Plan; plan: Plan; statistics: Statistics; rowsTotal: number | null }> {
    const known = new Map<ConnectorSpec, { schema: Schema; rowCount: number | null }>();
    for (const spec of sourcesOf(logical)) known.set(spec, await this.#describe(spec, tables, tools));
    const info = (spec: ConnectorSpec) => known.get(spec) as { schema: Schema; rowCount: number | null };
    const bound = bind(logical, (spec) => info(spec).schema);
    const statistics = { rowCount: (spec: ConnectorSpec) => info(spec).rowCount };
    const plan = optimise(bound, statistics);
    const counts = [...known.values()].map((source) => source.rowCount);
    const rowsTotal = counts.includes(null) ? null : counts.reduce<number>((sum, count) => sum + (count ?? 0), 0);
    return { bound, plan, statistics, rowsTotal };
  }

  async #describe(spec: ConnectorSpec, tables: ReadonlyMap<string, readonly Batch[]>, tools: Tools) {
    if (spec.connector !== "memory") return await sourceOf(spec).describe(spec, tools);
    const batches = tables.get(String(spec.options["table"])) ?? [];
    const rowCount = batches.reduce((sum, batch) => sum + batch.rowCount, 0);
    return { schema: (batches[0] as Batch).schema, rowCount };
  }

  #pool(logical: LogicalPlan): Pool {
    const userFunctions = userFunctionsOf(logical);
    const bundleUrl = this.#options.bundleUrl ?? null;
    const size = this.#options.workers ?? availableParallelism();
    if (size === 0 || (userFunctions.size > 0 && bundleUrl === null)) {
      return new InlinePool({ arena: this.arena, tools: this.tools, userFunctions, pause: pauses(this.arena) });
    }
    const setup = { bundleUrl, params: this.#options.params ?? "{}", hasRowsOnStdout: true };
    this.#threads ??= new ThreadPool(this.arena, { size, setup });
    return this.#threads;
  }

  #watchProgress(
    execution: Execution,
    timers: Watches,
    options: Pick<RunOptions, "onProgress"> & { readonly startMs: number; readonly rowsTotal: number | null },
  ): void {
    const { onProgress, startMs, rowsTotal } = options;
    timers.push(setInterval(garbageCollector(this.arena), COLLECT_EVERY_MS));
    if (onProgress === undefined) return;
    const report = () =>
      onProgress({ rowsRead: execution.rowsRead, rowsTotal, elapsedMs: performance.now() - startMs });
    timers.push(setInterval(report, PROGRESS_INTERVAL_MS));
  }

  /** Ends threads that may be stuck in a user's function. What they held is lost with the arena, so both start anew. */
  async #stopThreads(): Promise<void> {
    const threads = this.#threads;
    this.#threads = null;
    if (threads === null) return;
    this.#arena = null;
    await threads.close();
  }
}
