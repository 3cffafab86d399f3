import type { Address, Arena, Batch, OwnerId } from "../../arrow/mod.ts";
import type { PartitionKernels } from "./kernels.ts";

/** Decides which partition each row goes to. */
export interface Router {
  /** Partition of each row to `parts` (2 bytes each); adds their numbers to `histogram` (4 bytes a partition). */
  route(batch: Batch, to: { readonly parts: Address; readonly histogram: Address }): void;
}

/** A batch whose rows are sorted by partition. The rows are in an arena block of their own. */
export interface RoutedBatch {
  readonly batch: Batch;
  /** Row numbers (4 bytes), those of partition 0 first. */
  readonly rows: Address;
  /** For each partition where its row numbers end. */
  readonly ends: Address;
  /** Rows of each partition. */
  readonly counts: Uint32Array;
  readonly block: Address;
}

export interface RouteOptions {
  readonly arena: Arena;
  readonly kernels: PartitionKernels;
  readonly router: Router;
  readonly partitions: number;
  readonly owner: OwnerId;
}

/** Sorts the batch's rows by partition, in their order within one. The caller releases `block`. */
export function routeBatch(batch: Batch, options: RouteOptions): RoutedBatch {
  const { arena, partitions } = options;
  const { rowCount } = batch;
  const block = arena.allocate(4 * (partitions + rowCount), options.owner);
  const rows = block + 4 * partitions;
  const parts = arena.allocate(2 * rowCount, options.owner);
  try {
    const histogram = arena.u32.subarray(block >>> 2, (block >>> 2) + partitions);
    histogram.fill(0);
    options.router.route(batch, { parts, histogram: block });
    const counts = Uint32Array.from(histogram);
    let start = 0;
    for (let partition = 0; partition < partitions; partition++) {
      histogram[partition] = start;
      start += counts[partition] as number;
    }
    options.kernels.order(parts, rowCount, block, rows);
    return { batch, rows, ends: block, counts, block };
  } catch (error) {
    arena.release(block);
    throw error;
  } finally {
    arena.release(parts);
  }
}
