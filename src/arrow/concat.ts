import { invariant } from "../kernel/mod.ts";
import type { Address, Arena, OwnerId } from "./arena.ts";
import type { Batch, Column } from "./column.ts";
import { blockAt, bufferAddresses, type CopyOptions, copyBits, decodeColumn, NULL_ROW } from "./copy.ts";
import { ArrowError } from "./error.ts";
import { byteWidth } from "./types.ts";

export interface ConcatOptions {
  readonly owner: OwnerId;
  /** Blocks of all sources; a dictionary that they share is shared by the result. */
  readonly shared: readonly Address[];
}

const OFFSET_MAX = 0x7fffffff;

/**
 * The columns' rows one after the other in new blocks. All have the same type; different dictionaries become one that
 * holds the values of all (a value may then be in it twice).
 */
export function concatColumns(
  arena: Arena,
  columns: readonly Column[],
  options: ConcatOptions,
): { readonly column: Column; readonly blocks: readonly Address[] } {
  const blocks: Address[] = [];
  const encoded = columns.filter((column) => column.dictionary !== null).length;
  const decode = encoded > 0 && encoded < columns.length;
  const decoded = decode ? columns.map((column) => decodeColumn(arena, column, options.owner)) : [];
  try {
    const sources = decode ? decoded.map(({ column }) => column) : columns;
    return { column: new Concat(arena, { ...options, blocks }).run(sources), blocks };
  } catch (error) {
    for (const block of blocks) arena.release(block);
    throw error;
  } finally {
    for (const { blocks: temporary } of decoded) for (const block of temporary) arena.release(block);
  }
}

/** All rows of the batches, in order, as one; the batches stay the caller's. They have one schema; there is at least one. */
export function concatBatches(arena: Arena, batches: readonly Batch[], owner: OwnerId): Batch {
  const [first] = batches;
  invariant(first !== undefined, "concatBatches needs a batch");
  const shared = batches.flatMap((batch) => batch.blocks);
  const blocks: Address[] = [];
  try {
    const columns = first.columns.map((_, i) => {
      const sources = batches.map((batch) => batch.columns[i] as Column);
      const joined = concatColumns(arena, sources, { owner, shared });
      blocks.push(...joined.blocks);
      return joined.column;
    });
    return { schema: first.schema, rowCount: batches.reduce((sum, batch) => sum + batch.rowCount, 0), columns, blocks };
  } catch (error) {
    for (const block of blocks) arena.release(block);
    throw error;
  }
}

/** Appends whole columns; buffers are allocated once at their final size. */
class Concat {
  readonly arena: Arena;
  readonly options: CopyOptions & ConcatOptions;

  constructor(arena: Arena, options: CopyOptions & ConcatOptions) {
    this.arena = arena;
    this.options = options;
  }

  allocate(bytes: number): Address {
    const address = this.arena.allocate(bytes, this.options.owner);
    this.options.blocks.push(address);
    return address;
  }

  run(columns: readonly Column[]): Column {
    const first = columns[0] as Column;
    const length = columns.reduce((sum, column) => sum + column.length, 0);
    const nullCount = columns.reduce((sum, column) => sum + column.nullCount, 0);
    const base = {
      type: first.type,
      length,
      nullCount,
      validity: this.#validity(columns, length),
      offsets: 0,
      data: 0,
    };
    if (columns.some((column) => column.dictionary !== null)) return { ...base, ...this.#encoded(columns, length) };
    const { type } = first;
    switch (type.kind) {
      case "null":
        return { ...base, validity: 0, children: [], dictionary: null };
      case "bool":
        return { ...base, data: this.#bits(columns, length, (column) => column.data), children: [], dictionary: null };
      case "struct": {
        const children = type.fields.map((_, i) => this.run(columns.map((column) => column.children[i] as Column)));
        return { ...base, children, dictionary: null };
      }
      case "list": {
        const offsets = this.#offsets(columns, length);
        return {
          ...base,
          offsets,
          children: [this.run(columns.map((c) => c.children[0] as Column))],
          dictionary: null,
        };
      }
      case "utf8":
      case "largeUtf8":
      case "binary":
      case "largeBinary":
        return { ...base, ...this.#heap(columns, length), children: [], dictionary: null };
      default:
        return { ...base, data: this.#fixed(columns, length, byteWidth(type)), children: [], dictionary: null };
    }
  }

  #validity(columns: readonly Column[], length: number): Address {
    if (columns.every((column) => column.validity === 0)) return 0;
    return this.#bits(columns, length, (column) => column.validity);
  }

  /** Bitmaps one after the other; 0 stands for one with all bits set. */
  #bits(columns: readonly Column[], length: number, of: (column: Column) => Address): Address {
    const { u8 } = this.arena;
    const to = this.allocate((length + 7) >>> 3);
    u8.fill(0, to, to + ((length + 7) >>> 3));
    let at = 0;
    for (const column of columns) {
      const from = of(column);
      if ((at & 7) === 0 && from !== 0) {
        if (column.length > 0) copyBits(this.arena, from, { start: 0, bits: column.length, to: to + (at >>> 3) });
        at += column.length;
        continue;
      }
      for (let row = 0; row < column.length; row++, at++) {
        const bit = from === 0 ? 1 : ((u8[from + (row >>> 3)] as number) >>> (row & 7)) & 1;
        if (bit === 1) u8[to + (at >>> 3)] = (u8[to + (at >>> 3)] as number) | (1 << (at & 7));
      }
    }
    return to;
  }

  #fixed(columns: readonly Column[], length: number, width: number): Address {
    const to = this.allocate(width * length);
    let at = to;
    for (const column of columns) {
      this.arena.u8.copyWithin(at, column.data, column.data + width * column.length);
      at += width * column.length;
    }
    return to;
  }

  #offsets(columns: readonly Column[], length: number): Address {
    const { i32 } = this.arena;
    const to = this.allocate(4 * (length + 1));
    let at = to >>> 2;
    let end = 0;
    i32[at++] = 0;
    for (const column of columns) {
      const source = column.offsets >>> 2;
      for (let row = 1; row <= column.length; row++) i32[at++] = end + (i32[source + row] as number);
      if (column.length > 0) end += i32[source + column.length] as number;
      if (end > OFFSET_MAX) {
        throw new ArrowError(
          "unsupported",
          "Cannot put more than 2 GiB of values in one column of a batch. Use smaller batches.",
        );
      }
    }
    return to;
  }

  #heap(columns: readonly Column[], length: number): { offsets: Address; data: Address } {
    const offsets = this.#offsets(columns, length);
    const { i32, u8 } = this.arena;
    const data = this.allocate(i32[(offsets >>> 2) + length] as number);
    let at = data;
    for (const column of columns) {
      const bytes = column.length === 0 ? 0 : (i32[(column.offsets >>> 2) + column.length] as number);
      u8.copyWithin(at, column.data, column.data + bytes);
      at += bytes;
    }
    return { offsets, data };
  }

  #encoded(columns: readonly Column[], length: number): Pick<Column, "data" | "children" | "dictionary"> {
    const data = this.#fixed(columns, length, 4);
    const dictionaries = [...new Set(columns.map((column) => column.dictionary as Column))];
    const [only] = dictionaries;
    if (only !== undefined && dictionaries.every((d) => d.data === only.data && d.length === only.length)) {
      this.#share(only);
      return { data, children: [], dictionary: only };
    }
    let base = 0;
    let at = data >>> 2;
    const values: Column[] = [];
    for (const column of columns) {
      for (let row = 0; row < column.length; row++, at++) this.arena.i32[at] = (this.arena.i32[at] as number) + base;
      values.push(column.dictionary as Column);
      base += (column.dictionary as Column).length;
    }
    if (base >= NULL_ROW / 2) throw new ArrowError("unsupported", "Cannot make a dictionary of more than 2^31 values.");
    return { data, children: [], dictionary: this.run(values) };
  }

  #share(dictionary: Column): void {
    for (const address of bufferAddresses(dictionary)) {
      const block = blockAt(this.arena, this.options.shared, address);
      if (block === 0 || this.options.blocks.includes(block)) continue;
      this.arena.retain(block);
      this.options.blocks.push(block);
    }
  }
}
