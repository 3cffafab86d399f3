import { type Batch, type Column, gatherColumn, NULL_ROW, releaseBatch } from "../arrow/mod.ts";
import { invariant } from "../kernel/mod.ts";
import type { UnnestStage as UnnestSpec } from "./messages.ts";
import type { Rows, Stage } from "./stage.ts";
import type { WorkerContext } from "./worker_context.ts";

/** One row for each item of a list column; the other columns repeat. */
export class UnnestStage implements Stage {
  readonly #worker: WorkerContext;
  readonly #spec: UnnestSpec;
  readonly #next: Stage;
  readonly #capacityRows: number;
  readonly #columnIndex: number;
  /** Position of the task's first row, and how many rows it has become. */
  #rowBase: bigint | null = null;
  #pushedRows = 0;

  constructor(
    worker: WorkerContext,
    spec: UnnestSpec,
    options: { readonly capacityRows: number; readonly next: Stage },
  ) {
    this.#worker = worker;
    this.#spec = spec;
    this.#next = options.next;
    this.#capacityRows = options.capacityRows;
    this.#columnIndex = spec.inputSchema.fields.findIndex((field) => field.name === spec.column);
    invariant(this.#columnIndex >= 0, `unnest of unknown column ${spec.column}`);
  }

  async push(rows: Rows): Promise<void> {
    const list = rows.batch.columns[this.#columnIndex];
    invariant(list !== undefined, "the list column is in the batch");
    this.#rowBase ??= rows.rowBase + BigInt(rows.start);
    const parents: number[] = [];
    const items: number[] = [];
    for (let row = rows.start; row < rows.end; row++) {
      this.#expand(list, row, { parents, items });
      if (parents.length >= this.#capacityRows) await this.#emit(rows, { parents, items });
    }
    await this.#emit(rows, { parents, items });
  }

  async endTask(): Promise<void> {
    this.#rowBase = null;
    this.#pushedRows = 0;
    await this.#next.endTask();
  }

  dispose(): void {
    this.#next.dispose();
  }

  #expand(list: Column, row: number, into: { parents: number[]; items: number[] }): void {
    const { u8, u32 } = this.#worker.arena;
    const present = list.validity === 0 || ((u8[list.validity + (row >>> 3)] ?? 0) >>> (row & 7)) & 1;
    const start = present ? (u32[(list.offsets >>> 2) + row] ?? 0) : 0;
    const end = present ? (u32[(list.offsets >>> 2) + row + 1] ?? 0) : 0;
    for (let item = start; item < end; item++) {
      into.parents.push(row);
      into.items.push(item);
    }
    if (start === end && this.#spec.outer) {
      into.parents.push(row);
      into.items.push(NULL_ROW);
    }
  }

  async #emit(rows: Rows, expanded: { parents: number[]; items: number[] }): Promise<void> {
    if (expanded.parents.length === 0) return;
    const batch = this.#build(rows.batch, expanded);
    const rowBase = (this.#rowBase ?? 0n) + BigInt(this.#pushedRows);
    this.#pushedRows += batch.rowCount;
    expanded.parents.length = 0;
    expanded.items.length = 0;
    try {
      await this.#next.push({ batch, start: 0, end: batch.rowCount, rowBase });
    } finally {
      releaseBatch(this.#worker.arena, batch);
    }
  }

  #build(input: Batch, expanded: { readonly parents: number[]; readonly items: number[] }): Batch {
    const { arena } = this.#worker;
    const owner = this.#spec.operator;
    const parents = Uint32Array.from(expanded.parents);
    const items = Uint32Array.from(expanded.items);
    const blocks: number[] = [];
    try {
      const columns = input.columns.map((column, index) => {
        const child = column.children[0];
        const unnested = index === this.#columnIndex && child !== undefined;
        const gathered = gatherColumn(arena, unnested ? child : column, {
          rows: unnested ? items : parents,
          owner,
          shared: input.blocks,
        });
        blocks.push(...gathered.blocks);
        return gathered.column;
      });
      return { schema: this.#spec.schema, rowCount: parents.length, columns, blocks };
    } catch (error) {
      for (const block of blocks) arena.release(block);
      throw error;
    }
  }
}
