/** Small pieces of work on batches. */
import {
  type Arena,
  type Batch,
  type Column,
  field,
  gatherColumn,
  int64,
  type OwnerId,
  releaseBatch,
  schema,
} from "../arrow/mod.ts";

/** What a task counts its own allocations for: they belong to no operator. */
export const OWNER: OwnerId = 0;

/** Bits of a row's number below the producer's. */
const ROW_BITS = 40n;

/** The given rows as a batch of its own; `batch` stays the caller's. */
export function gatherBatch(arena: Arena, batch: Batch, rows: Uint32Array): Batch {
  const blocks: number[] = [];
  try {
    const columns = batch.columns.map((column): Column => {
      const gathered = gatherColumn(arena, column, { rows, owner: OWNER });
      blocks.push(...gathered.blocks);
      return gathered.column;
    });
    return { schema: batch.schema, rowCount: rows.length, columns, blocks };
  } catch (error) {
    for (const block of blocks) arena.release(block);
    throw error;
  }
}

/** The batch with a column that tells its rows' places; takes the batch over, also when it throws. */
export function withOrdinal(
  arena: Arena,
  batch: Batch,
  of: { readonly name: string; readonly producer: number; readonly firstRow: number },
): Batch {
  const { rowCount } = batch;
  let data: number;
  try {
    data = arena.allocate(8 * Math.max(1, rowCount), OWNER);
  } catch (error) {
    releaseBatch(arena, batch);
    throw error;
  }
  const first = (BigInt(of.producer) << ROW_BITS) + BigInt(of.firstRow);
  const { i64 } = arena;
  for (let row = 0, at = data >>> 3; row < rowCount; row++, at++) i64[at] = first + BigInt(row);
  const column: Column = {
    type: int64,
    length: rowCount,
    nullCount: 0,
    validity: 0,
    offsets: 0,
    data,
    children: [],
    dictionary: null,
  };
  return {
    schema: schema([...batch.schema.fields, field(of.name, int64, false)]),
    rowCount,
    columns: [...batch.columns, column],
    blocks: [...batch.blocks, data],
  };
}
