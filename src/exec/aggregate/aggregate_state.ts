import { type Batch, releaseBatch } from "../../arrow/mod.ts";
import {
  type AggregateTerminal,
  aggregateLayout,
  generateMerge,
  generateOutput,
  generateRows,
  stateWord,
  structureKey,
} from "../../codegen/mod.ts";
import type { CodeInstance } from "../code_instance.ts";
import { type CompiledPipeline, compiledOnce } from "../module_cache.ts";
import type { TerminalState } from "../terminal_state.ts";
import type { WorkerContext } from "../worker_context.ts";
import { GroupMemory, type WorkerGroups } from "./group_memory.ts";
import { Memo } from "./memo.ts";

/** The groups of the rows that one worker has seen; later also the batches of the result that it made. */
export class AggregateState implements TerminalState {
  readonly #worker: WorkerContext;
  readonly #terminal: AggregateTerminal;
  readonly #memory: GroupMemory;
  readonly #memo: Memo;
  /** Made once a worker, as all tasks profit when the engine has optimised them. */
  #merge: CompiledPipeline | null = null;
  #rows: CompiledPipeline | null = null;
  #output: CompiledPipeline | null = null;
  /** Groups of the part that this worker merged last: parts are alike. */
  lastPartGroups = 0;
  /** Kept until the driver has taken references of its own. */
  readonly #outputs: Batch[] = [];

  constructor(worker: WorkerContext, terminal: AggregateTerminal) {
    this.#worker = worker;
    this.#terminal = terminal;
    const owner = terminal.operator;
    this.#memory = new GroupMemory(worker.arena, aggregateLayout(terminal), { owner, mayPartition: true });
    this.#memo = new Memo(worker.arena, { owner, block: this.#memory.block });
  }

  imports(): WebAssembly.ModuleImports {
    return this.#memory.imports(() => this.#memo.forget());
  }

  bind(code: CodeInstance): void {
    code.setWord(stateWord, this.#memory.block);
  }

  beforeBatch(batch: Batch, code: CodeInstance): void {
    const { memoKeys } = code.generated.resources;
    if (memoKeys !== null) this.#memo.prepare(memoKeys, batch);
  }

  /** All rows are in: what others may read. */
  groups(): WorkerGroups[] {
    this.#memo.dispose();
    return this.#memory.groups();
  }

  mergeCode(): CompiledPipeline {
    this.#merge ??= compiledOnce(`merge ${structureKey(this.#terminal)}`, () => generateMerge(this.#terminal));
    return this.#merge;
  }

  rowsCode(): CompiledPipeline {
    this.#rows ??= compiledOnce(`rows ${structureKey(this.#terminal)}`, () => generateRows(this.#terminal));
    return this.#rows;
  }

  outputCode(): CompiledPipeline {
    this.#output ??= compiledOnce(`output ${structureKey(this.#terminal)}`, () => generateOutput(this.#terminal));
    return this.#output;
  }

  keepOutput(batch: Batch): void {
    this.#outputs.push(batch);
  }

  dispose(): void {
    this.#memo.dispose();
    this.#memory.dispose();
    for (const batch of this.#outputs.splice(0)) releaseBatch(this.#worker.arena, batch);
  }
}
