import type { Address, Arena, OwnerId } from "../../arrow/mod.ts";
import { BuildWord, StateWord, TableWord, tableOffset } from "../../codegen/mod.ts";

const CHUNK_BYTES_MIN = 1 << 13;
const CHUNK_BYTES_MAX = 1 << 20;
/** Bytes at the end of a chunk that stay free, for reads past the end. */
const SLACK_BYTES = 64;

/** Entries one after the other. */
export interface EntryChunk {
  readonly address: Address;
  readonly entryCount: number;
}

/** A state block and what generated code fills through it: chunks of entries, and a heap for their strings. */
export class EntryMemory {
  readonly block: Address;
  readonly #arena: Arena;
  readonly #owner: OwnerId;
  readonly #entryBytes: number;
  readonly #chunks: Address[] = [];
  readonly #heap: Address[] = [];
  #chunkBytes = 0;
  #heapBytes = 0;

  constructor(arena: Arena, options: { readonly owner: OwnerId; readonly entryBytes: number }) {
    this.#arena = arena;
    this.#owner = options.owner;
    this.#entryBytes = options.entryBytes;
    this.block = arena.allocateZeroed(BuildWord.bytes, options.owner);
  }

  imports(): WebAssembly.ModuleImports {
    return { aggregateChunk: () => this.#addChunk(), aggregateHeap: (bytes: number) => this.#addHeap(bytes >>> 0) };
  }

  chunks(): EntryChunk[] {
    const end = this.#arena.u32[this.#tableWord("chunkNext")] as number;
    return this.#chunks.map((address, i) => {
      const last = i === this.#chunks.length - 1;
      return { address, entryCount: last ? (end - address) / this.#entryBytes : this.#capacity(address) };
    });
  }

  /** All blocks of entries and strings. */
  blocks(): Address[] {
    return [...this.#chunks, ...this.#heap];
  }

  dispose(): void {
    for (const address of [this.block, ...this.#chunks.splice(0), ...this.#heap.splice(0)]) {
      this.#arena.release(address);
    }
  }

  #addChunk(): void {
    this.#chunkBytes = Math.min(CHUNK_BYTES_MAX, Math.max(CHUNK_BYTES_MIN, this.#chunkBytes * 2));
    const address = this.#arena.allocateZeroed(Math.max(this.#chunkBytes, this.#entryBytes), this.#owner);
    this.#chunks.push(address);
    this.#arena.u32[this.#tableWord("chunkNext")] = address;
    this.#arena.u32[this.#tableWord("chunkEnd")] = address + this.#capacity(address) * this.#entryBytes;
  }

  #capacity(chunk: Address): number {
    return Math.floor((this.#arena.blockBytes(chunk) - SLACK_BYTES) / this.#entryBytes);
  }

  #addHeap(bytes: number): void {
    this.#heapBytes = Math.min(CHUNK_BYTES_MAX, Math.max(CHUNK_BYTES_MIN, this.#heapBytes * 2));
    const size = Math.max(this.#heapBytes, bytes);
    const address = this.#arena.allocate(size, this.#owner);
    this.#heap.push(address);
    this.#arena.u32[(this.block + StateWord.heapNext) >>> 2] = address;
    this.#arena.u32[(this.block + StateWord.heapEnd) >>> 2] = address + size;
  }

  #tableWord(name: keyof typeof TableWord): number {
    return (this.block + tableOffset(0) + TableWord[name]) >>> 2;
  }
}
