import { type Expr, hostFunction, i32 } from "../../wasm/mod.ts";

/**
 * The state block: what generated code and host share about one worker's groups, in the arena. It starts with these
 * words; behind them is one table block for the groups and one for each set of distinct values.
 */
export const StateWord = {
  /** Bump heap for strings, value lists. */
  heapNext: 0,
  heapEnd: 4,
  /** The one entry when there are no keys; 0 before it is made. */
  single: 8,
  /** Array of entry addresses by the number of a combination of keys; 0 when there is none. See `memo.ts`. */
  memo: 12,
  /** Domain sizes of up to `MEMO_KEYS_MAX` keys. */
  memoSizes: 16,
  /** Rows so far, wrapping, without those of a morsel that is under way. */
  rows: 48,
  /** Cursors of the partitions that rows go to instead of the table; 0 while they go to the table. */
  partitions: 52,
  bytes: 64,
} as const;

/**
 * A hash table: slots of 8 bytes (entry address | hash << 32), 0 when empty, addressed by the top bits of the hash with
 * linear probing; entries in chunks, in the order they were made, never moved. As top bits decide, equal parts of the
 * hash space are equal parts of the slots: that is how tables of several workers are merged in parallel.
 */
export const TableWord = {
  slots: 0,
  /** 32 − log2 of the slot count. */
  shift: 4,
  /** Slot count − 1. */
  mask: 8,
  count: 12,
  /** Grow before there are more entries than this. */
  limit: 16,
  chunkNext: 20,
  chunkEnd: 24,
  /** While growing: the next slot array. */
  newSlots: 28,
  newShift: 32,
  newMask: 36,
  bytes: 64,
} as const;

/** Partitions are equal parts of the hash space, by its top bits. */
export const PARTITION_BITS = 7;

/** Of a partition's stage, which holds as many whole rows as fit. */
export const STAGE_BYTES = 256;

/**
 * Where a partition's next row goes: into its stage, which is copied to its chunk when full. Stages lie together, so
 * that writing to many partitions in turn does not meet a page and a cache line that were left long ago each time.
 */
export const PartitionCursor = {
  next: 0,
  stage: 4,
  stageEnd: 8,
  /** Where the next full stage goes; at `chunkEnd` the chunk is full. */
  chunkNext: 12,
  chunkEnd: 16,
  /** The newest chunk, 0 for none. */
  chunk: 20,
  bytes: 32,
} as const;

/** A chunk of a partition: header, then rows one after the other. */
export const PartitionChunk = {
  /** The chunk before, full; 0 for none. */
  previous: 0,
  /** End of its rows once it is full. */
  end: 4,
  rows: 16,
} as const;

export const MEMO_KEYS_MAX = 8;

/** Offset of the domain size of key `index` in the state block. */
export function memoSizeWord(index: number): number {
  return StateWord.memoSizes + 4 * index;
}

/** Offset of table `index` in the state block. */
export function tableOffset(index: number): number {
  return StateWord.bytes + index * TableWord.bytes;
}

/** Name of the context word that holds the state block's address. */
export const stateWord = "aggregate.state";

/** Allocates a larger slot array for a table: sets its `new*` words. */
export const growTable = hostFunction("env", "aggregateGrow", { params: ["i32"], results: [] });
/** Entries were moved to the new slots: they become the slots. */
export const tableGrown = hostFunction("env", "aggregateGrown", { params: ["i32"], results: [] });
/** A new chunk of zeroed entries for a table: sets `chunkNext` and `chunkEnd`. */
export const newChunk = hostFunction("env", "aggregateChunk", { params: ["i32"], results: [] });
/** A new chunk of rows for the partition with this cursor. */
export const newPartitionChunk = hostFunction("env", "aggregatePartition", { params: ["i32"], results: [] });
/** A new heap chunk with room for so many bytes. */
export const newHeap = hostFunction("env", "aggregateHeap", { params: ["i32"], results: [] });

export function stateLoad(state: Expr<"i32">, offset: number): Expr<"i32"> {
  return i32.load(state, offset);
}
