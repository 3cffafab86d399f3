import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { invariant } from "../kernel/mod.ts";
import { isCompiled } from "./build_flags.ts";

/**
 * Threads, the same on every runtime: `node:worker_threads`, which Bun, Deno and Node all have and which works inside
 * the executable. Shared memories, compiled WebAssembly modules and plain data pass through `postMessage`.
 *
 * Two pitfalls, both measured. In Bun a thread that is inside an endless WebAssembly loop cannot be terminated
 * (JavaScript loops and `Atomics.wait` can): generated code must return after each morsel, and `terminate` gives up
 * waiting after a second. In Deno an error that leaves the worker's event loop is printed on stderr before `onError`
 * sees it: the worker should catch and post its errors.
 */
const TERMINATE_WAIT_MS_MAX = 1_000;

export interface SpawnOptions {
  /** Source of the worker, instead of the engine's own `worker.ts`. Only from source: the executable has no other. */
  readonly entry?: URL;
  /** Seen by the worker as `workerPort().data`. Plain data, structured-cloneable. */
  readonly data?: unknown;
  readonly name?: string;
}

export interface WorkerHandle {
  postMessage(message: unknown, transfer?: readonly ArrayBuffer[]): void;
  onMessage(handler: (message: unknown) => void): void;
  /** An error that the worker did not catch; `onExit` follows. */
  onError(handler: (error: Error) => void): void;
  onExit(handler: (exitCode: number) => void): void;
  /** Stops the thread, also one that computes; resolves when it has ended, or after a second if it does not. */
  terminate(): Promise<void>;
  /** Lets the process end although the thread runs; `ref` takes it back. */
  unref(): void;
  ref(): void;
}

/** Starts a thread. Messages posted before it is up are kept for it. */
export function spawnWorker(options: SpawnOptions = {}): WorkerHandle {
  const worker = new Worker(options.entry ?? workerEntry(), {
    ...(options.data === undefined ? {} : { workerData: options.data }),
    ...(options.name === undefined ? {} : { name: options.name }),
  });
  const exited = new Promise<void>((resolve) => worker.once("exit", () => resolve()));
  return {
    postMessage: (message, transfer) => worker.postMessage(message, [...(transfer ?? [])]),
    onMessage: (handler) => void worker.on("message", handler),
    onError: (handler) => void worker.on("error", (error: unknown) => handler(asError(error))),
    onExit: (handler) => void worker.on("exit", handler),
    terminate: () => terminate(worker, exited),
    unref: () => worker.unref(),
    ref: () => worker.ref(),
  };
}

async function terminate(worker: Worker, exited: Promise<void>): Promise<void> {
  void worker.terminate();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const waited = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, TERMINATE_WAIT_MS_MAX);
  });
  await Promise.race([exited, waited]);
  clearTimeout(timer);
}

/** In the executable every entry point keeps its path below the project, as `.js`. */
function workerEntry(): URL {
  return isCompiled ? new URL("./src/platform/worker.js", import.meta.url) : new URL("./worker.ts", import.meta.url);
}

export interface WorkerPort {
  readonly data: unknown;
  postMessage(message: unknown, transfer?: readonly ArrayBuffer[]): void;
  onMessage(handler: (message: unknown) => void): void;
}

/** The worker's end of its handle. Only inside a thread that `spawnWorker` started. */
export function workerPort(): WorkerPort {
  const port = parentPort;
  invariant(!isMainThread && port !== null, "workerPort is for worker threads");
  return {
    data: workerData,
    postMessage: (message, transfer) => port.postMessage(message, [...(transfer ?? [])]),
    onMessage: (handler) => void port.on("message", handler),
  };
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
