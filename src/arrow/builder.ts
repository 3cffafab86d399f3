import { invariant } from "../kernel/mod.ts";
import type { Address, Arena, OwnerId } from "./arena.ts";
import { type CellInput, isDateLike, keyOf, wrongValue } from "./cell.ts";
import type { Batch, Column } from "./column.ts";
import { type ColumnBase, ColumnBuilder } from "./column_builder.ts";
import { ArrowError } from "./error.ts";
import { fixedBuilder } from "./fixed_builder.ts";
import { Growing } from "./growing.ts";
import { typeName } from "./typename.ts";
import type { DataType, Field, Schema } from "./types.ts";

const HEAP_BYTES_MAX = 0x7fffffff;
/** Longer strings are encoded by the platform, shorter ones by a loop. */
const LOOP_LENGTH_MAX = 24;

const encoder = new TextEncoder();

/** utf8 and binary columns. */
class HeapBuilder extends ColumnBuilder {
  readonly offsets: Growing;
  readonly heap: Growing;
  readonly text: boolean;
  used = 0;

  constructor(arena: Arena, owner: OwnerId, type: DataType) {
    super(arena, owner, type);
    this.offsets = new Growing(arena, owner);
    this.heap = new Growing(arena, owner);
    this.text = type.kind === "utf8" || type.kind === "largeUtf8";
  }

  protected override put(value: NonNullable<CellInput>): boolean {
    if (this.text) {
      if (typeof value !== "string") return false;
      this.putText(value);
    } else {
      if (!(value instanceof Uint8Array)) return false;
      this.reserveHeap(value.length);
      this.arena.u8.set(value, this.heap.address + this.used);
      this.used += value.length;
    }
    this.arena.i32[(this.offsets.address >>> 2) + this.length + 1] = this.used;
    return true;
  }

  putText(value: string): void {
    const { length } = value;
    this.reserveHeap(3 * length);
    const { u8 } = this.arena;
    const start = this.heap.address + this.used;
    if (length <= LOOP_LENGTH_MAX) {
      let i = 0;
      for (; i < length; i++) {
        const code = value.charCodeAt(i);
        if (code > 127) break;
        u8[start + i] = code;
      }
      if (i === length) {
        this.used += length;
        return;
      }
    }
    this.used += encoder.encodeInto(value, u8.subarray(start, start + 3 * length)).written;
  }

  reserveHeap(bytes: number): void {
    const need = this.used + bytes;
    if (need <= this.heap.bytes) return;
    if (need > HEAP_BYTES_MAX) {
      throw new ArrowError(
        "unsupported",
        "Cannot put more than 2 GiB of values in one column of a batch. Use smaller batches.",
      );
    }
    this.heap.reserve(Math.max(need, 4_096), this.used);
  }

  protected override putNull(): void {
    this.arena.i32[(this.offsets.address >>> 2) + this.length + 1] = this.used;
  }

  protected override reserve(rows: number): void {
    this.offsets.reserve(4 * (rows + 1), this.length === 0 ? 0 : 4 * (this.length + 1));
    if (this.length === 0) this.arena.i32[this.offsets.address >>> 2] = 0;
  }

  protected override undo(): void {
    this.used = this.arena.i32[(this.offsets.address >>> 2) + this.length] as number;
  }

  protected override takeColumn(base: ColumnBase, blocks: Address[]): Column {
    const offsets = takeOffsets(this.offsets, base.length, blocks);
    const data = this.heap.take(this.used);
    blocks.push(data);
    this.used = 0;
    return { ...base, offsets, data, children: [], dictionary: null };
  }

  protected override freeBuffers(): void {
    this.offsets.free();
    this.heap.free();
    this.used = 0;
  }
}

function takeOffsets(offsets: Growing, length: number, blocks: Address[]): Address {
  const address = offsets.take(4 * (length + 1));
  blocks.push(address);
  if (length === 0) offsets.arena.i32[address >>> 2] = 0;
  return address;
}

class ListBuilder extends ColumnBuilder {
  readonly offsets: Growing;
  readonly items: ColumnBuilder;
  readonly itemNullable: boolean;

  constructor(arena: Arena, owner: OwnerId, type: Extract<DataType, { kind: "list" }>) {
    super(arena, owner, type);
    this.offsets = new Growing(arena, owner);
    this.items = columnBuilder(arena, owner, type.item.type);
    this.itemNullable = type.item.nullable;
  }

  protected override put(value: NonNullable<CellInput>): boolean {
    if (!Array.isArray(value)) return false;
    const before = this.items.length;
    let stored = false;
    try {
      stored = (value as readonly CellInput[]).every((item) => this.#putItem(item));
    } finally {
      if (!stored) while (this.items.length > before) this.items.removeLast();
    }
    if (!stored) return false;
    this.putNull();
    return true;
  }

  #putItem(item: CellInput): boolean {
    const missing = item === null || item === undefined;
    return (!missing || this.itemNullable) && this.items.append(item);
  }

  protected override putNull(): void {
    this.arena.i32[(this.offsets.address >>> 2) + this.length + 1] = this.items.length;
  }

  protected override reserve(rows: number): void {
    this.offsets.reserve(4 * (rows + 1), this.length === 0 ? 0 : 4 * (this.length + 1));
    if (this.length === 0) this.arena.i32[this.offsets.address >>> 2] = 0;
  }

  protected override undo(): void {
    const end = this.arena.i32[(this.offsets.address >>> 2) + this.length] as number;
    while (this.items.length > end) this.items.removeLast();
  }

  protected override takeColumn(base: ColumnBase, blocks: Address[]): Column {
    const offsets = takeOffsets(this.offsets, base.length, blocks);
    return { ...base, offsets, data: 0, children: [this.items.finish(blocks)], dictionary: null };
  }

  protected override freeBuffers(): void {
    this.offsets.free();
    this.items.abort();
  }
}

class StructBuilder extends ColumnBuilder {
  readonly fields: readonly Field[];
  readonly children: readonly ColumnBuilder[];

  constructor(arena: Arena, owner: OwnerId, type: Extract<DataType, { kind: "struct" }>) {
    super(arena, owner, type);
    this.fields = type.fields;
    this.children = type.fields.map((f) => columnBuilder(arena, owner, f.type));
  }

  protected override put(value: NonNullable<CellInput>): boolean {
    const wrong = typeof value !== "object" || Array.isArray(value) || value instanceof Uint8Array || isDateLike(value);
    if (wrong) return false;
    const row = value as { readonly [name: string]: CellInput };
    let stored = false;
    try {
      stored = this.children.every((child, i) => this.#putField(child, this.fields[i] as Field, row));
    } finally {
      if (!stored) for (const child of this.children) if (child.length > this.length) child.removeLast();
    }
    return stored;
  }

  #putField(child: ColumnBuilder, f: Field, row: { readonly [name: string]: CellInput }): boolean {
    const cell = row[f.name];
    const missing = cell === null || cell === undefined;
    return (!missing || f.nullable) && child.append(cell);
  }

  protected override putNull(): void {
    for (const child of this.children) child.append(null);
  }

  protected override reserve(): void {}

  protected override undo(): void {
    for (const child of this.children) child.removeLast();
  }

  protected override takeColumn(base: ColumnBase, blocks: Address[]): Column {
    const children = this.children.map((child) => child.finish(blocks));
    return { ...base, offsets: 0, data: 0, children, dictionary: null };
  }

  protected override freeBuffers(): void {
    for (const child of this.children) child.abort();
  }
}

class DictionaryBuilder extends ColumnBuilder {
  readonly data: Growing;
  readonly values: ColumnBuilder;
  readonly indices = new Map<unknown, number>();

  constructor(arena: Arena, owner: OwnerId, type: Extract<DataType, { kind: "dictionary" }>) {
    super(arena, owner, type);
    this.data = new Growing(arena, owner);
    this.values = columnBuilder(arena, owner, type.value);
  }

  protected override put(value: NonNullable<CellInput>): boolean {
    const key = keyOf(value);
    let index = this.indices.get(key);
    if (index === undefined) {
      index = this.values.length;
      if (!this.values.append(value)) return false;
      this.indices.set(key, index);
    }
    this.arena.i32[(this.data.address >>> 2) + this.length] = index;
    return true;
  }

  protected override putNull(): void {
    this.arena.i32[(this.data.address >>> 2) + this.length] = 0;
  }

  protected override reserve(rows: number): void {
    this.data.reserve(4 * rows, 4 * this.length);
  }

  protected override undo(): void {} // a value that no row uses may stay

  protected override takeColumn(base: ColumnBase, blocks: Address[]): Column {
    const data = this.data.take(4 * base.length);
    blocks.push(data);
    return { ...base, offsets: 0, data, children: [], dictionary: this.values.finish(blocks) };
  }

  protected override freeBuffers(): void {
    this.data.free();
    this.values.abort();
    this.indices.clear();
  }
}

/** Builder of a column of any type. */
export function columnBuilder(arena: Arena, owner: OwnerId, type: DataType): ColumnBuilder {
  switch (type.kind) {
    case "utf8":
    case "largeUtf8":
    case "binary":
    case "largeBinary":
      return new HeapBuilder(arena, owner, type);
    case "list":
      return new ListBuilder(arena, owner, type);
    case "struct":
      return new StructBuilder(arena, owner, type);
    case "dictionary":
      return new DictionaryBuilder(arena, owner, type);
    default:
      return fixedBuilder(arena, owner, type);
  }
}

/**
 * Rows of JavaScript values into batches of the arena.
 *
 * ```ts
 * const builder = new BatchBuilder(arena, schema([field("id", int64), field("name", utf8)]), 0);
 * builder.append({ id: 1n, name: "one" });
 * const batch = builder.finish(); // the caller releases it
 * ```
 *
 * A row with a value of the wrong type throws `ArrowError` "type" and leaves the builder as it was before the row.
 */
export class BatchBuilder {
  readonly schema: Schema;
  /** Rows after which `isFull`; more may be appended. */
  readonly capacityRows: number;
  readonly #arena: Arena;
  readonly #columns: readonly ColumnBuilder[];
  readonly #names: readonly string[];
  readonly #nullable: readonly boolean[];
  #rowCount = 0;

  constructor(arena: Arena, schema: Schema, owner: OwnerId, capacityRows = 65_536) {
    this.schema = schema;
    this.capacityRows = capacityRows;
    this.#arena = arena;
    this.#columns = schema.fields.map((f) => columnBuilder(arena, owner, f.type));
    this.#names = schema.fields.map((f) => f.name);
    this.#nullable = schema.fields.map((f) => f.nullable);
  }

  get rowCount(): number {
    return this.#rowCount;
  }

  get isFull(): boolean {
    return this.#rowCount >= this.capacityRows;
  }

  /** A missing or `undefined` property is null; properties that are no column are ignored. */
  append(row: { readonly [name: string]: CellInput }): void {
    const columns = this.#columns;
    for (let i = 0; i < columns.length; i++) this.#appendCell(i, row[this.#names[i] as string]);
    this.#rowCount++;
  }

  /** One value a column, in the order of the schema. */
  appendValues(values: readonly CellInput[]): void {
    const columns = this.#columns;
    if (values.length !== columns.length) {
      throw new ArrowError("type", `Row ${this.#rowCount}: expected ${columns.length} values, got ${values.length}.`);
    }
    for (let i = 0; i < columns.length; i++) this.#appendCell(i, values[i]);
    this.#rowCount++;
  }

  /** The rows as a batch that the caller owns; the builder is empty and may be used again. */
  finish(): Batch {
    const blocks: Address[] = [];
    try {
      const columns = this.#columns.map((column) => column.finish(blocks));
      return { schema: this.schema, rowCount: this.#rowCount, columns, blocks };
    } catch (error) {
      for (const block of blocks) this.#arena.release(block);
      this.abort();
      throw error;
    } finally {
      this.#rowCount = 0;
    }
  }

  /** Drops the rows and frees their memory. */
  abort(): void {
    for (const column of this.#columns) column.abort();
    this.#rowCount = 0;
  }

  #appendCell(index: number, value: CellInput): void {
    try {
      const missing = value === null || value === undefined;
      if ((!missing || this.#nullable[index]) && (this.#columns[index] as ColumnBuilder).append(value)) return;
      throw this.#wrongValue(index, value);
    } catch (error) {
      for (const column of this.#columns) if (column.length > this.#rowCount) column.removeLast();
      throw error;
    }
  }

  #wrongValue(index: number, value: CellInput): ArrowError {
    const f = this.schema.fields[index];
    invariant(f !== undefined, "a column has a field");
    return wrongValue(
      `Column "${f.name}", row ${this.#rowCount}`,
      value,
      `${typeName(f.type)}${f.nullable ? "" : " not null"}`,
    );
  }
}

/** A batch of the given rows; see `BatchBuilder`. */
export function batchFromRows(
  arena: Arena,
  schema: Schema,
  rows: Iterable<{ readonly [name: string]: CellInput }>,
  owner: OwnerId,
): Batch {
  const builder = new BatchBuilder(arena, schema, owner);
  try {
    for (const row of rows) builder.append(row);
    return builder.finish();
  } catch (error) {
    builder.abort();
    throw error;
  }
}
