/** Memory and workers of an executor process: one arena, and a pool of threads a slot that is up before a job is known. */
import { readFileSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";
import { Arena } from "../arrow/mod.ts";
import type { Tools } from "../connectors/mod.ts";
import { InlinePool, type Pool, type WorkerRequest } from "../exec/mod.ts";
import type { EnginePort, JobCode } from "../executor/mod.ts";
import { type LogMark, withLogMark } from "../kernel/mod.ts";
import type { UserPlace } from "../protocol/mod.ts";
import { sourceMapOfModule } from "./bundle_module.ts";
import { nodeCompression } from "./compression.ts";
import { nodeDisk } from "./disk.ts";
import { garbageCollector } from "./garbage.ts";
import { userFunctionsOfBundle } from "./job_module.ts";
import type { SourceMap } from "./source_map.ts";
import { ThreadPool } from "./thread_pool.ts";

/** A 32-bit arena ends here. */
const ARENA_BYTES_MAX = 2 ** 32 - 65_536;
const TURN_EVERY_MS = 10;

export interface ExecutorEngineOptions {
  readonly memoryBytes: number;
  readonly workersPerSlot: number;
  /** A call of a job's function may take so long; null: for ever. */
  readonly userCallMsMax: number | null;
}

export class ExecutorEngine implements EnginePort {
  readonly arena: Arena;
  readonly tools: Tools;
  readonly #options: ExecutorEngineOptions;
  readonly #bytesMax: number;
  readonly #collect: () => void;
  /** Pools that run no code of a job and rest. */
  readonly #warm: ThreadPool[] = [];
  readonly #maps = new Map<string, SourceMap | null>();
  #turnMs = performance.now();

  constructor(options: ExecutorEngineOptions) {
    this.#options = options;
    this.#bytesMax = Math.min(ARENA_BYTES_MAX, options.memoryBytes);
    this.arena = Arena.create({ limitBytes: this.#bytesMax });
    this.tools = { disk: nodeDisk(), compression: nodeCompression(), turn: () => this.turn() };
    this.#collect = garbageCollector(this.arena);
  }

  /** Starts the workers of one slot. */
  warmUp(): void {
    if (this.#options.workersPerSlot > 0) this.#warm.push(this.#newPool());
  }

  async openPool(_slot: number, code: JobCode | null): Promise<Pool> {
    const { workersPerSlot } = this.#options;
    if (workersPerSlot === 0) return await this.#inlinePool(code);
    const pool = this.#takeWarm() ?? this.#newPool();
    if (code !== null) {
      pool.load(pathToFileURL(code.bundlePath).href, code.params);
      return pool;
    }
    return new LentPool(pool, () => {
      if (pool.isLost || pool.isBusy) return false;
      this.#warm.push(pool);
      return true;
    });
  }

  limitMemory(bytes: number): void {
    this.arena.limit(Math.min(this.#bytesMax, bytes));
  }

  turn(): void | Promise<void> {
    if (performance.now() - this.#turnMs < TURN_EVERY_MS) return;
    // What writes files on this thread may leave timers, that would do it too, no time.
    this.#collect();
    return new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
      this.#turnMs = performance.now();
    });
  }

  collectGarbage(): void {
    this.#collect();
  }

  placeOf(error: unknown, code: JobCode | null): UserPlace | null {
    const map = code === null ? null : this.#mapOf(code.bundlePath);
    const found = map !== null && error instanceof Error ? map.locateError(error) : null;
    if (found === null) return null;
    const { file, line, column, lineText } = found;
    return { file: file.slice(-1_024), line, column, text: (lineText ?? "").slice(0, 2_000) };
  }

  #newPool(): ThreadPool {
    const { workersPerSlot, userCallMsMax } = this.#options;
    const setup = { bundleUrl: null, params: "{}", hasRowsOnStdout: false };
    return new ThreadPool(this.arena, { size: workersPerSlot, setup, stuckMs: userCallMsMax, stray: tellStray });
  }

  #takeWarm(): ThreadPool | null {
    for (let pool = this.#warm.pop(); pool !== undefined; pool = this.#warm.pop()) if (!pool.isLost) return pool;
    return null;
  }

  async #inlinePool(code: JobCode | null): Promise<Pool> {
    const userFunctions =
      code === null ? new Map() : await userFunctionsOfBundle(pathToFileURL(code.bundlePath).href, code.params);
    const pause = () => {
      this.#collect();
      return this.turn();
    };
    return new InlinePool({ arena: this.arena, tools: this.tools, userFunctions, pause });
  }

  #mapOf(bundlePath: string): SourceMap | null {
    const known = this.#maps.get(bundlePath);
    if (known !== undefined) return known;
    const url = pathToFileURL(bundlePath).href;
    const map = sourceMapOfModule(url, readFileSync(fileURLToPath(url), "utf8"));
    this.#maps.set(bundlePath, map);
    return map;
  }
}

/** Into the job's log, where nothing else would tell of it. */
function tellStray(error: Error, mark: LogMark | null): void {
  const text = `[sage] Nobody caught this error, which came after its task had ended: ${error.stack ?? error.message}`;
  process.stderr.write(`${mark === null ? text : withLogMark(mark, text)}\n`);
}

/** A pool whose threads may serve another job after it is closed. */
class LentPool implements Pool {
  readonly arena: Arena;
  readonly size: number;
  readonly #pool: ThreadPool;
  readonly #giveBack: () => boolean;
  #isClosed = false;

  constructor(pool: ThreadPool, giveBack: () => boolean) {
    this.arena = pool.arena;
    this.size = pool.size;
    this.#pool = pool;
    this.#giveBack = giveBack;
  }

  prints(mark: LogMark): void {
    this.#pool.prints(mark);
  }

  broadcast(request: WorkerRequest, onOutput: Parameters<Pool["broadcast"]>[1]): Promise<readonly unknown[]> {
    return this.#pool.broadcast(request, onOutput);
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (!this.#giveBack()) await this.#pool.close();
  }
}
