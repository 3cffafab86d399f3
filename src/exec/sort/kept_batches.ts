import { type Batch, releaseBatch } from "../../arrow/mod.ts";
import type { TerminalState } from "../terminal_state.ts";
import type { WorkerContext } from "../worker_context.ts";

/** Batches that a worker made for the driver; freed with the state once the driver has references of its own. */
export class KeptBatches implements TerminalState {
  readonly #worker: WorkerContext;
  readonly #batches: Batch[] = [];

  constructor(worker: WorkerContext) {
    this.#worker = worker;
  }

  static of(worker: WorkerContext, name: string): KeptBatches {
    const known = worker.states.get(name);
    if (known instanceof KeptBatches) return known;
    const made = new KeptBatches(worker);
    worker.states.set(name, made);
    return made;
  }

  keep(batch: Batch): Batch {
    this.#batches.push(batch);
    return batch;
  }

  imports(): WebAssembly.ModuleImports {
    return {};
  }

  bind(): void {}

  dispose(): void {
    for (const batch of this.#batches.splice(0)) releaseBatch(this.#worker.arena, batch);
  }
}
