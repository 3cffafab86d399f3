import type { Address, Arena, OwnerId } from "../../arrow/mod.ts";
import { type AggregateLayout, StateWord, TableWord, tableOffset } from "../../codegen/mod.ts";
import { invariant } from "../../kernel/mod.ts";
import { Partitions } from "./partitions.ts";
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
 * faster to set the table aside and only write the rows that follow to partitions, which are grouped at the end, each
 * in a table that does fit. So many bytes of a worker may be in partitions; then rows go to a table again.
 */
const OUTGROWN_BYTES = 3 << 20;
const PARTITIONS_BYTES_MAX = 160 << 20;
/** Rows a group below which a table does not pay. */
const REDUCTION_MIN = 1.5;

/** What a merge reads of a worker. */
export type WorkerGroups = TableGroups | PartitionGroups;

/** A block with the words of the groups' table, and their entries. */
export interface TableGroups {
  readonly kind: "table";
  readonly block: Address;
  readonly groupCount: number;
  readonly chunks: readonly EntryChunk[];
}

/** Rows that are not grouped yet. */
export interface PartitionGroups {
  readonly kind: "partitions";
  readonly cursors: Address;
  /** An upper bound: rows. */
  readonly groupCount: number;
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
  readonly #mayPartition: boolean;
  /** The table up to when partitions began. */
  #setAside: (TableGroups & { readonly slots: Address }) | null = null;
  readonly #rowBytes: number;
  #partitions: Partitions | null = null;
  /** Heap chunks made since. */
  #partitionsHeapBytes = 0;
  #heapBytes = 0;
  #disposed = false;

  /** `expectedGroups`: slots are made for so many, so that the table need not grow. */
  constructor(
    arena: Arena,
    layout: AggregateLayout,
    options: { readonly owner: OwnerId; readonly expectedGroups?: number; readonly mayPartition?: boolean },
  ) {
    this.#mayPartition = options.mayPartition === true && layout.rows !== null;
    this.#rowBytes = layout.rows?.bytes ?? 0;
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
      aggregatePartition: (cursor: number) => this.#addPartitionChunk(cursor >>> 0),
      aggregateHeap: (bytes: number) => this.#addHeap(bytes >>> 0),
      aggregateQuantile: (head: number, count: number, quantile: number) =>
        quantileOf(this.#arena, { head: head >>> 0, count: count >>> 0, quantile }),
    };
  }

  /** All groups; a group may be in several of these. */
  groups(): WorkerGroups[] {
    const groups: WorkerGroups[] = [];
    const { groupCount } = this;
    if (groupCount > 0) groups.push({ kind: "table", block: this.block, groupCount, chunks: this.chunks() });
    if (this.#setAside !== null) groups.push(this.#setAside);
    const rows = this.#partitions?.rowCount ?? 0;
    if (this.#partitions !== null && rows > 0) {
      groups.push({ kind: "partitions", cursors: this.#partitions.cursors, groupCount: rows });
    }
    return groups;
  }

  /** Groups in the table. */
  get groupCount(): number {
    return this.#word(0, "count");
  }

  /** Entries of the groups in the table. */
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
    const setAside = this.#setAside === null ? [] : [this.#setAside.block, this.#setAside.slots];
    for (const address of [this.block, ...slots, ...setAside, ...this.#heap]) this.#arena.release(address);
    this.#partitions?.dispose();
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
      this.#startPartitions();
      return;
    }
    const slotCount = this.#word(table, "mask") + 1;
    this.#prepareSlots(table, slotCount < FAST_GROWTH_SLOTS ? slotCount * 4 : slotCount * 2);
  }

  #isOutgrown(): boolean {
    const { entryBytes } = this.#table(0);
    if (!this.#mayPartition || this.#setAside !== null) return false;
    if ((this.#word(0, "mask") + 1) * entryBytes < OUTGROWN_BYTES) return false;
    return this.#rows() < REDUCTION_MIN * this.#word(0, "count") && this.#partitionsRoom() > 0;
  }

  #partitionsRoom(): number {
    const taken = (this.#partitions?.bytes ?? 0) + this.#partitionsHeapBytes;
    return Math.min(PARTITIONS_BYTES_MAX - taken, this.#arena.limitBytes / 2 - this.#arena.bytesInUse());
  }

  /** Sets the table aside as it is, gives code an empty one, and has it write the rows that follow to partitions. */
  #startPartitions(): void {
    const table = this.#table(0);
    this.#partitions = new Partitions(this.#arena, { owner: this.#owner, rowBytes: this.#rowBytes });
    this.#prepareSlots(0, SLOTS_MIN);
    const block = this.#arena.allocate(tableOffset(1), this.#owner);
    this.#arena.u8.copyWithin(block, this.block, this.block + tableOffset(1));
    const { groupCount } = this;
    this.#setAside = { kind: "table", block, groupCount, chunks: this.chunks(), slots: table.slots };
    table.slots = 0;
    this.#setWord(0, "count", 0);
    // Code moves the entries of `slots`: the one slot that it sees is empty.
    this.#setWord(0, "slots", this.#newSlots);
    this.#setWord(0, "mask", 0);
    this.#setCursors(this.#partitions.cursors);
  }

  #addPartitionChunk(cursor: Address): void {
    this.#partitions?.addChunk(cursor);
    if (this.#partitionsRoom() <= 0) this.#setCursors(0);
  }

  #setCursors(cursors: Address): void {
    this.#arena.u32[(this.block + StateWord.partitions) >>> 2] = cursors;
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
    if (this.#partitions !== null) this.#partitionsHeapBytes += size;
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
