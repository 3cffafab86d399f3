import type { Address, Arena, OwnerId } from "../../arrow/mod.ts";
import { type AggregateLayout, StateWord, TableWord, tableOffset } from "../../codegen/mod.ts";
import { invariant } from "../../kernel/mod.ts";
import { quantileOf } from "./quantile.ts";

const SLOTS_MIN = 1_024;
/** Up to here tables grow fourfold, then twofold. */
const FAST_GROWTH_SLOTS = 1 << 16;
/** Entries a slot, before a table grows. */
const LOAD_MAX = 0.6;
const CHUNK_BYTES_MIN = 1 << 13;
const CHUNK_BYTES_MAX = 1 << 20;

/**
 * Tables of at least so many bytes no longer fit in a core's cache. When rows find few of their groups there, it is
 * faster to leave the table as it is (a generation) and begin one that does fit: what is double is merged at the end,
 * part by part, in order of memory. A generation may be of `GENERATION_BYTES`, all of a worker of so many bytes.
 */
const OUTGROWN_BYTES = 1 << 23;
const GENERATION_BYTES = 1 << 20;
const GENERATIONS_BYTES_MAX = 160 << 20;
/** Rows a group below which a table does not pay. */
const REDUCTION_MIN = 1.5;

/** What a merge reads of a worker: a block with the words of the groups' table, and their entries. */
export interface WorkerGroups {
  readonly block: Address;
  readonly groupCount: number;
  readonly chunks: readonly EntryChunk[];
}

/** Entries that follow each other; where entries are slots, empty ones between them. */
export interface EntryChunk {
  readonly address: Address;
  readonly entryCount: number;
}

interface Table {
  readonly entryBytes: number;
  /** Entries are the slots. */
  readonly inline: boolean;
  readonly chunks: Address[];
  /** Size of the newest chunk. */
  chunkBytes: number;
  slots: Address;
}

/**
 * A state block and all memory behind it: slots, entries and the heap for strings and value lists. Code finds its way
 * by addresses in the block; this is the owner. Everything is counted to the operator.
 */
export class GroupMemory {
  readonly block: Address;
  readonly #arena: Arena;
  readonly #owner: OwnerId;
  readonly #tables: Table[];
  readonly #heap: Address[] = [];
  readonly #generations: (WorkerGroups & { readonly slots: Address })[] = [];
  readonly #startsGenerations: boolean;
  #generationsBytes = 0;
  /** Rows up to the last generation. */
  #rowsBefore = 0;
  #heapBytes = 0;
  #disposed = false;

  /** `expectedGroups`: slots are made for so many, so that the table need not grow. */
  constructor(
    arena: Arena,
    layout: AggregateLayout,
    options: { readonly owner: OwnerId; readonly expectedGroups?: number; readonly startsGenerations?: boolean },
  ) {
    this.#startsGenerations = options.startsGenerations ?? false;
    this.#arena = arena;
    this.#owner = options.owner;
    this.#tables = layout.tables.map(({ entryBytes, tagOffset }) => {
      return { entryBytes, inline: tagOffset !== null, chunks: [], chunkBytes: 0, slots: 0 };
    });
    this.block = arena.allocateZeroed(tableOffset(layout.tables.length), options.owner);
    try {
      layout.tables.forEach((table, index) => {
        if (table.keys.length === 0) return;
        const expected = index === 0 ? (options.expectedGroups ?? 0) : 0;
        let slotCount = SLOTS_MIN;
        while (slotCount * LOAD_MAX < expected) slotCount *= 2;
        this.#prepareSlots(index, slotCount);
        this.#useSlots(index);
      });
    } catch (error) {
      this.dispose();
      throw error;
    }
  }

  /** Host functions of generated code that works on this memory; `onMoved` is called when groups have moved. */
  imports(onMoved: () => void = () => {}): WebAssembly.ModuleImports {
    return {
      aggregateGrow: (table: number) => this.#grow(table),
      aggregateGrown: (table: number) => {
        this.#useSlots(table);
        if (this.#table(table).inline) onMoved();
      },
      aggregateChunk: (table: number) => this.#addChunk(table),
      aggregateHeap: (bytes: number) => this.#addHeap(bytes >>> 0),
      aggregateQuantile: (head: number, count: number, quantile: number) =>
        quantileOf(this.#arena, { head: head >>> 0, count: count >>> 0, quantile }),
    };
  }

  /** All groups; a group of several generations is in several. */
  groups(): WorkerGroups[] {
    const current = { block: this.block, groupCount: this.#word(0, "count"), chunks: this.chunks() };
    const generations = this.#generations.map(({ block, groupCount, chunks }) => ({ block, groupCount, chunks }));
    return current.groupCount === 0 ? generations : [...generations, current];
  }

  /** Entries of the groups; with generations, of the last. */
  chunks(): EntryChunk[] {
    const table = this.#table(0);
    if (table.inline) return [{ address: table.slots, entryCount: this.#word(0, "mask") + 1 }];
    const end = this.#word(0, "chunkNext");
    return table.chunks.map((address, i) => {
      const last = i === table.chunks.length - 1;
      const bytes = last ? end - address : this.#usableBytes(address, table.entryBytes);
      return { address, entryCount: bytes / table.entryBytes };
    });
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    const slots = this.#tables.flatMap(({ slots, chunks }) => (slots === 0 ? chunks : [slots, ...chunks]));
    const generations = this.#generations.flatMap(({ block, slots }) => [block, slots]);
    for (const address of [this.block, ...slots, ...generations, ...this.#heap]) this.#arena.release(address);
    this.#releaseNewSlots();
  }

  /** Slots that were made while growing and not yet taken over. */
  #newSlots: Address = 0;

  #releaseNewSlots(): void {
    if (this.#newSlots !== 0) this.#arena.release(this.#newSlots);
    this.#newSlots = 0;
  }

  #grow(table: number): void {
    if (table === 0 && this.#isOutgrown()) {
      this.#startGeneration();
      return;
    }
    const slotCount = this.#word(table, "mask") + 1;
    this.#prepareSlots(table, slotCount < FAST_GROWTH_SLOTS ? slotCount * 4 : slotCount * 2);
  }

  #isOutgrown(): boolean {
    const { inline, entryBytes } = this.#table(0);
    if (!this.#startsGenerations || !inline) return false;
    const bytes = (this.#word(0, "mask") + 1) * entryBytes;
    if (bytes < (this.#generations.length === 0 ? OUTGROWN_BYTES : GENERATION_BYTES / 2)) return false;
    const rows = (this.#rows() - this.#rowsBefore) >>> 0;
    if (rows >= REDUCTION_MIN * this.#word(0, "count") && this.#generations.length === 0) return false;
    const roomLeft = this.#arena.limitBytes / 2 - this.#arena.bytesInUse();
    return this.#generationsBytes + bytes <= Math.min(GENERATIONS_BYTES_MAX, Math.max(0, roomLeft));
  }

  /** Sets the table aside as it is and gives code an empty one. */
  #startGeneration(): void {
    const table = this.#table(0);
    const slotCount = this.#word(0, "mask") + 1;
    let newCount = SLOTS_MIN;
    while (newCount * 2 * table.entryBytes <= GENERATION_BYTES) newCount *= 2;
    this.#prepareSlots(0, newCount);
    const block = this.#arena.allocate(tableOffset(1), this.#owner);
    this.#arena.u8.copyWithin(block, this.block, this.block + tableOffset(1));
    const chunks = this.chunks();
    this.#generations.push({ block, groupCount: this.#word(0, "count"), chunks, slots: table.slots });
    this.#generationsBytes += slotCount * table.entryBytes;
    this.#rowsBefore = this.#rows();
    table.slots = 0;
    this.#setWord(0, "count", 0);
    // Code moves the entries of `slots`: the one slot that it sees is empty.
    this.#setWord(0, "slots", this.#newSlots);
    this.#setWord(0, "mask", 0);
  }

  #rows(): number {
    return this.#arena.u32[(this.block + StateWord.rows) >>> 2] as number;
  }

  #prepareSlots(table: number, slotCount: number): void {
    const { inline, entryBytes } = this.#table(table);
    this.#newSlots = this.#arena.allocateZeroed(slotCount * (inline ? entryBytes : 8), this.#owner);
    this.#setWord(table, "newSlots", this.#newSlots);
    this.#setWord(table, "newShift", Math.clz32(slotCount - 1));
    this.#setWord(table, "newMask", slotCount - 1);
  }

  #useSlots(index: number): void {
    const table = this.#table(index);
    if (table.slots !== 0) this.#arena.release(table.slots);
    table.slots = this.#newSlots;
    this.#newSlots = 0;
    const mask = this.#word(index, "newMask");
    this.#setWord(index, "slots", table.slots);
    this.#setWord(index, "shift", this.#word(index, "newShift"));
    this.#setWord(index, "mask", mask);
    this.#setWord(index, "limit", Math.floor((mask + 1) * LOAD_MAX));
  }

  #addChunk(index: number): void {
    const table = this.#table(index);
    table.chunkBytes = Math.min(CHUNK_BYTES_MAX, Math.max(CHUNK_BYTES_MIN, table.chunkBytes * 2));
    const address = this.#arena.allocateZeroed(Math.max(table.chunkBytes, table.entryBytes), this.#owner);
    table.chunks.push(address);
    this.#setWord(index, "chunkNext", address);
    this.#setWord(index, "chunkEnd", address + this.#usableBytes(address, table.entryBytes));
  }

  /** What whole entries fill of a chunk; its last 64 bytes stay free for reads past the end. */
  #usableBytes(address: Address, entryBytes: number): number {
    const bytes = this.#arena.blockBytes(address) - 64;
    return bytes - (bytes % entryBytes);
  }

  #addHeap(bytes: number): void {
    this.#heapBytes = Math.min(CHUNK_BYTES_MAX, Math.max(CHUNK_BYTES_MIN, this.#heapBytes * 2));
    const size = Math.max(this.#heapBytes, bytes);
    const address = this.#arena.allocate(size, this.#owner);
    this.#heap.push(address);
    const words = this.block >>> 2;
    this.#arena.u32[words + StateWord.heapNext / 4] = address;
    this.#arena.u32[words + StateWord.heapEnd / 4] = address + size;
  }

  #table(index: number): Table {
    const table = this.#tables[index];
    invariant(table !== undefined, `no table ${index}`);
    return table;
  }

  #word(table: number, name: keyof typeof TableWord): number {
    return this.#arena.u32[(this.block + tableOffset(table) + TableWord[name]) >>> 2] as number;
  }

  #setWord(table: number, name: keyof typeof TableWord, value: number): void {
    this.#arena.u32[(this.block + tableOffset(table) + TableWord[name]) >>> 2] = value;
  }
}
