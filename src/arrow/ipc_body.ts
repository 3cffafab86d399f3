import { unreachable } from "../kernel/mod.ts";
import type { Address, Arena, OwnerId } from "./arena.ts";
import type { Column } from "./column.ts";
import { blockAt, bufferAddresses, copyBits, copyRows, countBits } from "./copy.ts";
import { ArrowError } from "./error.ts";
import { corrupt } from "./flatbuffer.ts";
import { clearNullIndices, loadIndices } from "./ipc_dictionary.ts";
import { BODY_ALIGN_BYTES } from "./ipc_encode.ts";
import { loadFixed } from "./ipc_fixed.ts";
import { loadHeap, loadOffsets, loadViews } from "./ipc_heap.ts";
import type { WireField } from "./ipc_schema.ts";
import { decompressLz4 } from "./lz4.ts";

export type IpcCodec = "lz4" | "zstd";

/** Gives exactly `outputBytes` bytes or throws. Called for zstd only: lz4 is built in. */
export type Decompress = (codec: IpcCodec, input: Uint8Array, outputBytes: number) => Uint8Array;

/** A record batch as its metadata describes it. `regions` are relative to the body. */
export interface BodyPlan {
  readonly length: number;
  /** `nullCount` is −1 where the writer did not count. */
  readonly nodes: readonly { readonly length: number; readonly nullCount: number }[];
  readonly regions: readonly { readonly offset: number; readonly length: number }[];
  readonly codec: IpcCodec | null;
  readonly variadicCounts: readonly number[];
}

export interface Dictionary {
  readonly column: Column;
  readonly blocks: readonly Address[];
}

export interface BodyContext {
  readonly arena: Arena;
  readonly owner: OwnerId;
  readonly dictionaries: ReadonlyMap<number, Dictionary>;
  readonly decompress: Decompress | null;
  /** The arena block that the body lies in; 0 when it lies elsewhere. */
  readonly block: Address;
}

/**
 * Walks the nodes and buffers of one record batch, in the order of the schema's fields, and puts columns into the
 * arena. Everything that later code relies on is checked here: buffers lie in the body and are long enough, offsets
 * rise and end in their data, indices have a value, text is UTF-8, counts of nulls are true.
 */
export class BodyReader {
  readonly context: BodyContext;
  readonly plan: BodyPlan;
  readonly body: Uint8Array;
  /** Byte of the file at which the body starts. */
  readonly origin: number;
  /** Blocks allocated or retained for the columns read so far. */
  readonly blocks: Address[] = [];
  #node = 0;
  #region = 0;
  #variadic = 0;

  constructor(context: BodyContext, plan: BodyPlan, body: Uint8Array, origin: number) {
    this.context = context;
    this.plan = plan;
    this.body = body;
    this.origin = origin;
  }

  get arena(): Arena {
    return this.context.arena;
  }

  fail(what: string): ArrowError {
    return corrupt(this.origin, what);
  }

  allocate(bytes: number): Address {
    const address = this.arena.allocate(bytes, this.context.owner);
    this.blocks.push(address);
    return address;
  }

  allocateZeroed(bytes: number): Address {
    const address = this.arena.allocateZeroed(bytes, this.context.owner);
    this.blocks.push(address);
    return address;
  }

  nextVariadicCount(): number {
    const count = this.plan.variadicCounts[this.#variadic++];
    if (count === undefined) throw this.fail("the number of view buffers is missing");
    return count;
  }

  skipRegions(count: number): void {
    this.#region += count;
  }

  /** The next buffer's bytes, decompressed: at least `bytes` of them, `field` is for the message. */
  nextBytes(field: WireField, bytes: number): Uint8Array {
    const region = this.plan.regions[this.#region++];
    if (region === undefined) throw this.fail(`column "${field.name}" has too few buffers`);
    const { offset, length } = region;
    if (offset + length > this.body.length) {
      throw corrupt(this.origin + offset, `a buffer of column "${field.name}" ends after the data`);
    }
    const raw = this.body.subarray(offset, offset + length);
    const value = this.plan.codec === null || length === 0 ? raw : this.#decompress(raw, this.origin + offset, bytes);
    if (value.length < bytes) {
      throw corrupt(this.origin + offset, `a buffer of column "${field.name}" has ${value.length} of ${bytes} bytes`);
    }
    return value;
  }

  #decompress(raw: Uint8Array, place: number, needBytes: number): Uint8Array {
    if (raw.length < 8) throw corrupt(place, "a compressed buffer has no length");
    const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
    const outputBytes = Number(view.getBigInt64(0, true));
    const input = raw.subarray(8);
    if (outputBytes === -1) return input;
    const limit = Math.min(this.arena.limitBytes, 2 ** 32);
    if (outputBytes < needBytes || outputBytes > limit)
      throw corrupt(place, `a buffer cannot be ${outputBytes} bytes long`);
    if (outputBytes === 0) return input.subarray(0, 0);
    const codec = this.plan.codec as IpcCodec;
    try {
      if (codec === "lz4") return decompressLz4(input, outputBytes);
      if (this.context.decompress !== null) return this.context.decompress(codec, input, outputBytes);
    } catch (cause) {
      throw new ArrowError("corrupt", `Arrow data is corrupt at byte ${place}: ${codec} cannot decompress it.`, {
        cause,
      });
    }
    throw new ArrowError("unsupported", `Cannot read Arrow data compressed with ${codec}: no decompressor is given.`);
  }

  /** The next buffer, its first `bytes` bytes in the arena. */
  nextInArena(field: WireField, bytes: number): Address {
    return this.place(this.nextBytes(field, bytes), bytes);
  }

  /** The first `bytes` bytes of `source` in the arena: where they are, when they lie aligned in the body's block. */
  place(source: Uint8Array, bytes: number): Address {
    const { block } = this.context;
    if (block !== 0 && source.buffer === this.arena.buffer && source.byteOffset % BODY_ALIGN_BYTES === 0) {
      if (!this.blocks.includes(block)) {
        this.arena.retain(block);
        this.blocks.push(block);
      }
      return source.byteOffset;
    }
    return this.copy(source, bytes);
  }

  copy(source: Uint8Array, bytes: number): Address {
    const address = this.allocate(bytes);
    this.arena.u8.set(source.length === bytes ? source : source.subarray(0, bytes), address);
    return address;
  }

  /** The next node: rows must be `length`, or at least that for a struct's children. */
  nextNode(field: WireField, length: number | null): { length: number; nullCount: number } {
    const node = this.plan.nodes[this.#node++];
    if (node === undefined) throw this.fail(`column "${field.name}" is missing`);
    if (length !== null && node.length !== length) {
      throw this.fail(`column "${field.name}" has ${node.length} rows instead of ${length}`);
    }
    if (node.nullCount > node.length) throw this.fail(`column "${field.name}" has more nulls than rows`);
    return node;
  }

  /** Steps over a column that is not wanted. */
  skip(field: WireField): void {
    this.#node++;
    if (field.dictionary !== null) {
      this.#region += 2;
      return;
    }
    const { layout } = field;
    if (layout.kind === "null") return;
    if (layout.kind === "unsupported") this.#region += layout.buffers;
    else if (layout.kind === "view") this.#region += 2 + this.nextVariadicCount();
    else if (layout.kind === "heap") this.#region += 3;
    else this.#region += layout.kind === "struct" || layout.kind === "fixedList" ? 1 : 2;
    for (const child of field.children) this.skip(child);
  }

  /** Validity of `length` rows: null when all are valid. */
  #validity(field: WireField, node: { length: number; nullCount: number }): { validity: Address; nullCount: number } {
    const { length } = node;
    const bytes = (length + 7) >>> 3;
    const absent = node.nullCount === -1 && this.plan.regions[this.#region]?.length === 0;
    if (node.nullCount === 0 || absent) {
      this.skipRegions(1);
      return { validity: 0, nullCount: 0 };
    }
    const source = this.nextBytes(field, bytes);
    const isClean = (length & 7) === 0 || (source[bytes - 1] as number) >>> (length & 7) === 0;
    const validity = isClean ? this.place(source, bytes) : this.copy(source, bytes);
    if (!isClean) copyBits(this.arena, validity, { start: 0, bits: length, to: validity });
    const nullCount = length - countBits(this.arena, validity, 0, length);
    if (nullCount !== node.nullCount && node.nullCount !== -1) {
      throw this.fail(`column "${field.name}" has ${nullCount} nulls but says ${node.nullCount}`);
    }
    return { validity, nullCount };
  }

  /** Reads the next column; `length` null takes what its node says. */
  read(field: WireField, length: number | null): Column {
    const node = this.nextNode(field, length);
    if (field.layout.kind === "null" && field.dictionary === null) {
      return { ...EMPTY, type: field.type, length: node.length, nullCount: node.length };
    }
    const base = { ...EMPTY, type: field.type, length: node.length, ...this.#validity(field, node) };
    if (base.nullCount > 0 && !field.nullable) {
      throw this.fail(`column "${field.name}" is declared without nulls and has ${base.nullCount}`);
    }
    return field.dictionary === null ? this.#values(field, base) : this.#encoded(field, base);
  }

  #encoded(field: WireField, base: Column): Column {
    const id = field.dictionary?.id ?? -1;
    const dictionary = this.context.dictionaries.get(id);
    if (dictionary === undefined) throw this.fail(`dictionary ${id} of column "${field.name}" is missing`);
    const data = loadIndices(this, field, base, dictionary.column.length);
    const column = { ...base, data, dictionary: this.#share(dictionary) };
    return dictionary.column.nullCount === 0 ? column : clearNullIndices(this, column);
  }

  #share(dictionary: Dictionary): Column {
    for (const address of bufferAddresses(dictionary.column)) {
      const block = blockAt(this.arena, dictionary.blocks, address);
      if (this.blocks.includes(block)) continue;
      this.arena.retain(block);
      this.blocks.push(block);
    }
    return dictionary.column;
  }

  /** A column by the layout of its values. */
  #values(field: WireField, base: Column): Column {
    const { layout } = field;
    switch (layout.kind) {
      case "bool": {
        const data = this.nextInArena(field, (base.length + 7) >>> 3);
        return { ...base, data };
      }
      case "fixed":
      case "half":
      case "narrowDecimal":
        return { ...base, data: loadFixed(this, field, base.length) };
      case "heap":
        return { ...base, ...loadHeap(this, field, base) };
      case "view":
        return { ...base, ...loadViews(this, field, base) };
      case "list":
      case "fixedList":
        return this.#list(field, base);
      case "struct":
        return { ...base, children: field.children.map((child) => this.read(child, base.length)) };
      case "null":
      case "unsupported":
        throw this.fail(`column "${field.name}" cannot be read`);
      default:
        return unreachable(layout);
    }
  }

  #list(field: WireField, base: Column): Column {
    const [child] = field.children;
    if (child === undefined) throw this.fail(`list "${field.name}" has no items`);
    if (field.layout.kind === "fixedList") {
      const { listLength } = field.layout;
      if (listLength * base.length > 0x7fffffff) throw this.fail(`list "${field.name}" is too long`);
      const offsets = this.allocate(4 * (base.length + 1));
      for (let i = 0; i <= base.length; i++) this.arena.i32[(offsets >>> 2) + i] = i * listLength;
      return { ...base, offsets, children: [this.read(child, listLength * base.length)] };
    }
    const { offsets, from, end } = loadOffsets(this, field, base.length);
    const all = this.read(child, null);
    if (all.length < end) throw this.fail(`list "${field.name}" ends after its ${all.length} items`);
    const { blocks } = this;
    const range = { start: from, end, owner: this.context.owner, shared: blocks, blocks };
    const items = from === 0 && all.length === end ? all : copyRows(this.arena, all, range);
    return { ...base, offsets, children: [items] };
  }
}

const EMPTY = { validity: 0, offsets: 0, data: 0, children: [], dictionary: null, nullCount: 0 } as const;
