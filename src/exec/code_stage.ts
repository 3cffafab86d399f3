import { type Address, type Batch, type Column, releaseBatch, retainBatch } from "../arrow/mod.ts";
import { COLUMN_WORDS, type ColumnWord, Header, hostImports, inputWord, type LiteralPool } from "../codegen/mod.ts";
import { invariant } from "../kernel/mod.ts";
import { canSpan, EmitBuffers } from "./emit_buffers.ts";
import { translateFailure } from "./failure.ts";
import type { CodeStage as CodeStageSpec } from "./messages.ts";
import { type CompiledPipeline, instantiate, ModuleCache, signatureOf } from "./module_cache.ts";
import type { Rows, Stage } from "./stage.ts";
import { type TerminalState, terminalState } from "./terminal_state.ts";
import type { WorkerContext } from "./worker_context.ts";

const SCRATCH_BYTES = 1 << 20;

/** A generated module made ready: its context block, its buffers and the last batch whose addresses it holds. */
interface Instance {
  readonly compiled: CompiledPipeline;
  readonly ctx: Address;
  readonly scratch: Address[];
  readonly run: (ctx: number, start: number, end: number) => void;
  readonly buffers: EmitBuffers | null;
  literals: LiteralPool | null;
  batch: Batch | null;
}

/** Runs generated code over the rows pushed into it. */
export class CodeStage implements Stage {
  readonly #worker: WorkerContext;
  readonly #spec: CodeStageSpec;
  readonly #capacityRows: number;
  readonly #next: Stage | null;
  readonly #modules: ModuleCache;
  readonly #instances = new Map<string, Instance>();
  readonly #state: TerminalState | null;
  #active: Instance | null = null;
  /** The batch whose rows are in the active instance's buffers: they may refer to it. */
  #held: Batch | null = null;
  /** Full batches made by the current run, not yet pushed on. */
  #ready: Batch[] = [];
  #taskRowBase = 0n;
  #taskRows = 0;

  constructor(
    worker: WorkerContext,
    spec: CodeStageSpec,
    options: { readonly capacityRows: number; readonly next: Stage | null },
  ) {
    this.#worker = worker;
    this.#spec = spec;
    this.#capacityRows = options.capacityRows;
    this.#next = options.next;
    this.#modules = new ModuleCache(spec.pipeline);
    this.#state = spec.state === null ? null : terminalState(worker, spec.state, spec.pipeline.terminal);
  }

  async push(rows: Rows): Promise<void> {
    if (this.#taskRows === 0) this.#taskRowBase = rows.rowBase;
    const instance = this.#instance(rows.batch);
    await this.#activate(instance, rows.batch);
    this.#bindBatch(instance, rows);
    instance.buffers?.prepare();
    this.#run(instance, rows);
    await this.#handOn();
  }

  async endTask(): Promise<void> {
    await this.#flushActive();
    this.#taskRows = 0;
    await this.#next?.endTask();
  }

  dispose(): void {
    for (const batch of this.#ready) releaseBatch(this.#worker.arena, batch);
    this.#ready = [];
    for (const { ctx, scratch, buffers, literals } of this.#instances.values()) {
      buffers?.dispose();
      literals?.dispose();
      for (const address of [ctx, ...scratch]) this.#worker.arena.release(address);
    }
    this.#instances.clear();
    this.#active = null;
    this.#hold(null);
    this.#next?.dispose();
  }

  #instance(batch: Batch): Instance {
    const signature = signatureOf(batch);
    const known = this.#instances.get(signature);
    if (known !== undefined) return known;
    const instance = this.#open(this.#modules.get(batch));
    this.#instances.set(signature, instance);
    return instance;
  }

  #open(compiled: CompiledPipeline): Instance {
    const { arena } = this.#worker;
    const owner = this.#spec.operator;
    const { generated } = compiled;
    const ctx = arena.allocateZeroed(generated.context.bytes, owner);
    const scratch: Address[] = [];
    const { terminal } = this.#spec.pipeline;
    const buffers =
      terminal.kind === "emit"
        ? new EmitBuffers(arena, generated, { schema: terminal.schema, owner, capacityRows: this.#capacityRows, ctx })
        : null;
    const imports = {
      ...hostImports({ arena, owner, ctx, generated, scratch }),
      ...this.#state?.imports(),
      flush: () => this.#flushFull(),
      reserveHeap: (index: number, bytes: number) => buffers?.reserveHeap(index, bytes >>> 0),
    };
    const instance: Instance = {
      compiled,
      ctx,
      scratch,
      run: instantiate(compiled, arena, imports),
      buffers,
      literals: null,
      batch: null,
    };
    this.#startScratch(instance);
    instance.literals = generated.placeLiterals(arena, { ctx, owner });
    this.#state?.bind({ generated, context: generated.context, ctx });
    return instance;
  }

  #startScratch(instance: Instance): void {
    const { arena } = this.#worker;
    if (!instance.compiled.generated.usesScratch) return;
    const base = arena.allocate(SCRATCH_BYTES, this.#spec.operator);
    instance.scratch.push(base);
    const words = instance.ctx >>> 2;
    arena.u32[words + Header.scratchTop / 4] = base;
    arena.u32[words + Header.scratchBase / 4] = base;
    arena.u32[words + Header.scratchEnd / 4] = base + SCRATCH_BYTES;
  }

  /** Makes `instance` the one that fills buffers; what another one, or another dictionary, left is handed on first. */
  async #activate(instance: Instance, batch: Batch): Promise<void> {
    const same = this.#active === instance;
    const spans = same && this.#held !== null && canSpan(instance.compiled.generated.emitted, this.#held, batch);
    if (this.#held !== batch && !spans) await this.#flushActive();
    this.#active = instance;
    if (instance.buffers !== null && this.#held !== batch) {
      retainBatch(this.#worker.arena, batch);
      this.#hold(batch);
    }
  }

  #bindBatch(instance: Instance, rows: Rows): void {
    const { arena } = this.#worker;
    const { batch } = rows;
    arena.i64[(instance.ctx + Header.rowBase) >>> 3] = rows.rowBase;
    if (instance.batch === batch) return;
    instance.batch = batch;
    const { context } = instance.compiled.generated;
    batch.columns.forEach((column, index) => {
      for (const word of COLUMN_WORDS) {
        const offset = context.find(inputWord(index, word));
        if (offset !== undefined) arena.u32[(instance.ctx + offset) >>> 2] = columnAddress(column, word);
      }
    });
    this.#state?.beforeBatch?.(batch);
  }

  #run(instance: Instance, rows: Rows): void {
    try {
      instance.run(instance.ctx, rows.start, rows.end);
      this.#state?.afterRun?.();
    } catch (error) {
      throw translateFailure(error, { sites: instance.compiled.generated.sites, operator: this.#spec.operator });
    } finally {
      this.#trimScratch(instance);
    }
  }

  /** A row may have needed a larger scratch region: only the largest is kept. */
  #trimScratch(instance: Instance): void {
    while (instance.scratch.length > 1) {
      const address = instance.scratch.shift();
      if (address !== undefined) this.#worker.arena.release(address);
    }
  }

  /** Host function `flush`, in the middle of a run. */
  #flushFull(): void {
    const { batch, buffers } = this.#active ?? {};
    invariant(buffers && batch, "flush without buffers");
    const full = buffers.take(batch);
    if (full !== null) this.#ready.push(full);
    buffers.prepare();
  }

  async #flushActive(): Promise<void> {
    const { buffers } = this.#active ?? {};
    if (buffers && this.#held !== null) {
      const rest = buffers.take(this.#held);
      if (rest !== null) this.#ready.push(rest);
    }
    this.#hold(null);
    await this.#handOn();
  }

  async #handOn(): Promise<void> {
    while (this.#ready.length > 0) {
      const batch = this.#ready.shift();
      invariant(batch !== undefined && this.#next !== null, "an emitting stage has a next one");
      const rowBase = this.#taskRowBase + BigInt(this.#taskRows);
      this.#taskRows += batch.rowCount;
      try {
        await this.#next.push({ batch, start: 0, end: batch.rowCount, rowBase });
      } finally {
        releaseBatch(this.#worker.arena, batch);
      }
    }
  }

  #hold(batch: Batch | null): void {
    if (this.#held !== null) releaseBatch(this.#worker.arena, this.#held);
    this.#held = batch;
  }
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
