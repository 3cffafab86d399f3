/**
 * Makes one batch a partition of routed batches. Sizes are known before anything is moved, so all buffers of a
 * partition's batch lie in one arena block.
 */
import type { Batch, Schema } from "../../arrow/mod.ts";
import { planColumn } from "./column_mover.ts";
import { Layout, type ScatterContext } from "./layout.ts";
import type { RoutedBatch, RouteOptions } from "./router.ts";

/** The rows of each partition, null for those without; the caller owns the result and keeps the group. */
export function scatter(schema: Schema, group: readonly RoutedBatch[], options: RouteOptions): (Batch | null)[] {
  const { arena, kernels, partitions, owner } = options;
  const counts = new Uint32Array(partitions);
  for (const routed of group) routed.counts.forEach((count, p) => (counts[p] = (counts[p] as number) + count));
  const layout = new Layout(partitions);
  const blocks = Array.from({ length: partitions }, (): number[] => []);
  const context: ScatterContext = { arena, kernels, group, counts, partitions, owner, layout, blocks };
  try {
    const movers = schema.fields.map((_, i) =>
      planColumn(
        context,
        group.map(({ batch }) => batch.columns[i] as Batch["columns"][number]),
      ),
    );
    counts.forEach((count, p) => {
      if (count > 0) (blocks[p] as number[]).push(layout.place(arena, p, owner));
    });
    for (const mover of movers) mover.move();
    counts.forEach((count, p) => {
      if (count > 0) layout.clearGaps(arena, p);
    });
    return blocks.map((own, p) => {
      const rowCount = counts[p] as number;
      if (rowCount === 0) return null;
      return { schema, rowCount, columns: movers.map((mover) => mover.column(p)), blocks: own };
    });
  } catch (error) {
    for (const own of blocks) for (const block of own) arena.release(block);
    throw error;
  }
}
