import {
  type Address,
  type Arena,
  ArrowError,
  type Batch,
  type Column,
  type DataType,
  gatherColumn,
  isNested,
  valueType,
} from "../../arrow/mod.ts";
import { type GatherExports, SortRecord } from "../../codegen/mod.ts";
import { unreachable } from "../../kernel/mod.ts";
import type { GatherColumn } from "./gather_plan.ts";
import { sortCode } from "./sort_code.ts";
import type { SortInput } from "./sort_input.ts";

/** What offsets can say. */
const HEAP_BYTES_MAX = 0x7fffffff;

/** The rows that `count` records from `records` on name, in that order, as a batch that the caller owns. */
export function gatherRows(arena: Arena, input: SortInput, from: { records: Address; count: number }): Batch {
  const gather = new Gather(arena, input, from);
  try {
    const columns = input.columns.map((plan, i) =>
      gather.column(plan, (input.schema.fields[i] as { type: DataType }).type),
    );
    return { schema: input.schema, rowCount: from.count, columns, blocks: gather.blocks };
  } catch (error) {
    for (const block of gather.blocks) arena.release(block);
    throw error;
  }
}

class Gather {
  readonly blocks: Address[] = [];
  readonly #arena: Arena;
  readonly #input: SortInput;
  readonly #records: Address;
  readonly #count: number;
  readonly #code: GatherExports;

  constructor(arena: Arena, input: SortInput, from: { records: Address; count: number }) {
    this.#arena = arena;
    this.#input = input;
    this.#records = from.records;
    this.#count = from.count;
    this.#code = sortCode(arena).gather();
  }

  column(plan: GatherColumn, type: DataType): Column {
    const length = this.#count;
    if (plan.kind === "whole") {
      const column = this.#whole(plan);
      return isNested(type) ? { ...column, type } : column;
    }
    // Rows may have come without the dictionary that is declared, and with one that is not: the column says how it is.
    const plain = {
      type: valueType(type),
      length,
      nullCount: 0,
      validity: 0,
      offsets: 0,
      data: 0,
      children: [],
      dictionary: null,
    };
    if (plan.kind === "null") return { ...plain, nullCount: length };
    const base = { ...plain, ...this.#validity(plan) };
    switch (plan.kind) {
      case "dictionary":
        this.#share(plan.blocks);
        return { ...base, type: plan.type, data: this.#fixed(plan.table, 4), dictionary: plan.dictionary };
      case "fixed":
        return { ...base, data: this.#fixed(plan.table, plan.byteWidth) };
      case "bits": {
        const data = this.#allocateBits();
        this.#code.gatherBits(this.#records, length, plan.table, data);
        return { ...base, data };
      }
      case "bytes":
        return { ...base, ...this.#bytes(plan.table) };
      default:
        return unreachable(plan);
    }
  }

  #validity(plan: GatherColumn): { validity: Address; nullCount: number } {
    if (!plan.nullable) return { validity: 0, nullCount: 0 };
    const validity = this.#allocateBits();
    const nullCount = this.#code.gatherValidity(this.#records, this.#count, plan.table, validity);
    if (nullCount > 0) return { validity, nullCount };
    this.blocks.pop();
    this.#arena.release(validity);
    return { validity: 0, nullCount };
  }

  #fixed(table: Address, byteWidth: number): Address {
    const data = this.#allocate(this.#count * byteWidth);
    const from = [this.#records, this.#count, table, data] as const;
    const code = this.#code;
    if (byteWidth === 8) code.gather8(...from);
    else if (byteWidth === 4) code.gather4(...from);
    else if (byteWidth === 2) code.gather2(...from);
    else if (byteWidth === 1) code.gather1(...from);
    else if (byteWidth === 16) code.gather16(...from);
    else code.gatherWide(...from, byteWidth);
    return data;
  }

  #bytes(table: Address): { offsets: Address; data: Address } {
    const offsets = this.#allocate(4 * (this.#count + 1));
    const bytes = this.#code.gatherOffsets(this.#records, this.#count, table, offsets);
    if (bytes > HEAP_BYTES_MAX) {
      throw new ArrowError(
        "unsupported",
        `Cannot put ${bytes} bytes of values in one column of a batch, at most 2 GiB. Use smaller batches.`,
      );
    }
    const data = this.#allocate(Number(bytes));
    this.#code.gatherHeap(this.#records, this.#count, table, data);
    return { offsets, data };
  }

  #whole(plan: Extract<GatherColumn, { kind: "whole" }>): Column {
    const rows = new Uint32Array(this.#count);
    const { u32 } = this.#arena;
    for (let i = 0; i < this.#count; i++) {
      const record = (this.#records + i * SortRecord.bytes) >>> 2;
      const batch = u32[record + SortRecord.batch / 4] as number;
      rows[i] = (plan.firstRows[batch] as number) + (u32[record + SortRecord.row / 4] as number);
    }
    const { operator: owner } = this.#input;
    const gathered = gatherColumn(this.#arena, plan.column, { rows, owner, shared: plan.blocks });
    this.blocks.push(...gathered.blocks);
    return gathered.column;
  }

  /** Several columns may lie in one dictionary: a batch has one reference to each block. */
  #share(blocks: readonly Address[]): void {
    for (const block of blocks) {
      if (this.blocks.includes(block)) continue;
      this.#arena.retain(block);
      this.blocks.push(block);
    }
  }

  #allocate(bytes: number): Address {
    const address = this.#arena.allocate(bytes, this.#input.operator);
    this.blocks.push(address);
    return address;
  }

  #allocateBits(): Address {
    const address = this.#arena.allocateZeroed(Math.ceil(this.#count / 8), this.#input.operator);
    this.blocks.push(address);
    return address;
  }
}
