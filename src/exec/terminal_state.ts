import type { Batch } from "../arrow/mod.ts";
import type { Terminal } from "../codegen/mod.ts";
import { invariant } from "../kernel/mod.ts";
import { AggregateState } from "./aggregate/mod.ts";
import type { CodeInstance } from "./code_instance.ts";
import { BuildState } from "./join/mod.ts";
import type { WorkerContext } from "./worker_context.ts";

/** What a terminal other than emit keeps in a worker: its tables and buffers, used by generated code. */
export interface TerminalState {
  /** Host functions that the terminal's generated code imports from "env". */
  imports(): WebAssembly.ModuleImports;
  /** A module that works on this state was made: set its context words. */
  bind(code: CodeInstance): void;
  /** Called before `code` sees rows of another batch than before. */
  beforeBatch?(batch: Batch, code: CodeInstance): void;
  /** Called after each run: words of the context block may be read back. */
  afterRun?(): void;
  /** Frees everything; idempotent. */
  dispose(): void;
}

/** The worker's state called `name`, made when a pipeline of its operator first runs here. */
export function terminalState(worker: WorkerContext, name: string, terminal: Terminal): TerminalState {
  const known = worker.states.get(name);
  if (known !== undefined) return known;
  const state = newState(worker, terminal);
  worker.states.set(name, state);
  return state;
}

function newState(worker: WorkerContext, terminal: Terminal): TerminalState {
  switch (terminal.kind) {
    case "aggregate":
      return new AggregateState(worker, terminal);
    case "joinBuild":
      return new BuildState(worker, terminal);
    case "emit":
      return invariant(false, "emit keeps no state") as never;
  }
}
