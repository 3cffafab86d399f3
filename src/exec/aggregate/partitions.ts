import type { Address, Arena, OwnerId } from "../../arrow/mod.ts";
import { PARTITION_BITS, PartitionChunk, PartitionCursor, STAGE_BYTES } from "../../codegen/mod.ts";

const PARTITION_COUNT = 1 << PARTITION_BITS;
/** The first chunk of a partition, and those that follow. */
const FIRST_CHUNK_BYTES = 1 << 13;
const CHUNK_BYTES = 1 << 16;
/** Left free at the end of a chunk for reads and writes past the last row. */
const SLACK_BYTES = 64;

/** Rows that follow each other. */
export interface RowPiece {
  readonly address: Address;
  readonly rowCount: number;
}

/** Rows by equal parts of the hash space, in chunks that are never moved. Counted to the operator. */
export class Partitions {
  /** One for each partition: what generated code and merge tasks go by. */
  readonly cursors: Address;
  readonly #arena: Arena;
  readonly #owner: OwnerId;
  readonly #rowBytes: number;
  readonly #chunks: Address[] = [];
  #bytes = 0;

  constructor(arena: Arena, options: { readonly owner: OwnerId; readonly rowBytes: number }) {
    this.#arena = arena;
    this.#owner = options.owner;
    this.#rowBytes = options.rowBytes;
    const stagesAt = PARTITION_COUNT * PartitionCursor.bytes;
    this.cursors = arena.allocateZeroed(stagesAt + PARTITION_COUNT * STAGE_BYTES, options.owner);
    for (let partition = 0; partition < PARTITION_COUNT; partition++) {
      const cursor = this.cursors + partition * PartitionCursor.bytes;
      const stage = this.cursors + stagesAt + partition * STAGE_BYTES;
      const stageEnd = stage + this.#stagedBytes;
      this.#setWords(cursor, [PartitionCursor.next, stage], [PartitionCursor.stage, stage]);
      this.#setWords(cursor, [PartitionCursor.stageEnd, stageEnd]);
    }
  }

  /** Of all chunks. */
  get bytes(): number {
    return this.#bytes;
  }

  get rowCount(): number {
    let count = 0;
    for (let partition = 0; partition < PARTITION_COUNT; partition++) {
      const pieces = partitionPieces(this.#arena, { cursors: this.cursors, rowBytes: this.#rowBytes, partition });
      for (const { rowCount } of pieces) count += rowCount;
    }
    return count;
  }

  /** For a partition whose chunk is full. */
  addChunk(cursor: Address): void {
    const previous = this.#arena.u32[(cursor + PartitionCursor.chunk) >>> 2] as number;
    const bytes = previous === 0 ? FIRST_CHUNK_BYTES : CHUNK_BYTES;
    const chunk = this.#arena.allocate(bytes, this.#owner);
    this.#chunks.push(chunk);
    this.#bytes += bytes;
    const start = chunk + PartitionChunk.rows;
    const room = this.#arena.blockBytes(chunk) - PartitionChunk.rows - SLACK_BYTES;
    const end = start + room - (room % this.#stagedBytes);
    this.#setWords(chunk, [PartitionChunk.previous, previous], [PartitionChunk.end, end]);
    this.#setWords(cursor, [PartitionCursor.chunk, chunk]);
    this.#setWords(cursor, [PartitionCursor.chunkNext, start], [PartitionCursor.chunkEnd, end]);
  }

  /** What rows take of a stage. */
  get #stagedBytes(): number {
    return STAGE_BYTES - (STAGE_BYTES % this.#rowBytes);
  }

  #setWords(base: Address, ...words: readonly (readonly [offset: number, value: number])[]): void {
    for (const [offset, value] of words) this.#arena.u32[(base + offset) >>> 2] = value;
  }

  dispose(): void {
    for (const chunk of this.#chunks.splice(0)) this.#arena.release(chunk);
    this.#arena.release(this.cursors);
  }
}

/** All rows of a partition. */
export function* partitionPieces(
  arena: Arena,
  of: { readonly cursors: Address; readonly rowBytes: number; readonly partition: number },
): Generator<RowPiece> {
  const word = (address: Address) => arena.u32[address >>> 2] as number;
  const cursor = of.cursors + of.partition * PartitionCursor.bytes;
  const piece = (address: Address, end: Address) => ({ address, rowCount: (end - address) / of.rowBytes });
  yield piece(word(cursor + PartitionCursor.stage), word(cursor + PartitionCursor.next));
  let end = word(cursor + PartitionCursor.chunkNext);
  for (let chunk = word(cursor + PartitionCursor.chunk); chunk !== 0; ) {
    yield piece(chunk + PartitionChunk.rows, end);
    chunk = word(chunk + PartitionChunk.previous);
    if (chunk !== 0) end = word(chunk + PartitionChunk.end);
  }
}
