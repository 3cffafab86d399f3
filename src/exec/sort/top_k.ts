/**
 * Top-k without materialising the input: each worker keeps its best rows so far. The pipeline's last code stage drops
 * rows that cannot be among them, by the threshold that is set here.
 */
import {
  type Address,
  type Arena,
  type Batch,
  field,
  releaseBatch,
  retainBatch,
  type Schema,
  schema,
  sliceBatch,
  uint64,
} from "../../arrow/mod.ts";
import { planWords, SortRecord, Threshold } from "../../codegen/mod.ts";
import type { TopKStage as TopKSpec } from "../messages.ts";
import type { Rows, Stage } from "../stage.ts";
import type { TerminalState } from "../terminal_state.ts";
import type { WorkerContext } from "../worker_context.ts";
import { freshName } from "./key_columns.ts";
import { gatherRange, sortedRecords } from "./local.ts";
import { sortCode } from "./sort_code.ts";
import { Blocks, type KeyColumn, prepareInput, type SortInput } from "./sort_input.ts";

/** Rows beyond the limit that are collected before the worst are dropped. */
const SPARE_ROWS_MIN = 1_024;

/** The columns of candidates: those of the rows, and the rows' positions in the input, which break ties. */
export function candidateSchema(of: Schema): Schema {
  return schema([...of.fields, field(freshName(of, "position"), uint64, false)]);
}

/** The last key of candidates. */
export function positionKey(of: Schema): KeyColumn {
  return { column: of.fields.length, descending: false, nullsFirst: false, nullable: false, aligned: true };
}

/** A worker's best rows, kept while the operator's pipelines run. */
export class Candidates implements TerminalState {
  readonly #arena: Arena;
  readonly #spec: TopKSpec;
  readonly #schema: Schema;
  readonly #threshold: Address;
  readonly #batchRows: number;
  #batches: Batch[] = [];
  #rowCount = 0;

  constructor(worker: WorkerContext, spec: TopKSpec, batchRows: number) {
    this.#arena = worker.arena;
    this.#spec = spec;
    this.#schema = candidateSchema(spec.inputSchema);
    this.#threshold = spec.thresholds.address + worker.index * spec.thresholds.bytes;
    this.#batchRows = batchRows;
  }

  get batches(): readonly Batch[] {
    return this.#batches;
  }

  imports(): WebAssembly.ModuleImports {
    return {};
  }

  bind(): void {}

  add(rows: Rows): void {
    const kept = this.#copy(rows);
    this.#batches.push(kept);
    this.#rowCount += kept.rowCount;
    const { limit } = this.#spec;
    if (this.#rowCount >= limit + Math.max(limit, SPARE_ROWS_MIN)) this.#prune();
  }

  dispose(): void {
    for (const batch of this.#batches.splice(0)) releaseBatch(this.#arena, batch);
    this.#rowCount = 0;
  }

  /** The rows with their positions. A batch of few rows is copied, as it would keep large buffers alive. */
  #copy({ batch, start, end, rowBase }: Rows): Batch {
    const { operator } = this.#spec;
    const whole = start === 0 && end === batch.rowCount && batch.rowCount * 2 > this.#batchRows;
    const rows = whole ? batch : sliceBatch(this.#arena, batch, start, end, operator);
    if (whole) retainBatch(this.#arena, batch);
    try {
      const positions = this.#positions(rowBase + BigInt(start), end - start);
      const base = { nullCount: 0, validity: 0, offsets: 0, children: [], dictionary: null };
      const column = { ...base, type: uint64, length: rows.rowCount, data: positions };
      return { ...rows, schema: this.#schema, columns: [...rows.columns, column], blocks: [...rows.blocks, positions] };
    } catch (error) {
      releaseBatch(this.#arena, rows);
      throw error;
    }
  }

  #positions(first: bigint, count: number): Address {
    const address = this.#arena.allocate(count * 8, this.#spec.operator);
    const { u32 } = this.#arena;
    let low = Number(first & 0xffff_ffffn);
    let high = Number(first >> 32n);
    for (let i = 0, at = address >>> 2; i < count; i++, at += 2) {
      u32[at] = low;
      u32[at + 1] = high;
      low = (low + 1) >>> 0;
      if (low === 0) high++;
    }
    return address;
  }

  /** Keeps the first `limit` rows and tells generated code about the last of them. */
  #prune(): void {
    const { operator, keys, limit, inputSchema } = this.#spec;
    const blocks = new Blocks(this.#arena, operator);
    const pruned: Batch[] = [];
    try {
      const all = [...keys, positionKey(inputSchema)];
      const request = { operator, batches: this.#batches, keys: all, schema: this.#schema };
      const input = prepareInput(this.#arena, request, blocks);
      const records = sortedRecords(this.#arena, input, blocks);
      const from = { records, range: { start: 0, end: limit }, batchRows: this.#batchRows };
      gatherRange(this.#arena, input, from, (batch) => pruned.push(batch));
      this.#setThreshold(input, records + (limit - 1) * SortRecord.bytes);
    } catch (error) {
      for (const batch of pruned) releaseBatch(this.#arena, batch);
      throw error;
    } finally {
      blocks.releaseAll();
    }
    this.dispose();
    this.#batches = pruned;
    this.#rowCount = limit;
  }

  #setThreshold(input: SortInput, record: Address): void {
    const shapes = input.shapes.slice(0, -1);
    const code = sortCode(this.#arena).sort(shapes);
    planWords(shapes).forEach((_, level) => {
      code.fill(level, input.keyTables, record, 1, 0);
      const at = (this.#threshold + Threshold.words + 8 * level) >>> 3;
      this.#arena.u64[at] = this.#arena.u64[record >>> 3] as bigint;
    });
    this.#arena.u32[(this.#threshold + Threshold.active) >>> 2] = 1;
  }
}

/** Ends a top-k pipeline: rows go to the worker's candidates, none go on. */
export class TopKStage implements Stage {
  readonly #candidates: Candidates;

  constructor(worker: WorkerContext, spec: TopKSpec, options: { readonly capacityRows: number }) {
    const known = worker.states.get(spec.state);
    this.#candidates = known instanceof Candidates ? known : new Candidates(worker, spec, options.capacityRows);
    worker.states.set(spec.state, this.#candidates);
  }

  push(rows: Rows): void {
    this.#candidates.add(rows);
  }

  /** Nothing follows, so nobody waits for a task's end. */
  endTask(): void {}

  /** Candidates outlive the pipeline. */
  dispose(): void {}
}

/** A worker's candidates; they stay the worker's. */
export function candidatesOf(worker: WorkerContext, argument: unknown): readonly Batch[] {
  const state = worker.states.get(argument as string);
  return state instanceof Candidates ? state.batches : [];
}
