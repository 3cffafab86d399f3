import { type Arena, type Batch, releaseBatch } from "../../arrow/mod.ts";
import type { TerminalState } from "../terminal_state.ts";

/** Keeps the batches that a worker has made until the driver has taken references of its own. */
export class RestState implements TerminalState {
  readonly #arena: Arena;
  readonly #batches: Batch[] = [];

  constructor(arena: Arena) {
    this.#arena = arena;
  }

  keep(batch: Batch): void {
    this.#batches.push(batch);
  }

  imports(): WebAssembly.ModuleImports {
    return {};
  }

  bind(): void {}

  dispose(): void {
    for (const batch of this.#batches.splice(0)) releaseBatch(this.#arena, batch);
  }
}
