import type { Address, Arena, Batch, Column, OwnerId, Schema } from "../../arrow/mod.ts";
import { valueType } from "../../arrow/mod.ts";
import { ColumnEntry, type Encoding, type SortKeyShape } from "../../codegen/mod.ts";
import { invariant } from "../../kernel/mod.ts";
import { type GatherColumn, planGather } from "./gather_plan.ts";

/** A sort key that is a column of the input. */
export interface KeyColumn {
  readonly column: number;
  readonly descending: boolean;
  readonly nullsFirst: boolean;
  /** Treated as if it could be null. */
  readonly nullable?: boolean;
  readonly aligned?: boolean;
}

export interface SortRequest {
  readonly operator: OwnerId;
  /** Without empty ones. */
  readonly batches: readonly Batch[];
  readonly keys: readonly KeyColumn[];
  /** The result's columns: the first ones of the input. */
  readonly schema: Schema;
}

/** Rows of one batch. */
export interface RowRange {
  readonly batch: number;
  readonly start: number;
  readonly count: number;
}

/** What workers need to sort and gather the rows of some batches: plain data, addresses in the arena. */
export interface SortInput {
  readonly operator: OwnerId;
  readonly rowCount: number;
  readonly batchRows: readonly number[];
  readonly shapes: readonly SortKeyShape[];
  /** Array of the addresses of the keys' tables. */
  readonly keyTables: Address;
  readonly schema: Schema;
  readonly columns: readonly GatherColumn[];
}

/** Memory that belongs to a piece of work: freed together. */
export class Blocks {
  readonly #arena: Arena;
  readonly #owner: OwnerId;
  readonly #addresses = new Set<Address>();

  constructor(arena: Arena, owner: OwnerId) {
    this.#arena = arena;
    this.#owner = owner;
  }

  allocate(bytes: number): Address {
    const address = this.#arena.allocate(bytes, this.#owner);
    this.#addresses.add(address);
    return address;
  }

  /** Takes over a reference. */
  adopt(addresses: readonly Address[]): void {
    for (const address of addresses) this.#addresses.add(address);
  }

  release(address: Address): void {
    if (this.#addresses.delete(address)) this.#arena.release(address);
  }

  releaseAll(): void {
    for (const address of this.#addresses) this.#arena.release(address);
    this.#addresses.clear();
  }
}

/** Writes the tables of the batches' columns; they are valid as long as the batches and `blocks`. */
export function prepareInput(arena: Arena, request: SortRequest, blocks: Blocks): SortInput {
  const { batches, operator, schema, keys } = request;
  const columnCount = batches[0]?.columns.length ?? 0;
  const tableBytes = batches.length * ColumnEntry.bytes;
  const tables = blocks.allocate(columnCount * tableBytes);
  const tableOf = (column: number) => tables + column * tableBytes;
  for (let column = 0; column < columnCount; column++) writeTable(arena, tableOf(column), columnOf(batches, column));
  const keyTables = blocks.allocate(4 * keys.length);
  keys.forEach(({ column }, i) => {
    arena.u32[(keyTables >>> 2) + i] = tableOf(column);
  });
  return {
    operator,
    rowCount: batches.reduce((sum, batch) => sum + batch.rowCount, 0),
    batchRows: batches.map((batch) => batch.rowCount),
    shapes: keys.map((key) => shapeOf(batches, key)),
    keyTables,
    schema,
    columns: planGather(arena, { batches, schema, operator, tableOf, blocks }),
  };
}

export function columnOf(batches: readonly Batch[], index: number): Column[] {
  return batches.map((batch) => {
    const column = batch.columns[index];
    invariant(column !== undefined, "every batch has the input's columns");
    return column;
  });
}

function writeTable(arena: Arena, table: Address, columns: readonly Column[]): void {
  const { u32 } = arena;
  columns.forEach((column, i) => {
    const entry = (table + i * ColumnEntry.bytes) >>> 2;
    u32[entry + ColumnEntry.validity / 4] = column.validity;
    u32[entry + ColumnEntry.offsets / 4] = column.offsets;
    u32[entry + ColumnEntry.data / 4] = column.data;
    u32[entry + ColumnEntry.dictionaryOffsets / 4] = column.dictionary?.offsets ?? 0;
    u32[entry + ColumnEntry.dictionaryData / 4] = column.dictionary?.data ?? 0;
    u32[entry + ColumnEntry.encoded / 4] = column.dictionary === null ? 0 : 1;
  });
}

function shapeOf(batches: readonly Batch[], key: KeyColumn): SortKeyShape {
  const columns = columnOf(batches, key.column);
  const field = batches[0]?.schema.fields[key.column];
  invariant(field !== undefined, "a key is a column of the input");
  return {
    type: valueType(field.type),
    descending: key.descending,
    nullsFirst: key.nullsFirst,
    nullable: key.nullable ?? columns.some((column) => column.validity !== 0),
    aligned: key.aligned ?? false,
    encoding: encodingOf(columns),
  };
}

export function encodingOf(columns: readonly Column[]): Encoding {
  const encoded = columns.filter((column) => column.dictionary !== null).length;
  if (encoded === 0) return "plain";
  return encoded === columns.length ? "dictionary" : "mixed";
}

/** Rows in input order, cut into tasks of about `taskRows`. */
export function rangeTasks(batchRows: readonly number[], taskRows: number): RowRange[][] {
  const tasks: RowRange[][] = [];
  let left = 0;
  batchRows.forEach((rowCount, batch) => {
    for (let start = 0; start < rowCount; ) {
      if (left === 0) {
        tasks.push([]);
        left = taskRows;
      }
      const count = Math.min(left, rowCount - start);
      tasks.at(-1)?.push({ batch, start, count });
      left -= count;
      start += count;
    }
  });
  return tasks;
}
