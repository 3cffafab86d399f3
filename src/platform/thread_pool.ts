import type { Arena } from "../arrow/mod.ts";
import { ControlBlock, ExecError, type Pool, type TaskOutput, type WorkerRequest } from "../exec/mod.ts";
import type { LogMark } from "../kernel/mod.ts";
import { packBatches } from "./batch_transfer.ts";
import { deserializeError } from "./error_transfer.ts";
import { spawnWorker, type WorkerHandle } from "./worker_host.ts";
import {
  BEAT_COUNT,
  BEAT_IS_COMPUTING,
  BEAT_WORDS,
  type FromWorker,
  type RequestMessage,
  type WorkerSetup,
} from "./worker_messages.ts";

interface Waiting {
  readonly onOutput: (output: TaskOutput) => void;
  readonly control: ControlBlock | null;
  readonly results: unknown[];
  pending: number;
  failure: { readonly error: unknown } | null;
  readonly resolve: (results: unknown[]) => void;
  readonly reject: (error: unknown) => void;
}

export interface ThreadPoolOptions {
  readonly size: number;
  readonly setup: Omit<WorkerSetup, "memory" | "index" | "beats">;
  /** A worker that computes for so long without a turn between batches is stuck in a function; null: it may. */
  readonly stuckMs?: number | null;
  /** An error that nobody caught and that fails nothing: the task that caused it is over. */
  readonly stray?: (error: Error, mark: LogMark | null) => void;
}

const WATCH_MS = 1_000;

/** Worker threads over one arena. A thread that ends unexpectedly fails every request that waits for it. */
export class ThreadPool implements Pool {
  readonly arena: Arena;
  readonly size: number;
  readonly #workers: WorkerHandle[];
  readonly #waiting = new Map<number, Waiting>();
  #nextRequest = 1;
  #lost: ExecError | null = null;
  readonly #beats: Int32Array;
  /** Count of each worker's beats when it was seen to change last, and when that was. */
  readonly #seen: { count: number; sinceMs: number }[];
  readonly #stuckMs: number | null;
  #watch: NodeJS.Timeout | null = null;
  #mark: LogMark | null = null;

  constructor(arena: Arena, options: ThreadPoolOptions) {
    this.arena = arena;
    this.size = options.size;
    this.#stuckMs = options.stuckMs ?? null;
    const beats = new Int32Array(new SharedArrayBuffer(options.size * BEAT_WORDS * 4));
    this.#beats = beats;
    this.#seen = Array.from({ length: options.size }, () => ({ count: 0, sinceMs: 0 }));
    this.#workers = Array.from({ length: options.size }, (_, index) => {
      const setup: WorkerSetup = { memory: arena.memory, index, beats, ...options.setup };
      const worker = spawnWorker({ name: `sage worker ${index}`, data: setup });
      worker.onMessage((message) => this.#receive(index, message as FromWorker));
      worker.onError((error) => {
        if (!this.isBusy && this.#lost === null) options.stray?.(error, this.#mark);
        this.#lose(`A worker failed: ${error.message}`, error);
      });
      worker.onExit(() => this.#lose("A worker ended unexpectedly", undefined));
      return worker;
    });
  }

  /** True when a thread has ended: the pool is of no use any more, and what its arena held is not freed. */
  get isLost(): boolean {
    return this.#lost !== null;
  }

  /** Requests wait for an answer. */
  get isBusy(): boolean {
    return this.#waiting.size > 0;
  }

  /** The job whose functions requests call from now on; for a pool that was started without. */
  load(bundleUrl: string, params: string): void {
    for (const worker of this.#workers) worker.postMessage({ kind: "load", bundleUrl, params });
  }

  prints(mark: LogMark): void {
    this.#mark = mark;
    for (const worker of this.#workers) worker.postMessage({ kind: "prints", mark });
  }

  broadcast(request: WorkerRequest, onOutput: (output: TaskOutput) => void): Promise<readonly unknown[]> {
    if (this.#lost !== null) return Promise.reject(this.#lost);
    const id = this.#nextRequest++;
    return new Promise((resolve, reject) => {
      const control = "control" in request ? new ControlBlock(this.arena, request.control) : null;
      const results: unknown[] = Array.from({ length: this.size });
      this.#waiting.set(id, { onOutput, control, results, pending: this.size, failure: null, resolve, reject });
      this.#watchStuck();
      const message = messageOf(id, request);
      for (const worker of this.#workers) worker.postMessage(message);
    });
  }

  /** Ends the workers wherever they are. What waits for them is rejected once they have stopped. */
  close(): Promise<void> {
    return this.#stop("The workers were stopped");
  }

  async #stop(reason: string): Promise<void> {
    const isFirst = this.#lost === null;
    this.#lost ??= new ExecError("workerLost", reason);
    for (const { control } of this.#waiting.values()) control?.cancel();
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
    if (isFirst) this.#rejectAll(this.#lost);
  }

  #receive(index: number, message: FromWorker): void {
    const waiting = this.#waiting.get(message.id);
    if (waiting === undefined) return;
    if (message.kind === "output") {
      waiting.onOutput(message.output);
      return;
    }
    if (message.kind === "failed") {
      waiting.failure ??= { error: deserializeError(message.error) };
      waiting.control?.cancel();
    } else waiting.results[index] = message.value;
    waiting.pending--;
    if (waiting.pending > 0) return;
    this.#waiting.delete(message.id);
    if (waiting.failure === null) waiting.resolve(waiting.results);
    else waiting.reject(waiting.failure.error);
  }

  #lose(reason: string, cause: unknown): void {
    if (this.#lost !== null) return;
    this.#lost = new ExecError("workerLost", reason, { cause });
    this.#rejectAll(this.#lost);
  }

  #rejectAll(error: ExecError): void {
    if (this.#watch !== null) clearInterval(this.#watch);
    for (const { reject, control } of this.#waiting.values()) {
      control?.cancel();
      reject(error);
    }
    this.#waiting.clear();
  }

  #watchStuck(): void {
    const stuckMs = this.#stuckMs;
    if (stuckMs === null || this.#watch !== null) return;
    for (const seen of this.#seen) seen.sinceMs = performance.now();
    this.#watch = setInterval(() => this.#look(stuckMs), Math.min(WATCH_MS, stuckMs / 2));
    this.#watch.unref();
  }

  #look(stuckMs: number): void {
    const nowMs = performance.now();
    if (!this.isBusy && this.#watch !== null) {
      clearInterval(this.#watch);
      this.#watch = null;
      return;
    }
    for (const [index, seen] of this.#seen.entries()) {
      const count = Atomics.load(this.#beats, index * BEAT_WORDS + BEAT_COUNT);
      const isComputing = Atomics.load(this.#beats, index * BEAT_WORDS + BEAT_IS_COMPUTING) === 1;
      if (count !== seen.count || !isComputing) Object.assign(seen, { count, sinceMs: nowMs });
      else if (nowMs - seen.sinceMs >= stuckMs) {
        const seconds = stuckMs / 1_000;
        void this.#stop(`A worker was stuck in one call for ${seconds} s, as in an endless loop of the job's code`);
        return;
      }
    }
  }
}

function messageOf(id: number, request: WorkerRequest): RequestMessage {
  if (request.kind !== "pipeline" || request.source.kind !== "batches") return { id, request, batches: null };
  const { source } = request;
  return { id, request: { ...request, source: { ...source, batches: [] } }, batches: packBatches(source.batches) };
}
