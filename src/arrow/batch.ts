import { invariant } from "../kernel/mod.ts";
import type { Address, Arena, OwnerId } from "./arena.ts";
import type { Batch, Column } from "./column.ts";
import { copyRows } from "./copy.ts";
import { ArrowError } from "./error.ts";
import { byteWidth, type DataType, field, isVariableWidth, type Schema, schema } from "./types.ts";

/** One more owner of the batch: retains each of its blocks. */
export function retainBatch(arena: Arena, batch: Batch): void {
  for (const block of batch.blocks) arena.retain(block);
}

/** The caller's reference to each block of the batch is given back; its columns must not be read by the caller any more. */
export function releaseBatch(arena: Arena, batch: Batch): void {
  for (const block of batch.blocks) arena.release(block);
}

/**
 * The named columns in that order. The result takes over the references of `batch`: release one of the two, not both.
 * Throws `ArrowError` "type" when a column does not exist.
 */
export function selectColumns(batch: Batch, names: readonly string[]): Batch {
  const fields = batch.schema.fields;
  const picked = names.map((name) => {
    const index = fields.findIndex((f) => f.name === name);
    const known = fields.map((f) => f.name).join(", ");
    if (index < 0) throw new ArrowError("type", `Cannot select column "${name}": the batch has ${known}.`);
    return index;
  });
  return {
    schema: schema(picked.map((index) => fields[index] as (typeof fields)[number])),
    rowCount: batch.rowCount,
    columns: picked.map((index) => batch.columns[index] as Column),
    blocks: batch.blocks,
  };
}

/** Rows `start` up to but not including `end` as a batch of its own: rows are copied, dictionaries shared. */
export function sliceBatch(arena: Arena, batch: Batch, start: number, end: number, owner: OwnerId): Batch {
  invariant(start >= 0 && start <= end && end <= batch.rowCount, `slice ${start}..${end} of ${batch.rowCount} rows`);
  const blocks: Address[] = [];
  try {
    const options = { start, end, owner, shared: batch.blocks, blocks };
    const columns = batch.columns.map((column) => copyRows(arena, column, options));
    return { schema: batch.schema, rowCount: end - start, columns, blocks };
  } catch (error) {
    for (const block of blocks) arena.release(block);
    throw error;
  }
}

/** A column without rows and without blocks. */
export function emptyColumn(type: DataType): Column {
  const children =
    type.kind === "list"
      ? [emptyColumn(type.item.type)]
      : type.kind === "struct"
        ? type.fields.map((f) => emptyColumn(f.type))
        : [];
  const dictionary = type.kind === "dictionary" ? emptyColumn(type.value) : null;
  return { type, length: 0, nullCount: 0, validity: 0, offsets: 0, data: 0, children, dictionary };
}

/** A batch of no rows; it holds no memory and need not be released. */
export function emptyBatch(of: Schema): Batch {
  return { schema: of, rowCount: 0, columns: of.fields.map((f) => emptyColumn(f.type)), blocks: [] };
}

function columnBytes(arena: Arena, column: Column, seen: Set<Address>): number {
  const { type, length } = column;
  let bytes = column.validity === 0 ? 0 : Math.ceil(length / 8);
  if (column.offsets !== 0) {
    bytes += 4 * (length + 1);
    if (type.kind !== "list") bytes += arena.i32[(column.offsets >>> 2) + length] as number;
  } else if (column.data !== 0) {
    bytes += type.kind === "bool" ? Math.ceil(length / 8) : length * (column.dictionary === null ? byteWidth(type) : 4);
  }
  for (const child of column.children) bytes += columnBytes(arena, child, seen);
  const { dictionary } = column;
  if (dictionary !== null && !seen.has(dictionary.data)) {
    seen.add(dictionary.data);
    bytes += columnBytes(arena, dictionary, seen);
  }
  return bytes;
}

/** Bytes of the batch's values as they would be sent; each dictionary counts once. Memory held: see `batchBlockBytes`. */
export function batchBytes(arena: Arena, batch: Batch): number {
  const seen = new Set<Address>();
  return batch.columns.reduce((sum, column) => sum + columnBytes(arena, column, seen), 0);
}

/** Bytes of all arena blocks that the batch keeps alive. */
export function batchBlockBytes(arena: Arena, batch: Batch): number {
  return batch.blocks.reduce((sum, block) => sum + arena.blockBytes(block), 0);
}

/** The batch's columns under another schema of the same physical types: renames, nullability. */
export function withSchema(batch: Batch, as: Schema): Batch {
  invariant(as.fields.length === batch.columns.length, "a schema has a field for each column");
  const columns = batch.columns.map((column, i) => ({
    ...column,
    type: (as.fields[i] as (typeof as.fields)[number]).type,
  }));
  return { ...batch, schema: as, columns };
}

/** Whether the column has its rows behind int32 offsets into `data`. */
export function hasHeap(column: Column): boolean {
  return column.dictionary === null && isVariableWidth(column.type);
}

/** Schema of the batch's columns with dictionaries replaced by their values. */
export function plainSchema(of: Schema): Schema {
  return schema(of.fields.map((f) => (f.type.kind === "dictionary" ? field(f.name, f.type.value, f.nullable) : f)));
}
