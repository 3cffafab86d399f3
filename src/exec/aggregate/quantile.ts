import type { Address, Arena } from "../../arrow/mod.ts";
import { ValueBlock } from "../../codegen/mod.ts";

/** The continuous quantile of the values in a chain of blocks: between the two nearest by rank; NaN is greatest. */
export function quantileOf(
  arena: Arena,
  of: { readonly head: Address; readonly count: number; readonly quantile: number },
): number {
  const values = new Float64Array(of.count);
  let filled = 0;
  for (let block = of.head; block !== 0; block = arena.u32[(block + ValueBlock.next) >>> 2] as number) {
    const start = (block + ValueBlock.values) >>> 3;
    const used = arena.u32[(block + ValueBlock.used) >>> 2] as number;
    values.set(arena.f64.subarray(start, start + used), filled);
    filled += used;
  }
  values.sort();
  const rank = (of.count - 1) * of.quantile;
  const below = values[Math.floor(rank)] as number;
  const above = values[Math.ceil(rank)] as number;
  const weight = rank - Math.floor(rank);
  if (weight === 0 || below === above) return below;
  return below * (1 - weight) + above * weight;
}
