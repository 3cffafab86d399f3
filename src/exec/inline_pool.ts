import type { Arena } from "../arrow/mod.ts";
import type { Tools } from "../connectors/mod.ts";
import type { OperatorId, UserFunction } from "../plan/mod.ts";
import { type ConsumedPoint, ControlBlock } from "./control.ts";
import type { TaskOutput, WorkerRequest } from "./messages.ts";
import type { Pool } from "./pool.ts";
import { carryOut } from "./runner.ts";
import type { WorkerContext } from "./worker_context.ts";

export interface InlinePoolOptions {
  readonly arena: Arena;
  readonly tools: Tools;
  readonly userFunctions: ReadonlyMap<OperatorId, UserFunction>;
  /** Workers that take turns in the calling thread, default 1. */
  readonly size?: number;
  /** Called between batches; gives the thread's other work a turn. */
  readonly pause?: () => void | Promise<void>;
}

/** Workers that are not threads: the same work, one await at a time, in the calling thread. Deterministic. */
export class InlinePool implements Pool {
  readonly arena: Arena;
  readonly size: number;
  readonly #workers: WorkerContext[];
  #onOutput: (output: TaskOutput) => void = () => {};

  constructor(options: InlinePoolOptions) {
    this.arena = options.arena;
    this.size = options.size ?? 1;
    const pause = options.pause ?? (() => {});
    this.#workers = Array.from({ length: this.size }, (_, index) => ({
      arena: options.arena,
      tools: options.tools,
      index,
      userFunctions: options.userFunctions,
      states: new Map(),
      output: (output: TaskOutput) => this.#onOutput(output),
      awaitConsumed: (control: number, point: ConsumedPoint) =>
        awaitConsumed(new ControlBlock(options.arena, control), point, pause),
      pause,
    }));
  }

  async broadcast(request: WorkerRequest, onOutput: (output: TaskOutput) => void): Promise<readonly unknown[]> {
    this.#onOutput = onOutput;
    const control = "control" in request ? new ControlBlock(this.arena, request.control) : null;
    const runs = this.#workers.map(async (worker) => {
      try {
        return await carryOut(worker, request);
      } catch (error) {
        control?.cancel();
        throw error;
      }
    });
    const settled = await Promise.allSettled(runs);
    const failed = settled.find((result) => result.status === "rejected");
    if (failed !== undefined) throw failed.reason;
    return settled.map((result) => (result.status === "fulfilled" ? result.value : undefined));
  }

  async close(): Promise<void> {
    await this.broadcast({ kind: "each", name: "dropAllStates", argument: null }, () => {});
  }
}

/** Gives the consumer turns until it has caught up; it may itself wait for what only comes when promises rest. */
async function awaitConsumed(
  control: ControlBlock,
  point: ConsumedPoint,
  pause: () => void | Promise<void>,
): Promise<void> {
  while (!control.hasReached(point)) await pause();
}
