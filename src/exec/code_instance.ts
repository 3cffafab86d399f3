import type { Address, Batch, Column, OwnerId } from "../arrow/mod.ts";
import {
  COLUMN_WORDS,
  type ColumnWord,
  createHost,
  type GeneratedPipeline,
  Header,
  type Host,
  inputWord,
} from "../codegen/mod.ts";
import { invariant } from "../kernel/mod.ts";
import { translateFailure } from "./failure.ts";
import type { CompiledPipeline } from "./module_cache.ts";
import type { WorkerContext } from "./worker_context.ts";

/**
 * A generated module made ready to run in one worker: it owns the context block, the literals and the scratch memory.
 */
export class CodeInstance {
  readonly generated: GeneratedPipeline;
  readonly ctx: Address;
  readonly #worker: WorkerContext;
  readonly #owner: OwnerId;
  readonly #host: Host;
  readonly #run: (ctx: number, start: number, end: number) => void;
  #batch: Batch | null = null;

  /** `imports` are host functions of "env" that the terminal needs besides the general ones. */
  constructor(
    worker: WorkerContext,
    compiled: CompiledPipeline,
    options: { readonly owner: OwnerId; readonly imports: WebAssembly.ModuleImports },
  ) {
    const { arena } = worker;
    const { generated } = compiled;
    this.#worker = worker;
    this.#owner = options.owner;
    this.generated = generated;
    this.#host = createHost({ arena, owner: options.owner, sites: generated.sites, resources: generated.resources });
    this.ctx = arena.allocateZeroed(generated.context.bytes, options.owner);
    try {
      this.#host.prepare(this.ctx, (word) => generated.context.find(word));
      const env = { memory: arena.memory, ...this.#host.imports, ...options.imports };
      const instance = new WebAssembly.Instance(compiled.module, { env: env as WebAssembly.ModuleImports });
      // The generated module always exports `run` with this signature.
      this.#run = instance.exports["run"] as (ctx: number, start: number, end: number) => void;
    } catch (error) {
      this.dispose();
      throw error;
    }
  }

  /** The batch that `run` reads. */
  get batch(): Batch | null {
    return this.#batch;
  }

  /** Puts the addresses of the batch's columns into the context block; true when it is another batch than before. */
  bindBatch(batch: Batch, rowBase: bigint): boolean {
    const { arena } = this.#worker;
    arena.i64[(this.ctx + Header.rowBase) >>> 3] = rowBase;
    if (this.#batch === batch) return false;
    this.#batch = batch;
    batch.columns.forEach((column, index) => this.#bindColumn(column, [index]));
    this.#host.bindBatch(
      this.ctx,
      (word) => this.generated.context.find(word),
      (index) => rememberedValues(batch, index),
    );
    return true;
  }

  #bindColumn(column: Column, path: readonly number[]): void {
    for (const word of COLUMN_WORDS) this.trySetWord(inputWord(path, word), columnAddress(column, word));
    if (column.type.kind === "struct") column.children.forEach((child, i) => this.#bindColumn(child, [...path, i]));
  }

  /** Rows `start` … `end` of the bound batch; fewer after `stop`. */
  run(start: number, end: number): void {
    this.#worker.arena.u32[(this.ctx + Header.isFull) >>> 2] = 0;
    try {
      this.#run(this.ctx, start, end);
    } catch (error) {
      throw translateFailure(error, this.#owner);
    }
  }

  /** The word at `flag` is not 0 when the job was cancelled; then a run that takes long traps. */
  watchCancel(flag: Address): void {
    this.#worker.arena.u32[(this.ctx + Header.cancelFlag) >>> 2] = flag;
  }

  /** In the middle of a run that emits: it shall end with the current row. */
  stop(): void {
    this.#worker.arena.u32[(this.ctx + Header.isFull) >>> 2] = 1;
  }

  /** First row that the last run, which emitted, did not get to. */
  get nextRow(): number {
    return this.#worker.arena.u32[(this.ctx + Header.nextRow) >>> 2] ?? 0;
  }

  /** A word of the context block, unsigned. */
  word(name: string): number {
    return this.#worker.arena.u32[this.#wordIndex(name)] ?? 0;
  }

  setWord(name: string, value: number): void {
    this.#worker.arena.u32[this.#wordIndex(name)] = value;
  }

  /** Sets the word if the code uses it. */
  trySetWord(name: string, value: number): void {
    if (this.generated.context.find(name) !== undefined) this.setWord(name, value);
  }

  dispose(): void {
    this.#host.release();
    this.#worker.arena.release(this.ctx);
  }

  #wordIndex(name: string): number {
    const offset = this.generated.context.find(name);
    invariant(offset !== undefined, `no context word ${name}`);
    return (this.ctx + offset) >>> 2;
  }
}

/** Values of a column's dictionary whose results are worth remembering: not more than there are rows. */
function rememberedValues(batch: Batch, index: number): number | null {
  const count = batch.columns[index]?.dictionary?.length ?? null;
  return count !== null && count <= batch.rowCount ? count : null;
}

function columnAddress(column: Column, word: ColumnWord): Address {
  switch (word) {
    case "dictionaryOffsets":
      return column.dictionary?.offsets ?? 0;
    case "dictionaryData":
      return column.dictionary?.data ?? 0;
    default:
      return column[word];
  }
}
