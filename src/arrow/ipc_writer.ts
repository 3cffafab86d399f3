import { invariant } from "../kernel/mod.ts";
import type { Address, Arena } from "./arena.ts";
import { type Cell, keyOf } from "./cell.ts";
import type { Batch, Column } from "./column.ts";
import { gatherColumn, takeDictionary } from "./copy.ts";
import { ArrowError } from "./error.ts";
import { FlatBuilder, type FlatRef } from "./flatbuffer.ts";
import type { IpcCodec } from "./ipc_body.ts";
import { BODY_ALIGN_BYTES, BodyEncoder, checkIndexType, type DictionaryType } from "./ipc_encode.ts";
import { type LentBody, lendBody } from "./ipc_lend.ts";
import { FILE_MAGIC } from "./ipc_message.ts";
import { encodeSchema } from "./ipc_schema.ts";
import { columnReader } from "./reader.ts";
import { typeName } from "./typename.ts";
import { type Schema, typeEquals, valueType } from "./types.ts";

export interface IpcWriteOptions {
  /** Compresses each buffer. Default: none. */
  readonly compression?: { readonly codec: IpcCodec; readonly compress: (input: Uint8Array) => Uint8Array };
}

const VERSION_5 = 4;
const HEADER = { schema: 1, dictionaryBatch: 2, recordBatch: 3 } as const;
const OWNER = 0;

/** A dictionary as the reader of what we write has it by now. */
interface Written {
  /** The values that came last, kept alive by our own references to their blocks. */
  readonly values: Column;
  readonly blocks: readonly Address[];
  /** In files: index of each value by its text, from the second dictionary on. */
  positions: Map<unknown, number> | null;
  count: number;
}

interface Block {
  readonly offset: number;
  readonly metadataBytes: number;
  readonly bodyBytes: number;
}

function keyOfCell(cell: Cell): unknown {
  return cell === null ? null : keyOf(cell);
}

function align(bytes: number): number {
  return (bytes + BODY_ALIGN_BYTES - 1) & -BODY_ALIGN_BYTES;
}

function copyBody(buffers: readonly Uint8Array[]): LentBody {
  const regions: number[] = [];
  let bytes = 0;
  for (const { length } of buffers) {
    regions.push(bytes, length);
    bytes += align(length);
  }
  if (bytes === 0) return { regions, chunks: [], bytes };
  const body = new Uint8Array(bytes);
  buffers.forEach((buffer, i) => body.set(buffer, regions[2 * i] as number));
  return { regions, chunks: [body], bytes };
}

/**
 * Writes batches as Arrow IPC, file or stream. Each call returns the bytes that follow; they are copies and stay valid
 * when the batch is released.
 *
 * Types are written as declared in the schema: 64-bit offsets for large types, the declared index type for
 * dictionaries. A dictionary is written once while it stays the same; when it changes a stream replaces it, a file
 * (which may not) gets the values that are new as a delta.
 */
export class IpcWriter {
  readonly schema: Schema;
  readonly format: "file" | "stream";
  readonly #arena: Arena;
  readonly #options: IpcWriteOptions;
  readonly #dictionaries: Written[] = [];
  readonly #dictionaryBlocks: Block[] = [];
  readonly #batchBlocks: Block[] = [];
  #chunks: Uint8Array[] = [];
  /** Blocks in which the dictionaries of the batch being written lie. */
  #blocks: readonly Address[] = [];
  #position = 0;
  #started = false;
  /** Whether chunks may be views of the arena. */
  #lends = false;
  /** Index in `#chunks` of the first of each message. */
  #messageStarts: number[] = [];
  #finished = false;

  constructor(arena: Arena, schema: Schema, format: "file" | "stream", options: IpcWriteOptions = {}) {
    this.#arena = arena;
    this.schema = schema;
    this.format = format;
    this.#options = options;
  }

  /** The batch's columns have the schema's types (dictionaries and their value types count as the same). */
  write(batch: Batch): Uint8Array[] {
    invariant(!this.#finished, "write after finish");
    this.#start();
    this.#check(batch);
    let nextId = 0;
    const encoder: BodyEncoder = new BodyEncoder(this.#arena, {
      dictionary: (column, type) => {
        this.#blocks = [...batch.blocks, ...encoder.temporary];
        return this.#dictionary(nextId++, column, type);
      },
    });
    try {
      // Ids count parents before children, so a dictionary's id is its place in this walk.
      batch.columns.forEach((column, i) =>
        encoder.add(column, (this.schema.fields[i] as Schema["fields"][number]).type),
      );
      const block = this.#message(encoder, batch.rowCount, null);
      if (this.format === "file") this.#batchBlocks.push(block);
    } finally {
      encoder.release();
    }
    return this.#take();
  }

  /**
   * As `write`, cut into messages (schema and dictionaries first, the batch last) and without copies where it can be:
   * the chunks are valid as long as the batch is held and not changed.
   */
  writeMessages(batch: Batch): Uint8Array[][] {
    this.#lends = true;
    try {
      const starts = this.#messageStarts;
      const chunks = this.write(batch);
      return starts.map((start, i) => chunks.slice(start, starts[i + 1]));
    } finally {
      this.#lends = false;
    }
  }

  /** The message with the schema alone, when nothing was written yet. */
  writeSchema(): Uint8Array[] {
    this.#start();
    return this.#take();
  }

  /** The end mark and, in a file, the footer. */
  finish(): Uint8Array[] {
    invariant(!this.#finished, "finish twice");
    this.#start();
    this.#finished = true;
    const end = new Uint8Array(8);
    end.fill(0xff, 0, 4);
    this.#push(end);
    if (this.format === "file") this.#footer();
    this.close();
    return this.#take();
  }

  /** Frees what the writer holds; `finish` does it too. Idempotent. */
  close(): void {
    for (const { blocks } of this.#dictionaries.splice(0)) for (const block of blocks) this.#arena.release(block);
    this.#finished = true;
  }

  #check(batch: Batch): void {
    const { fields } = this.schema;
    invariant(batch.columns.length === fields.length, "a batch has as many columns as the schema");
    batch.columns.forEach((column, i) => {
      const f = fields[i] as (typeof fields)[number];
      if (typeEquals(valueType(column.type), valueType(f.type))) return;
      throw new ArrowError(
        "type",
        `Cannot write column "${f.name}": it is ${typeName(column.type)}, the schema says ${typeName(f.type)}.`,
      );
    });
  }

  #start(): void {
    if (this.#started) return;
    this.#started = true;
    if (this.format === "file") this.#push(new TextEncoder().encode(`${FILE_MAGIC}\0\0`));
    const flat = new FlatBuilder();
    const header = encodeSchema(flat, this.schema);
    this.#envelope(flat, { kind: HEADER.schema, header, bodyBytes: 0 });
  }

  #take(): Uint8Array[] {
    const chunks = this.#chunks;
    this.#chunks = [];
    this.#messageStarts = [];
    return chunks;
  }

  #push(bytes: Uint8Array): void {
    this.#chunks.push(bytes);
    this.#position += bytes.length;
  }

  /** Writes a message's metadata, padded so that the body starts aligned; returns its length with the prefix. */
  #envelope(flat: FlatBuilder, of: { kind: number; header: FlatRef; bodyBytes: number }): number {
    flat.startTable();
    flat.i64(3, of.bodyBytes);
    flat.ref(2, of.header);
    flat.i16(0, VERSION_5);
    flat.i8(1, of.kind);
    const metadata = flat.finish(flat.endTable());
    const bytes = align(this.#position + 8 + metadata.length) - this.#position;
    const chunk = new Uint8Array(bytes);
    const view = new DataView(chunk.buffer);
    view.setInt32(0, -1, true);
    view.setInt32(4, bytes - 8, true);
    chunk.set(metadata, 8);
    this.#messageStarts.push(this.#chunks.length);
    this.#push(chunk);
    return bytes;
  }

  #recordBatch(flat: FlatBuilder, encoder: BodyEncoder, rows: number, regions: readonly number[]): FlatRef {
    const { compression } = this.#options;
    let codec: FlatRef | null = null;
    if (compression !== undefined) {
      flat.startTable();
      flat.i8(0, compression.codec === "lz4" ? 0 : 1);
      codec = flat.endTable();
    }
    const buffers = flat.int64Structs(regions, 2);
    const nodes = flat.int64Structs(encoder.nodes, 2);
    flat.startTable();
    flat.i64(0, rows);
    flat.ref(1, nodes);
    flat.ref(2, buffers);
    flat.ref(3, codec);
    return flat.endTable();
  }

  /** Writes a record batch, or a dictionary batch of it. */
  #message(encoder: BodyEncoder, rows: number, dictionary: { id: number; isDelta: boolean } | null): Block {
    const buffers = encoder.buffers.map((buffer) => this.#compressed(buffer));
    // What was made on the way is freed when this call ends: it cannot be lent.
    const body = this.#lends && encoder.temporary.length === 0 ? lendBody(this.#arena, buffers) : copyBody(buffers);
    const flat = new FlatBuilder();
    let header = this.#recordBatch(flat, encoder, rows, body.regions);
    if (dictionary !== null) {
      flat.startTable();
      flat.i64(0, dictionary.id);
      flat.ref(1, header);
      flat.i8(2, dictionary.isDelta ? 1 : 0);
      header = flat.endTable();
    }
    const kind = dictionary === null ? HEADER.recordBatch : HEADER.dictionaryBatch;
    const offset = this.#position;
    const metadataBytes = this.#envelope(flat, { kind, header, bodyBytes: body.bytes });
    for (const chunk of body.chunks) this.#push(chunk);
    return { offset, metadataBytes, bodyBytes: body.bytes };
  }

  #compressed(buffer: Uint8Array): Uint8Array {
    const { compression } = this.#options;
    if (compression === undefined || buffer.length === 0) return buffer;
    const packed = compression.compress(new Uint8Array(buffer)); // codecs do not take shared memory
    const kept = packed.length < buffer.length ? packed : buffer;
    const result = new Uint8Array(8 + kept.length);
    new DataView(result.buffer).setBigInt64(0, kept === packed ? BigInt(buffer.length) : -1n, true);
    result.set(kept, 8);
    return result;
  }

  /** Writes what the reader lacks of the column's dictionary; returns the column's indices into what it then has. */
  #dictionary(id: number, column: Column, type: DictionaryType): Int32Array {
    const values = column.dictionary as Column;
    const indices = new Int32Array(this.#arena.buffer, column.data, column.length);
    const written = this.#dictionaries[id];
    if (written === undefined || this.format === "stream") {
      if (written === undefined || !this.#sameValues(written.values, values)) this.#writeDictionary(id, values, type);
      return indices;
    }
    if (this.#sameValues(written.values, values)) return indices;
    return this.#extendDictionary(id, { values, type, indices, written });
  }

  #writeDictionary(id: number, values: Column, type: DictionaryType): void {
    checkIndexType(type.index, values.length);
    this.#emit(id, values, type, { isDelta: false });
    const blocks: Address[] = [];
    takeDictionary(this.#arena, values, { owner: OWNER, shared: this.#blocks, blocks });
    for (const block of this.#dictionaries[id]?.blocks ?? []) this.#arena.release(block);
    this.#dictionaries[id] = { values, blocks, positions: null, count: values.length };
  }

  #emit(id: number, values: Column, type: DictionaryType, options: { readonly isDelta: boolean }): void {
    const encoder = new BodyEncoder(this.#arena, {
      dictionary: () => {
        throw new ArrowError("unsupported", "Cannot write a dictionary whose values hold dictionaries.");
      },
    });
    try {
      encoder.add(values, type.value);
      const block = this.#message(encoder, values.length, { id, ...options });
      if (this.format === "file") this.#dictionaryBlocks.push(block);
    } finally {
      encoder.release();
    }
  }

  /** Whether two dictionaries hold the same values in the same order. */
  #sameValues(a: Column, b: Column): boolean {
    if (a === b || (a.data !== 0 && a.data === b.data && a.length === b.length)) return true;
    if (a.length !== b.length) return false;
    const [readA, readB] = [columnReader(this.#arena, a), columnReader(this.#arena, b)];
    for (let i = 0; i < a.length; i++) if (keyOfCell(readA(i)) !== keyOfCell(readB(i))) return false;
    return true;
  }

  #extendDictionary(
    id: number,
    from: {
      readonly values: Column;
      readonly type: DictionaryType;
      readonly indices: Int32Array;
      readonly written: Written;
    },
  ): Int32Array {
    const { values, type, indices, written } = from;
    const positions = written.positions ?? this.#positionsOf(written.values);
    written.positions = positions;
    const read = columnReader(this.#arena, values);
    const added: number[] = [];
    const remap = Int32Array.from({ length: values.length }, (_, i) => {
      const key = keyOfCell(read(i));
      let position = positions.get(key);
      if (position === undefined) {
        position = written.count + added.length;
        positions.set(key, position);
        added.push(i);
      }
      return position;
    });
    if (added.length > 0) this.#writeDelta(id, from, added);
    checkIndexType(type.index, written.count);
    return indices.map((index) => remap[index] as number);
  }

  #positionsOf(column: Column): Map<unknown, number> {
    const read = columnReader(this.#arena, column);
    const positions = new Map<unknown, number>();
    for (let i = 0; i < column.length; i++) positions.set(keyOfCell(read(i)), i);
    return positions;
  }

  #writeDelta(
    id: number,
    from: { readonly values: Column; readonly type: DictionaryType; readonly written: Written },
    added: readonly number[],
  ): void {
    const { column, blocks } = gatherColumn(this.#arena, from.values, { rows: Uint32Array.from(added), owner: OWNER });
    try {
      checkIndexType(from.type.index, from.written.count + added.length);
      this.#emit(id, column, from.type, { isDelta: true });
      from.written.count += added.length;
    } finally {
      for (const block of blocks) this.#arena.release(block);
    }
  }

  #footer(): void {
    const flat = new FlatBuilder();
    const encode = (blocks: readonly Block[]) =>
      flat.int64Structs(
        blocks.flatMap(({ offset, metadataBytes, bodyBytes }) => [offset, metadataBytes, bodyBytes]),
        3,
      );
    const batches = encode(this.#batchBlocks);
    const dictionaries = encode(this.#dictionaryBlocks);
    const schema = encodeSchema(flat, this.schema);
    flat.startTable();
    flat.ref(1, schema);
    flat.ref(2, dictionaries);
    flat.ref(3, batches);
    flat.i16(0, VERSION_5);
    const footer = flat.finish(flat.endTable());
    const tail = new Uint8Array(10);
    new DataView(tail.buffer).setInt32(0, footer.length, true);
    tail.set(new TextEncoder().encode(FILE_MAGIC), 4);
    this.#push(footer);
    this.#push(tail);
  }
}
