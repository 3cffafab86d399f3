import type { Address, Arena, Batch, OwnerId } from "../../arrow/mod.ts";
import type { PartitionKernels } from "./kernels.ts";

/**
 * Rows are sorted by partition a stretch at a time, so that what the columns of a stretch have stays in the fastest cache
 * while each partition takes its rows of them. With many partitions stretches are longer: each has some rows of all.
 */
const STRETCH_ROWS_MIN = 4_096;
const STRETCH_ROWS_PER_PARTITION = 256;

function stretchRows(partitions: number): number {
  return Math.max(STRETCH_ROWS_MIN, STRETCH_ROWS_PER_PARTITION * partitions);
}

/** Consecutive rows of a batch: what of them is to be sorted, and where to. */
export interface Stretch {
  readonly start: number;
  readonly count: number;
  /** Row numbers (4 bytes) of the whole batch, those of partition 0 first. */
  readonly rows: Address;
  /** For each partition where its row numbers end, from `rows` on. */
  readonly ends: Address;
}

/** Decides which partition each row goes to. */
export interface Router {
  /** Sorts the rows of each stretch by partition, in their order within one. */
  route(batch: Batch, stretches: readonly Stretch[]): void;
}

/** A batch whose rows are sorted by partition. */
export interface RoutedBatch {
  readonly batch: Batch;
  readonly stretches: readonly Stretch[];
  /** Rows of each partition. */
  readonly counts: Uint32Array;
  /** Holds row numbers and ends. */
  readonly block: Address;
}

export interface RouteOptions {
  readonly arena: Arena;
  readonly kernels: PartitionKernels;
  readonly router: Router;
  readonly partitions: number;
  readonly owner: OwnerId;
}

/** Sorts the batch's rows by partition, a stretch at a time. The caller releases `block`. */
export function routeBatch(batch: Batch, options: RouteOptions): RoutedBatch {
  const { arena, partitions } = options;
  const { rowCount } = batch;
  const most = stretchRows(partitions);
  const stretchCount = Math.ceil(rowCount / most);
  const block = arena.allocate(4 * (partitions * stretchCount + rowCount), options.owner);
  try {
    const stretches = Array.from({ length: stretchCount }, (_, i): Stretch => {
      const start = i * most;
      const ends = block + 4 * partitions * i;
      const rows = block + 4 * (partitions * stretchCount + start);
      return { start, count: Math.min(most, rowCount - start), rows, ends };
    });
    options.router.route(batch, stretches);
    return { batch, stretches, counts: countsOf(arena, stretches, partitions), block };
  } catch (error) {
    arena.release(block);
    throw error;
  }
}

function countsOf(arena: Arena, stretches: readonly Stretch[], partitions: number): Uint32Array {
  const { u32 } = arena;
  const counts = new Uint32Array(partitions);
  for (const { ends } of stretches) {
    let start = 0;
    for (let partition = 0; partition < partitions; partition++) {
      const end = u32[(ends >>> 2) + partition] as number;
      counts[partition] = (counts[partition] as number) + end - start;
      start = end;
    }
  }
  return counts;
}
