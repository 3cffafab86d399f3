import type { Arena } from "../arrow/mod.ts";
import { ControlBlock, ExecError, type Pool, type TaskOutput, type WorkerRequest } from "../exec/mod.ts";
import { packBatches } from "./batch_transfer.ts";
import { deserializeError } from "./error_transfer.ts";
import { spawnWorker, type WorkerHandle } from "./worker_host.ts";
import type { FromWorker, ToWorker, WorkerSetup } from "./worker_messages.ts";

interface Waiting {
  readonly onOutput: (output: TaskOutput) => void;
  readonly control: ControlBlock | null;
  readonly results: unknown[];
  pending: number;
  failure: { readonly error: unknown } | null;
  readonly resolve: (results: unknown[]) => void;
  readonly reject: (error: unknown) => void;
}

/** Worker threads over one arena. A thread that ends unexpectedly fails every request that waits for it. */
export class ThreadPool implements Pool {
  readonly arena: Arena;
  readonly size: number;
  readonly #workers: WorkerHandle[];
  readonly #waiting = new Map<number, Waiting>();
  #nextRequest = 1;
  #lost: ExecError | null = null;

  constructor(arena: Arena, options: { readonly size: number; readonly setup: Omit<WorkerSetup, "memory" | "index"> }) {
    this.arena = arena;
    this.size = options.size;
    this.#workers = Array.from({ length: options.size }, (_, index) => {
      const setup: WorkerSetup = { memory: arena.memory, index, ...options.setup };
      const worker = spawnWorker({ name: `sage worker ${index}`, data: setup });
      worker.onMessage((message) => this.#receive(index, message as FromWorker));
      worker.onError((error) => this.#lose(`A worker failed: ${error.message}`, error));
      worker.onExit(() => this.#lose("A worker ended unexpectedly", undefined));
      return worker;
    });
  }

  /** True when a thread has ended: the pool is of no use any more, and what its arena held is not freed. */
  get isLost(): boolean {
    return this.#lost !== null;
  }

  broadcast(request: WorkerRequest, onOutput: (output: TaskOutput) => void): Promise<readonly unknown[]> {
    if (this.#lost !== null) return Promise.reject(this.#lost);
    const id = this.#nextRequest++;
    return new Promise((resolve, reject) => {
      const control = "control" in request ? new ControlBlock(this.arena, request.control) : null;
      const results: unknown[] = Array.from({ length: this.size });
      this.#waiting.set(id, { onOutput, control, results, pending: this.size, failure: null, resolve, reject });
      const message = messageOf(id, request);
      for (const worker of this.#workers) worker.postMessage(message);
    });
  }

  async close(): Promise<void> {
    this.#lose("The workers were stopped", undefined);
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
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
    for (const { reject, control } of this.#waiting.values()) {
      control?.cancel();
      reject(this.#lost);
    }
    this.#waiting.clear();
  }
}

function messageOf(id: number, request: WorkerRequest): ToWorker {
  if (request.kind !== "pipeline" || request.source.kind !== "batches") return { id, request, batches: null };
  const { source } = request;
  return { id, request: { ...request, source: { ...source, batches: [] } }, batches: packBatches(source.batches) };
}
