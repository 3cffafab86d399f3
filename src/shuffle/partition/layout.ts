import type { Address, Arena, OwnerId } from "../../arrow/mod.ts";
import type { PartitionKernels } from "./kernels.ts";
import type { RoutedBatch } from "./router.ts";

const ALIGN_BYTES = 64;
/** Kernels copy strings in words and may write so far past the end. */
const OVERRUN_BYTES = 8;

/** One buffer of the result in every partition. */
export interface PartBuffer {
  /** Address by partition, once the layout is placed. */
  readonly addresses: Uint32Array;
  readonly bytes: (partition: number) => number;
  readonly isZeroed: boolean;
}

/** Where each buffer of each partition's batch is to lie: one block a partition. */
export class Layout {
  readonly partitions: number;
  readonly #buffers: PartBuffer[] = [];

  constructor(partitions: number) {
    this.partitions = partitions;
  }

  /** Wants a buffer of `bytes(partition)` in each partition that has rows. */
  buffer(bytes: (partition: number) => number, options: { readonly isZeroed?: boolean } = {}): PartBuffer {
    const made = { addresses: new Uint32Array(this.partitions), bytes, isZeroed: options.isZeroed ?? false };
    this.#buffers.push(made);
    return made;
  }

  /** Allocates the block of one partition; its owner releases it. */
  place(arena: Arena, partition: number, owner: OwnerId): Address {
    const sizes = this.#buffers.map(
      ({ bytes }) => Math.ceil((bytes(partition) + OVERRUN_BYTES) / ALIGN_BYTES) * ALIGN_BYTES,
    );
    const block = arena.allocate(
      sizes.reduce((sum, size) => sum + size, 0),
      owner,
    );
    let at = block;
    this.#buffers.forEach(({ addresses, isZeroed }, i) => {
      addresses[partition] = at;
      if (isZeroed) arena.u8.fill(0, at, at + (sizes[i] as number));
      at += sizes[i] as number;
    });
    return block;
  }

  /** Zeroes what lies between the buffers of a partition: they then go onto the wire as one piece. */
  clearGaps(arena: Arena, partition: number): void {
    for (const { addresses, bytes } of this.#buffers) {
      const end = (addresses[partition] as number) + bytes(partition);
      arena.u8.fill(0, end, Math.ceil((end + OVERRUN_BYTES) / ALIGN_BYTES) * ALIGN_BYTES);
    }
  }
}

/** What moving one column needs. */
export interface ScatterContext {
  readonly arena: Arena;
  readonly kernels: PartitionKernels;
  readonly group: readonly RoutedBatch[];
  /** Rows of each partition in all of `group`. */
  readonly counts: Uint32Array;
  readonly partitions: number;
  readonly owner: OwnerId;
  readonly layout: Layout;
  /** Blocks of each partition's batch, besides that of the layout. */
  readonly blocks: readonly Address[][];
}

/** A table of `partitions` words in the arena that starts as `values`; `use` gets its address, and it is freed after. */
export function withTables(
  context: ScatterContext,
  tables: readonly Uint32Array[],
  use: (addresses: readonly Address[]) => void,
): void {
  const { arena, partitions } = context;
  const block = arena.allocate(4 * partitions * tables.length, context.owner);
  try {
    const addresses = tables.map((_, i) => block + 4 * partitions * i);
    tables.forEach((values, i) => arena.u32.set(values, (addresses[i] as number) >>> 2));
    use(addresses);
    // Kernels move what the tables hold along; counts among them are results.
    tables.forEach((values, i) => {
      const start = (addresses[i] as number) >>> 2;
      values.set(arena.u32.subarray(start, start + partitions));
    });
  } finally {
    arena.release(block);
  }
}
