/** Batches as user functions of `mapBatches` see them: apache-arrow tables over the arena's memory. */
import {
  type Arena,
  ArrowError,
  type Batch,
  fromColumns,
  type OwnerId,
  releaseBatch,
  retainBatch,
  type Schema,
  sliceBatch,
  toArrowTable,
} from "../arrow/mod.ts";
import type { Rows } from "./stage.ts";

const inputs = new WeakMap<object, Rows>();

/** A table of exactly these rows; nothing is copied when they are the whole batch. It is valid during the call only. */
export function batchForUser(arena: Arena, rows: Rows): object {
  const table = toArrowTable(arena, [rows.batch]);
  const whole = rows.start === 0 && rows.end === rows.batch.rowCount;
  const part = whole ? table : table.slice(rows.start, rows.end);
  inputs.set(part, rows);
  return part;
}

/** What the function returned as a batch of `schema` that the caller owns; null when it has no rows. */
export function batchFromUser(
  arena: Arena,
  result: unknown,
  options: { readonly rows: Rows; readonly schema: Schema; readonly owner: OwnerId },
): Batch | null {
  if (typeof result !== "object" || result === null) {
    throw new ArrowError(
      "type",
      `mapBatches must return a table or an object of columns, but returned ${String(result)}`,
    );
  }
  const untouched = inputs.get(result);
  if (untouched !== undefined && untouched === options.rows) return inputRows(arena, options);
  return fromColumns(arena, result, { schema: options.schema, owner: options.owner });
}

function inputRows(
  arena: Arena,
  options: { readonly rows: Rows; readonly schema: Schema; readonly owner: OwnerId },
): Batch {
  const { batch, start, end } = options.rows;
  if (start !== 0 || end !== batch.rowCount) return sliceBatch(arena, batch, start, end, options.owner);
  retainBatch(arena, batch);
  return { ...batch, schema: options.schema };
}
