import { type Batch, releaseBatch, retainBatch } from "../arrow/mod.ts";
import { stepWords } from "../codegen/mod.ts";
import { invariant } from "../kernel/mod.ts";
import { CodeInstance } from "./code_instance.ts";
import { type ControlBlock, Interrupted } from "./control.ts";
import { canSpan, EmitBuffers } from "./emit_buffers.ts";
import type { CodeStage as CodeStageSpec } from "./messages.ts";
import { ModuleCache, signatureOf } from "./module_cache.ts";
import type { Rows, Stage } from "./stage.ts";
import { type TerminalState, terminalState } from "./terminal_state.ts";
import type { WorkerContext } from "./worker_context.ts";

interface Prepared {
  readonly code: CodeInstance;
  /** Where the terminal emits. */
  readonly buffers: EmitBuffers | null;
}

/** Runs generated code over the rows pushed into it. */
export class CodeStage implements Stage {
  readonly #worker: WorkerContext;
  readonly #spec: CodeStageSpec;
  readonly #capacityRows: number;
  readonly #next: Stage | null;
  readonly #control: ControlBlock;
  readonly #modules: ModuleCache;
  readonly #prepared = new Map<string, Prepared>();
  readonly #state: TerminalState | null;
  #active: Prepared | null = null;
  /** The batch whose rows are in the active buffers: they may refer to it. */
  #held: Batch | null = null;
  /** Full batches made by the current run, not yet pushed on. */
  #ready: Batch[] = [];
  #taskRowBase: bigint | null = null;
  #taskRows = 0;

  constructor(
    worker: WorkerContext,
    spec: CodeStageSpec,
    options: { readonly capacityRows: number; readonly next: Stage | null; readonly control: ControlBlock },
  ) {
    this.#worker = worker;
    this.#spec = spec;
    this.#capacityRows = options.capacityRows;
    this.#next = options.next;
    this.#control = options.control;
    this.#modules = new ModuleCache(spec.pipeline);
    this.#state = spec.state === null ? null : terminalState(worker, spec.state, spec.pipeline.terminal);
  }

  push(rows: Rows): void | Promise<void> {
    const prepared = this.#prepare(rows.batch);
    // A terminal with a state hands nothing on: nothing to wait for.
    if (prepared.buffers === null) this.#run(prepared, rows);
    else return this.#emit(prepared, rows);
  }

  async #emit(prepared: Prepared, rows: Rows): Promise<void> {
    this.#taskRowBase ??= rows.rowBase + BigInt(rows.start);
    await this.#activate(prepared, rows.batch);
    // Few rows may make many: what is full goes on before the rest is run.
    for (let { start } = rows; start < rows.end && !this.#control.cancelled; start = prepared.code.nextRow) {
      this.#run(prepared, { ...rows, start });
      await this.#handOn();
      if (prepared.code.nextRow < rows.end) await this.#worker.pause();
    }
  }

  #run(prepared: Prepared, rows: Rows): void {
    if (prepared.code.bindBatch(rows.batch, rows.rowBase)) this.#state?.beforeBatch?.(rows.batch, prepared.code);
    prepared.buffers?.prepare();
    try {
      prepared.code.run(rows.start, rows.end);
    } catch (error) {
      throw this.#control.cancelled ? new Interrupted() : error;
    }
    this.#state?.afterRun?.();
  }

  async endTask(): Promise<void> {
    await this.#flushActive();
    this.#taskRowBase = null;
    this.#taskRows = 0;
    await this.#next?.endTask();
  }

  dispose(): void {
    for (const batch of this.#ready) releaseBatch(this.#worker.arena, batch);
    this.#ready = [];
    for (const { code, buffers } of this.#prepared.values()) {
      buffers?.dispose();
      code.dispose();
    }
    this.#prepared.clear();
    this.#active = null;
    this.#hold(null);
    this.#next?.dispose();
  }

  #prepare(batch: Batch): Prepared {
    const signature = signatureOf(batch);
    const known = this.#prepared.get(signature);
    if (known !== undefined) return known;
    const prepared = this.#open(batch);
    this.#prepared.set(signature, prepared);
    return prepared;
  }

  #open(batch: Batch): Prepared {
    const { terminal } = this.#spec.pipeline;
    const owner = this.#spec.operator;
    const imports = {
      ...this.#state?.imports(),
      flush: () => this.#flushFull(),
      reserveHeap: (index: number, bytes: number) => this.#active?.buffers?.reserveHeap(index, bytes >>> 0),
    };
    const code = new CodeInstance(this.#worker, this.#modules.get(batch), { owner, imports });
    code.watchCancel(this.#control.cancelFlag);
    this.#state?.bind(code);
    for (const [word, value] of stepWords(this.#spec.pipeline, this.#worker.index)) code.trySetWord(word, value);
    if (terminal.kind !== "emit") return { code, buffers: null };
    const options = { schema: terminal.schema, owner, capacityRows: this.#capacityRows };
    return { code, buffers: new EmitBuffers(this.#worker.arena, code, options) };
  }

  /** Makes `prepared` the one that fills buffers; what another one, or another dictionary, left is handed on first. */
  async #activate(prepared: Prepared, batch: Batch): Promise<void> {
    if (this.#held !== batch) {
      const same = this.#active === prepared && this.#held !== null;
      if (!same || !canSpan(prepared.code.generated.emitted, this.#held as Batch, batch)) await this.#flushActive();
    }
    this.#active = prepared;
    if (prepared.buffers === null || this.#held === batch) return;
    retainBatch(this.#worker.arena, batch);
    this.#hold(batch);
  }

  /** Host function `flush`, in the middle of a run. */
  #flushFull(): void {
    const { code, buffers } = this.#active ?? {};
    invariant(buffers && code?.batch, "flush without buffers");
    const full = buffers.take(code.batch);
    if (full !== null) this.#ready.push(full);
    if (this.#control.cancelled) throw new Interrupted();
    buffers.prepare();
    code.stop();
  }

  async #flushActive(): Promise<void> {
    const rest = this.#held === null ? null : (this.#active?.buffers?.take(this.#held) ?? null);
    if (rest !== null) this.#ready.push(rest);
    this.#hold(null);
    await this.#handOn();
  }

  async #handOn(): Promise<void> {
    while (this.#ready.length > 0) {
      const batch = this.#ready.shift();
      invariant(batch !== undefined && this.#next !== null, "an emitting stage has a next one");
      const rowBase = (this.#taskRowBase ?? 0n) + BigInt(this.#taskRows);
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
