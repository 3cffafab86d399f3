/** Executors without a job for calls that may go on side by side: several of these share a process. */
import { SageError } from "../kernel/mod.ts";
import { AgentError } from "./error.ts";
import type { ExecutorProcess } from "./executor.ts";
import type { Executors } from "./executors.ts";

/** Calls in one process at a time. */
const CALLS_MAX = 8;

interface Shared {
  readonly taken: Promise<ExecutorProcess>;
  executor: ExecutorProcess | null;
  calls: number;
}

export class Compilers {
  readonly #executors: Executors;
  readonly #open = new Set<Shared>();

  constructor(executors: Executors) {
    this.#executors = executors;
  }

  /** Errors as of `call`. @throws {AgentError} no-executor, stopping */
  async use<Result>(call: (executor: ExecutorProcess) => Promise<Result>, signal: AbortSignal): Promise<Result> {
    const shared = this.#share();
    shared.calls++;
    try {
      shared.executor = await shared.taken;
      if (signal.aborted) throw new AgentError("no-executor", "Nobody waits for this any more.", { retryable: true });
      return await call(shared.executor);
    } catch (error) {
      const isLost = shared.executor?.isGone === true && error instanceof SageError;
      if (!isLost) throw error;
      throw new AgentError("no-executor", "The executor has ended meanwhile.", { retryable: true, cause: error });
    } finally {
      this.#leave(shared);
    }
  }

  #share(): Shared {
    for (const shared of this.#open) {
      if (shared.calls < CALLS_MAX && shared.executor?.isGone !== true) return shared;
    }
    const shared = { taken: this.#executors.take(), executor: null, calls: 0 };
    this.#open.add(shared);
    return shared;
  }

  #leave(shared: Shared): void {
    shared.calls--;
    if (shared.calls > 0) return;
    this.#open.delete(shared);
    if (shared.executor !== null) this.#executors.giveBack(shared.executor);
  }
}
