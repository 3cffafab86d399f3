import { invariant } from "../kernel/mod.ts";
import type { Address, Arena, OwnerId } from "./arena.ts";
import type { CellInput } from "./cell.ts";
import type { Column } from "./column.ts";
import { Growing } from "./growing.ts";
import type { DataType } from "./types.ts";

const FIRST_CAPACITY_ROWS = 1_024;

/**
 * Builds one column from JavaScript values. Subclasses store a value at row `length`; this class keeps the row count
 * and the validity bitmap, which exists from the first null on and has all bits of rows to come set.
 */
export abstract class ColumnBuilder {
  readonly arena: Arena;
  readonly owner: OwnerId;
  readonly type: DataType;
  length = 0;
  nullCount = 0;
  #capacity = 0;
  readonly #validity: Growing;

  constructor(arena: Arena, owner: OwnerId, type: DataType) {
    this.arena = arena;
    this.owner = owner;
    this.type = type;
    this.#validity = new Growing(arena, owner);
  }

  /** Stores the value at row `length`, or returns false when it does not have the column's type and changes nothing. */
  protected abstract put(value: NonNullable<CellInput>): boolean;
  /** Makes row `length` a null's: zero, empty. */
  protected abstract putNull(): void;
  /** Room for `rows` rows; the first `length` stay. */
  protected abstract reserve(rows: number): void;
  /** What `put` or `putNull` did at row `length` (already lowered) is undone. */
  protected abstract undo(): void;
  /** The buffers as a column of `length` rows; their blocks are added to `blocks`; then the builder is empty. */
  protected abstract takeColumn(base: ColumnBase, blocks: Address[]): Column;
  protected abstract freeBuffers(): void;

  /** False when the value does not have the column's type; the column is then as before. */
  append(value: CellInput): boolean {
    if (this.length === this.#capacity) this.#grow();
    if (value === null || value === undefined) {
      this.putNull();
      this.#markNull();
    } else if (!this.put(value)) return false;
    this.length++;
    return true;
  }

  /** Takes the last row back. */
  removeLast(): void {
    invariant(this.length > 0, "no row to remove");
    this.length--;
    if (this.#validity.address !== 0) {
      const at = this.#validity.address + (this.length >>> 3);
      const bit = 1 << (this.length & 7);
      const byte = this.arena.u8[at] as number;
      if ((byte & bit) === 0) this.nullCount--;
      this.arena.u8[at] = byte | bit;
    }
    this.undo();
  }

  /** The rows as a column; the builder is empty after it and may be used again. */
  finish(blocks: Address[]): Column {
    const { length, nullCount, type } = this;
    let validity = 0;
    if (nullCount > 0 && type.kind !== "null") {
      const bytes = (length + 7) >>> 3;
      validity = this.#validity.take(bytes);
      blocks.push(validity);
      if ((length & 7) !== 0) {
        const last = validity + bytes - 1;
        this.arena.u8[last] = (this.arena.u8[last] as number) & ((1 << (length & 7)) - 1);
      }
    }
    const column = this.takeColumn({ type, length, nullCount, validity }, blocks);
    this.abort();
    return column;
  }

  /** Drops all rows and frees their memory. */
  abort(): void {
    this.length = 0;
    this.nullCount = 0;
    this.#capacity = 0;
    this.#validity.free();
    this.freeBuffers();
  }

  #grow(): void {
    const rows = Math.max(FIRST_CAPACITY_ROWS, 2 * this.#capacity);
    this.reserve(rows);
    if (this.#validity.address !== 0) this.#growValidity(rows);
    this.#capacity = rows;
  }

  #growValidity(rows: number): void {
    const used = this.#validity.address === 0 ? 0 : (this.length + 7) >>> 3;
    this.#validity.reserve((rows + 7) >>> 3, used);
    this.arena.u8.fill(0xff, this.#validity.address + used, this.#validity.address + this.#validity.bytes);
  }

  #markNull(): void {
    this.nullCount++;
    if (this.type.kind === "null") return;
    if (this.#validity.address === 0) this.#growValidity(this.#capacity);
    const at = this.#validity.address + (this.length >>> 3);
    this.arena.u8[at] = (this.arena.u8[at] as number) & ~(1 << (this.length & 7));
  }
}

export interface ColumnBase {
  readonly type: DataType;
  readonly length: number;
  readonly nullCount: number;
  readonly validity: Address;
}
