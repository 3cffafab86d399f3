import type { Address, Arena, OwnerId } from "../../arrow/mod.ts";
import { PARTITION_BITS, PartitionChunk, PartitionCursor } from "../../codegen/mod.ts";

const PARTITION_COUNT = 1 << PARTITION_BITS;
/** The first chunk of a partition, and those that follow. */
const FIRST_CHUNK_BYTES = 1 << 13;
const CHUNK_BYTES = 1 << 16;
/** Left free at the end of a chunk for reads past the last entry. */
const SLACK_BYTES = 64;

/** Entries that follow each other, in the order that they were made. */
export interface PartitionPiece {
  readonly address: Address;
  readonly entryCount: number;
}

/** Entries of rows by equal parts of the hash space, in chunks that are never moved. Counted to the operator. */
export class Partitions {
  /** One for each partition: what generated code and merge tasks go by. */
  readonly cursors: Address;
  readonly #arena: Arena;
  readonly #owner: OwnerId;
  readonly #entryBytes: number;
  readonly #chunks: Address[] = [];
  #bytes = 0;

  constructor(arena: Arena, options: { readonly owner: OwnerId; readonly entryBytes: number }) {
    this.#arena = arena;
    this.#owner = options.owner;
    this.#entryBytes = options.entryBytes;
    this.cursors = arena.allocateZeroed(PARTITION_COUNT * PartitionCursor.bytes, options.owner);
  }

  /** Of all chunks. */
  get bytes(): number {
    return this.#bytes;
  }

  get entryCount(): number {
    let count = 0;
    for (let partition = 0; partition < PARTITION_COUNT; partition++) {
      const pieces = partitionPieces(this.#arena, { cursors: this.cursors, entryBytes: this.#entryBytes, partition });
      for (const { entryCount } of pieces) count += entryCount;
    }
    return count;
  }

  addChunk(cursor: Address): void {
    const { u32 } = this.#arena;
    const previous = u32[(cursor + PartitionCursor.chunk) >>> 2] as number;
    const wanted = Math.max(previous === 0 ? FIRST_CHUNK_BYTES : CHUNK_BYTES, 4 * this.#entryBytes);
    const chunk = this.#arena.allocate(wanted, this.#owner);
    this.#chunks.push(chunk);
    this.#bytes += wanted;
    const start = chunk + PartitionChunk.entries;
    const room = this.#arena.blockBytes(chunk) - PartitionChunk.entries - SLACK_BYTES;
    const end = start + room - (room % this.#entryBytes);
    u32[(chunk + PartitionChunk.previous) >>> 2] = previous;
    u32[(chunk + PartitionChunk.end) >>> 2] = end;
    u32[(cursor + PartitionCursor.chunk) >>> 2] = chunk;
    u32[(cursor + PartitionCursor.next) >>> 2] = start;
    u32[(cursor + PartitionCursor.end) >>> 2] = end;
  }

  dispose(): void {
    for (const chunk of this.#chunks.splice(0)) this.#arena.release(chunk);
    this.#arena.release(this.cursors);
  }
}

/** All entries of a partition. */
export function* partitionPieces(
  arena: Arena,
  of: { readonly cursors: Address; readonly entryBytes: number; readonly partition: number },
): Generator<PartitionPiece> {
  const word = (address: Address) => arena.u32[address >>> 2] as number;
  const cursor = of.cursors + of.partition * PartitionCursor.bytes;
  let end = word(cursor + PartitionCursor.next);
  for (let chunk = word(cursor + PartitionCursor.chunk); chunk !== 0; ) {
    const address = chunk + PartitionChunk.entries;
    yield { address, entryCount: (end - address) / of.entryBytes };
    chunk = word(chunk + PartitionChunk.previous);
    if (chunk !== 0) end = word(chunk + PartitionChunk.end);
  }
}
