import { unreachable } from "../kernel/mod.ts";
import type { Address, Arena } from "./arena.ts";
import { columnBuilder } from "./builder.ts";
import type { Column } from "./column.ts";
import { decodeColumn } from "./copy.ts";
import { ArrowError } from "./error.ts";
import { columnReader } from "./reader.ts";
import { byteWidth, type DataType, type IntKind } from "./types.ts";

/** Buffers in the body start at multiples of this, as the Arrow specification recommends. */
export const BODY_ALIGN_BYTES = 64;

/** Owner of what is made while writing; freed before `write` returns. */
const ENGINE_OWNER = 0;

export type DictionaryType = Extract<DataType, { kind: "dictionary" }>;

/** What the encoder meets on its way and must be written before the batch. */
export interface DictionarySink {
  /** Called for each dictionary column in the order of ids; returns the indices to write (same length). */
  dictionary(column: Column, type: DictionaryType): Int32Array;
}

const INDEX_MAX: Record<IntKind, number> = {
  int8: 127,
  int16: 32_767,
  int32: 0x7fffffff,
  int64: 0x7fffffff,
  uint8: 255,
  uint16: 65_535,
  uint32: 0x7fffffff,
  uint64: 0x7fffffff,
};

/** Throws when a dictionary's indices do not fit the declared index type. */
export function checkIndexType(index: IntKind, valueCount: number): void {
  if (valueCount - 1 <= INDEX_MAX[index]) return;
  throw new ArrowError(
    "type",
    `Cannot write a dictionary of ${valueCount} values: its index type ${index} counts to ${INDEX_MAX[index]}.`,
  );
}

function widenIndices(indices: Int32Array, kind: IntKind): Uint8Array {
  const typed = (() => {
    switch (kind) {
      case "int8":
      case "uint8":
        return new Uint8Array(indices);
      case "int16":
      case "uint16":
        return new Uint16Array(indices);
      case "int32":
      case "uint32":
        return indices.slice();
      case "int64":
      case "uint64":
        return BigInt64Array.from(indices, BigInt);
      default:
        return unreachable(kind);
    }
  })();
  return new Uint8Array(typed.buffer, typed.byteOffset, typed.byteLength);
}

/** Turns columns into nodes and buffers of one record batch. Views of the arena: use them before the batch is released. */
export class BodyEncoder {
  readonly arena: Arena;
  readonly sink: DictionarySink;
  /** Rows and nulls, in pairs. */
  readonly nodes: number[] = [];
  readonly buffers: Uint8Array[] = [];
  /** Columns made on the way; see `release`. */
  readonly temporary: Address[] = [];

  constructor(arena: Arena, sink: DictionarySink) {
    this.arena = arena;
    this.sink = sink;
  }

  /** Frees what was made on the way. */
  release(): void {
    for (const block of this.temporary.splice(0)) this.arena.release(block);
  }

  #view(address: Address, bytes: number): void {
    this.buffers.push(bytes === 0 ? new Uint8Array() : new Uint8Array(this.arena.buffer, address, bytes));
  }

  /** The column as `type` says it is written: decoded or encoded where its dictionary does not fit the type. */
  #asDeclared(column: Column, type: DataType): Column {
    if (column.dictionary !== null && type.kind !== "dictionary") {
      const decoded = decodeColumn(this.arena, column, ENGINE_OWNER);
      this.temporary.push(...decoded.blocks);
      return decoded.column;
    }
    if (column.dictionary !== null || type.kind !== "dictionary") return column;
    const builder = columnBuilder(this.arena, ENGINE_OWNER, type);
    try {
      const read = columnReader(this.arena, column);
      for (let row = 0; row < column.length; row++) builder.append(read(row));
      return builder.finish(this.temporary);
    } catch (error) {
      builder.abort();
      throw error;
    }
  }

  add(given: Column, type: DataType): void {
    const column = this.#asDeclared(given, type);
    const { length, nullCount, validity } = column;
    this.nodes.push(length, type.kind === "null" ? length : nullCount);
    if (type.kind === "null") return;
    this.#view(validity, validity === 0 || nullCount === 0 ? 0 : (length + 7) >>> 3);
    if (type.kind === "dictionary") {
      this.buffers.push(widenIndices(this.sink.dictionary(column, type), type.index));
      return;
    }
    switch (type.kind) {
      case "bool":
        this.#view(column.data, (length + 7) >>> 3);
        return;
      case "struct":
        type.fields.forEach((f, i) => this.add(column.children[i] as Column, f.type));
        return;
      case "list":
        this.#offsets(column, 4);
        this.add(column.children[0] as Column, type.item.type);
        return;
      case "utf8":
      case "binary":
      case "largeUtf8":
      case "largeBinary":
        this.#offsets(column, type.kind === "utf8" || type.kind === "binary" ? 4 : 8);
        this.#view(column.data, column.offsets === 0 ? 0 : (this.arena.i32[(column.offsets >>> 2) + length] as number));
        return;
      default:
        this.#view(column.data, length * byteWidth(type));
    }
  }

  #offsets(column: Column, width: 4 | 8): void {
    const { length, offsets } = column;
    if (offsets === 0) this.buffers.push(new Uint8Array(width));
    else if (width === 4) this.#view(offsets, 4 * (length + 1));
    else {
      const wide = BigInt64Array.from(new Int32Array(this.arena.buffer, offsets, length + 1), BigInt);
      this.buffers.push(new Uint8Array(wide.buffer));
    }
  }
}
