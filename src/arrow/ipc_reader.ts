import { invariant } from "../kernel/mod.ts";
import type { Address, Arena, OwnerId } from "./arena.ts";
import type { Batch } from "./column.ts";
import { concatColumns } from "./concat.ts";
import { ArrowError } from "./error.ts";
import { corrupt } from "./flatbuffer.ts";
import { type BodyContext, BodyReader, type Decompress, type Dictionary } from "./ipc_body.ts";
import { type ByteSource, bytesSource, type IpcMessage, isFile, readFooter, readMessage } from "./ipc_message.ts";
import { toSchema, type WireField, type WireSchema } from "./ipc_schema.ts";
import { type Schema, valueType } from "./types.ts";

export interface IpcReadOptions {
  readonly owner: OwnerId;
  /** Read these columns only, in this order; the others may be of types that are not supported. */
  readonly columns?: readonly string[];
  /** For zstd; lz4 is built in. */
  readonly decompress?: Decompress;
}

/** Dictionary columns by id, wherever they are in the schema. */
function dictionaryFields(fields: readonly WireField[], found: Map<number, WireField>): Map<number, WireField> {
  for (const f of fields) {
    if (f.dictionary !== null && !found.has(f.dictionary.id)) found.set(f.dictionary.id, f);
    dictionaryFields(f.children, found);
  }
  return found;
}

/**
 * Reads Arrow IPC data, file or stream, into the arena. A file's batches can be read in any order; a stream's only
 * one after the other. `close` frees the dictionaries that the reader keeps; batches have their own references.
 */
export class IpcReader {
  readonly schema: Schema;
  readonly format: "file" | "stream";
  /** Null for a stream: known at its end only. */
  readonly batchCount: number | null;
  readonly #source: ByteSource;
  readonly #fields: readonly WireField[];
  /** For each field of the source its column in `schema`, −1 to step over it. */
  readonly #targets: readonly number[];
  /** Of the columns that are wanted, and of all. */
  readonly #dictionaryFields: ReadonlyMap<number, WireField>;
  readonly #allDictionaryFields: ReadonlyMap<number, WireField>;
  readonly #dictionaries = new Map<number, Dictionary>();
  readonly #context: BodyContext;
  readonly #batches: readonly number[];
  /** Positions of a file's dictionaries that are not read yet. */
  #pendingDictionaries: readonly number[];
  /** In a stream: position of the next message; null at the end. In a file: number of the next batch. */
  #next: number | null;

  constructor(arena: Arena, source: ByteSource, options: IpcReadOptions) {
    this.#source = source;
    this.format = isFile(source) ? "file" : "stream";
    const opened = this.format === "file" ? openFile(source) : openStream(source);
    this.#fields = opened.schema.fields;
    this.#batches = opened.batches;
    this.#pendingDictionaries = opened.dictionaries;
    this.#next = opened.next;
    this.batchCount = this.format === "file" ? opened.batches.length : null;
    this.#targets = this.#pick(options.columns);
    this.#allDictionaryFields = dictionaryFields(this.#fields, new Map());
    this.#dictionaryFields = dictionaryFields(this.#wanted(), new Map());
    this.schema = toSchema(this.#wanted());
    const { owner, decompress = null } = options;
    this.#context = { arena, owner, dictionaries: this.#dictionaries, decompress, block: 0 };
  }

  /** Batch `index` of a file; the caller owns it. */
  readBatch(index: number): Batch {
    invariant(this.format === "file" && index >= 0 && index < this.#batches.length, "no such batch in this file");
    const message = readMessage(this.#source, this.#batches[index] as number);
    if (message?.kind !== "batch")
      throw corrupt(this.#batches[index] as number, "no record batch where the footer says");
    this.#loadPendingDictionaries();
    return this.#readBody(message);
  }

  /** The next batch in order, null at the end; the caller owns it. A source that has grown by then is read on. */
  next(): Batch | null {
    if (this.#next === null) return null;
    if (this.format === "file") {
      if (this.#next >= this.#batches.length) return null;
      return this.readBatch(this.#next++);
    }
    for (;;) {
      if (this.#next === this.#source.size) return null;
      const message: IpcMessage | null = readMessage(this.#source, this.#next);
      this.#next = message?.next ?? null;
      if (message === null) return null;
      if (message.kind === "batch") return this.#readBody(message);
      if (message.kind === "dictionary") this.#readDictionary(message);
      else throw corrupt(message.body.offset, "a second schema in one stream");
      if (this.#next === null) return null;
    }
  }

  /** All batches from the current one on; each is the caller's. */
  *[Symbol.iterator](): Generator<Batch> {
    for (let batch = this.next(); batch !== null; batch = this.next()) yield batch;
  }

  /** Idempotent. */
  close(): void {
    for (const { blocks } of this.#dictionaries.values()) this.#release(blocks);
    this.#dictionaries.clear();
    this.#next = null;
  }

  #pick(columns: readonly string[] | undefined): number[] {
    if (columns === undefined) return this.#fields.map((_, i) => i);
    const targets = this.#fields.map(() => -1);
    columns.forEach((name, target) => {
      const index = this.#fields.findIndex((f) => f.name === name);
      const known = this.#fields.map((f) => f.name).join(", ");
      if (index < 0) throw new ArrowError("type", `Cannot read column "${name}": the data has ${known}.`);
      targets[index] = target;
    });
    return targets;
  }

  /** Wanted fields in the order of the result. */
  #wanted(): WireField[] {
    const wanted: WireField[] = [];
    this.#targets.forEach((target, i) => {
      if (target >= 0) wanted[target] = this.#fields[i] as WireField;
    });
    return wanted;
  }

  #bodyReader(message: Extract<IpcMessage, { kind: "batch" | "dictionary" }>): BodyReader {
    const { offset, length } = message.body;
    const context = { ...this.#context, block: this.#source.block ?? 0 };
    return new BodyReader(context, message.plan, this.#source.read(offset, length), offset);
  }

  #readBody(message: Extract<IpcMessage, { kind: "batch" }>): Batch {
    const reader = this.#bodyReader(message);
    const columns: Batch["columns"][number][] = [];
    try {
      this.#fields.forEach((f, i) => {
        const target = this.#targets[i] as number;
        if (target < 0) reader.skip(f);
        else columns[target] = reader.read(f, message.plan.length);
      });
      return { schema: this.schema, rowCount: message.plan.length, columns, blocks: reader.blocks };
    } catch (error) {
      this.#release(reader.blocks);
      throw error;
    }
  }

  #readDictionary(message: Extract<IpcMessage, { kind: "dictionary" }>): void {
    const { id } = message;
    const f = this.#dictionaryFields.get(id);
    if (!this.#allDictionaryFields.has(id)) throw corrupt(message.body.offset, `dictionary ${id} belongs to no column`);
    if (f === undefined) return;
    const reader = this.#bodyReader(message);
    const before = this.#dictionaries.get(id);
    let taken: Dictionary;
    try {
      const field: WireField = { ...f, type: valueType(f.type), dictionary: null, nullable: true };
      const column = reader.read(field, message.plan.length);
      taken = { column, blocks: reader.blocks };
      if (message.isDelta && before !== undefined) {
        taken = this.#append(before, taken);
        this.#release(reader.blocks);
      }
    } catch (error) {
      this.#release(reader.blocks);
      throw error;
    }
    if (before !== undefined) this.#release(before.blocks);
    this.#dictionaries.set(id, taken);
  }

  #append(before: Dictionary, added: Dictionary): Dictionary {
    const { arena, owner } = this.#context;
    const shared = [...before.blocks, ...added.blocks];
    return concatColumns(arena, [before.column, added.column], { owner, shared });
  }

  #loadPendingDictionaries(): void {
    const pending = this.#pendingDictionaries;
    this.#pendingDictionaries = [];
    for (const offset of pending) {
      const message = readMessage(this.#source, offset);
      if (message?.kind !== "dictionary") throw corrupt(offset, "no dictionary where the footer says");
      this.#readDictionary(message);
    }
  }

  #release(blocks: readonly Address[]): void {
    for (const block of blocks) this.#context.arena.release(block);
  }
}

interface Opened {
  readonly schema: WireSchema;
  readonly dictionaries: readonly number[];
  readonly batches: readonly number[];
  readonly next: number | null;
}

function openFile(source: ByteSource): Opened {
  return { ...readFooter(source), next: 0 };
}

function openStream(source: ByteSource): Opened {
  const message = readMessage(source, 0);
  if (message?.kind !== "schema") throw corrupt(0, "an Arrow stream does not start with a schema");
  return { schema: message.schema, dictionaries: [], batches: [], next: message.next };
}

/** Opens Arrow IPC data; whether it is a file or a stream is seen from its first bytes. Throws "corrupt". */
export function readIpc(arena: Arena, input: Uint8Array | ByteSource, options: IpcReadOptions): IpcReader {
  return new IpcReader(arena, input instanceof Uint8Array ? bytesSource(input) : input, options);
}
