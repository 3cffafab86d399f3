import {
  type Address,
  type Arena,
  type Batch,
  blockAt,
  type Column,
  emptyBatch,
  type Field,
  gatherColumn,
  NULL_ROW,
  type OwnerId,
  type Schema,
  valueType,
} from "../arrow/mod.ts";
import { type EmittedColumn, type OutputWord, outputCapacity, outputRowCount, outputWord } from "../codegen/mod.ts";
import { invariant } from "../kernel/mod.ts";
import type { CodeInstance } from "./code_instance.ts";

/** First guess of a string column's bytes a row; later batches take what the one before needed. */
const HEAP_ROW_BYTES = 16;

interface Buffers {
  readonly plan: EmittedColumn;
  validity: Address;
  offsets: Address;
  data: Address;
}

export interface EmitOptions {
  readonly schema: Schema;
  readonly owner: OwnerId;
  readonly capacityRows: number;
}

/**
 * The buffers behind an emit terminal: puts fresh ones into the context block and turns full ones into a batch.
 * Nested columns hold row numbers of the current input batch until they are gathered, dictionary columns its indices:
 * so rows of two input batches meet in one output batch only when `canSpan` allows it.
 */
export class EmitBuffers {
  readonly #arena: Arena;
  readonly #code: CodeInstance;
  readonly #options: EmitOptions;
  #columns: Buffers[] | null = null;
  #heapBytes: number[] = [];

  constructor(arena: Arena, code: CodeInstance, options: EmitOptions) {
    this.#arena = arena;
    this.#code = code;
    this.#options = options;
    this.#heapBytes = code.generated.emitted.map(() => HEAP_ROW_BYTES * options.capacityRows);
  }

  get rowCount(): number {
    return this.#columns === null ? 0 : this.#code.word(outputRowCount);
  }

  /** Makes sure that generated code finds buffers. */
  prepare(): void {
    if (this.#columns !== null) return;
    const rows = this.#options.capacityRows;
    const columns: Buffers[] = [];
    this.#columns = columns;
    this.#code.generated.emitted.forEach((plan, index) => {
      const buffers: Buffers = { plan, validity: 0, offsets: 0, data: 0 };
      columns.push(buffers);
      this.#allocateColumn(buffers, { index, rows });
    });
    this.#code.trySetWord(outputRowCount, 0);
    this.#code.trySetWord(outputCapacity, rows);
  }

  /** Host function `reserveHeap`: grows the string heap of an output column to at least `bytes`. */
  reserveHeap(index: number, bytes: number): void {
    const buffers = this.#columns?.[index];
    invariant(buffers !== undefined, "reserveHeap without buffers");
    const used = this.#code.word(outputWord(index, "heapUsed"));
    const capacity = Math.max(bytes, 2 * this.#code.word(outputWord(index, "heapCapacity")));
    const data = this.#arena.allocate(capacity, this.#options.owner);
    this.#arena.u8.copyWithin(data, buffers.data, buffers.data + used);
    this.#arena.release(buffers.data);
    buffers.data = data;
    this.#set(index, "data", data);
    this.#set(index, "heapCapacity", capacity);
  }

  /** The rows so far as a batch that the caller owns, or null; `input` is the batch they came from. */
  take(input: Batch): Batch | null {
    const rows = this.rowCount;
    const columns = this.#columns;
    if (columns === null || rows === 0) return null;
    this.#columns = null;
    const blocks: Address[] = [];
    const taken = columns.map((buffers, index) => this.#takeColumn(buffers, { index, rows, input, blocks }));
    return { schema: this.#options.schema, rowCount: rows, columns: taken, blocks };
  }

  dispose(): void {
    for (const { validity, offsets, data } of this.#columns ?? []) this.#releaseAll([validity, offsets, data]);
    this.#columns = null;
  }

  #allocateColumn(buffers: Buffers, at: { readonly index: number; readonly rows: number }): void {
    const { owner } = this.#options;
    const { plan } = buffers;
    const { index, rows } = at;
    if (plan.kind === "null") return;
    if (plan.kind !== "carried" && plan.nullable) {
      buffers.validity = this.#arena.allocateZeroed(Math.ceil(rows / 8), owner);
      this.#set(index, "validity", buffers.validity);
      this.#set(index, "nulls", 0);
    }
    if (plan.kind === "bytes") {
      const heapBytes = this.#heapBytes[index] ?? HEAP_ROW_BYTES;
      buffers.offsets = this.#arena.allocate(4 * (rows + 1), owner);
      this.#arena.u32[buffers.offsets >>> 2] = 0;
      this.#set(index, "offsets", buffers.offsets);
      this.#set(index, "heapUsed", 0);
      this.#set(index, "heapCapacity", heapBytes);
      buffers.data = this.#arena.allocate(heapBytes, owner);
    } else if (plan.kind === "bits") {
      buffers.data = this.#arena.allocateZeroed(Math.ceil(rows / 8), owner);
    } else {
      buffers.data = this.#arena.allocate(rows * (plan.kind === "fixed" ? plan.byteWidth : 4), owner);
    }
    this.#set(index, "data", buffers.data);
  }

  #takeColumn(
    buffers: Buffers,
    from: { readonly index: number; readonly rows: number; readonly input: Batch; readonly blocks: Address[] },
  ): Column {
    const { plan } = buffers;
    const { index, rows, input, blocks } = from;
    const field = this.#options.schema.fields[index];
    invariant(field !== undefined, "an output column has a field");
    if (plan.kind === "null") return this.#nulls(field, rows, blocks);
    if (plan.kind === "carried") return this.#gather(buffers, { path: plan.path, rows, input, blocks });
    const nullCount = plan.nullable ? this.#code.word(outputWord(index, "nulls")) : 0;
    if (plan.kind === "bytes") this.#heapBytes[index] = this.#code.word(outputWord(index, "heapUsed")) + 64;
    const kept = nullCount > 0 ? buffers.validity : 0;
    if (kept === 0 && buffers.validity !== 0) this.#arena.release(buffers.validity);
    blocks.push(...[kept, buffers.offsets, buffers.data].filter((address) => address !== 0));
    const dictionary = plan.kind === "dictionary" ? this.#keepDictionary(input, plan.inputColumn, blocks) : null;
    const { offsets, data } = buffers;
    // A declared dictionary that the values came without: they are plain, and so must their type be.
    const type = dictionary === null ? valueType(field.type) : field.type;
    return { type, length: rows, nullCount, validity: kept, offsets, data, children: [], dictionary };
  }

  #nulls(field: Field, length: number, blocks: Address[]): Column {
    const [empty] = emptyBatch({ fields: [field] }).columns;
    invariant(empty !== undefined, "a field has a column");
    const rows = new Uint32Array(length).fill(NULL_ROW);
    const gathered = gatherColumn(this.#arena, empty, { rows, owner: this.#options.owner, shared: [] });
    blocks.push(...gathered.blocks);
    return gathered.column;
  }

  #gather(
    buffers: Buffers,
    from: {
      readonly path: readonly number[];
      readonly rows: number;
      readonly input: Batch;
      readonly blocks: Address[];
    },
  ): Column {
    const column = columnAt(from.input.columns, from.path);
    const start = buffers.data >>> 2;
    const rows = this.#arena.u32.subarray(start, start + from.rows);
    const gathered = gatherColumn(this.#arena, column, {
      rows,
      owner: this.#options.owner,
      shared: from.input.blocks,
    });
    this.#arena.release(buffers.data);
    from.blocks.push(...gathered.blocks);
    return gathered.column;
  }

  #keepDictionary(input: Batch, inputColumn: number, blocks: Address[]): Column {
    const dictionary = input.columns[inputColumn]?.dictionary;
    invariant(dictionary, "a dictionary column has a dictionary");
    for (const address of [dictionary.validity, dictionary.offsets, dictionary.data]) {
      const block = blockAt(this.#arena, input.blocks, address);
      if (block === 0 || blocks.includes(block)) continue;
      this.#arena.retain(block);
      blocks.push(block);
    }
    return dictionary;
  }

  #releaseAll(addresses: readonly Address[]): void {
    for (const address of addresses) if (address !== 0) this.#arena.release(address);
  }

  #set(index: number, word: OutputWord, value: number): void {
    this.#code.trySetWord(outputWord(index, word), value);
  }
}

function columnAt(columns: readonly Column[], path: readonly number[]): Column {
  const [index, ...rest] = path;
  const column = columns[index ?? -1];
  invariant(column !== undefined, "a carried column is in the input");
  return rest.length === 0 ? column : columnAt(column.children, rest);
}

/** Whether rows of `next` may follow rows of `previous` in one output batch. */
export function canSpan(emitted: readonly EmittedColumn[], previous: Batch, next: Batch): boolean {
  return emitted.every((plan) => {
    if (plan.kind === "carried") return false;
    if (plan.kind !== "dictionary") return true;
    return previous.columns[plan.inputColumn]?.dictionary?.data === next.columns[plan.inputColumn]?.dictionary?.data;
  });
}
