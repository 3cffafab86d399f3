import { type Batch, releaseBatch } from "../../arrow/mod.ts";
import { type AggregateTerminal, aggregateLayout, stateWord } from "../../codegen/mod.ts";
import type { CodeInstance } from "../code_instance.ts";
import type { TerminalState } from "../terminal_state.ts";
import type { WorkerContext } from "../worker_context.ts";
import { type EntryChunk, GroupMemory } from "./group_memory.ts";

/** A worker's groups as others may read them. */
export interface WorkerGroups {
  readonly block: number;
  readonly groupCount: number;
  readonly chunks: readonly EntryChunk[];
}

/** The groups of the rows that one worker has seen; later also the batches of the result that it made. */
export class AggregateState implements TerminalState {
  readonly #worker: WorkerContext;
  readonly #memory: GroupMemory;
  /** Kept until the driver has taken references of its own. */
  readonly #outputs: Batch[] = [];

  constructor(worker: WorkerContext, terminal: AggregateTerminal) {
    this.#worker = worker;
    this.#memory = new GroupMemory(worker.arena, aggregateLayout(terminal), { owner: terminal.operator });
  }

  imports(): WebAssembly.ModuleImports {
    return this.#memory.imports();
  }

  bind(code: CodeInstance): void {
    code.setWord(stateWord, this.#memory.block);
  }

  groups(): WorkerGroups {
    const { block, groupCount } = this.#memory;
    return { block, groupCount, chunks: this.#memory.chunks() };
  }

  keepOutput(batch: Batch): void {
    this.#outputs.push(batch);
  }

  dispose(): void {
    this.#memory.dispose();
    for (const batch of this.#outputs.splice(0)) releaseBatch(this.#worker.arena, batch);
  }
}
