import type { Address, Arena, Batch } from "../../arrow/mod.ts";
import { COUNTS_BYTES, SortRecord } from "../../codegen/mod.ts";
import { gatherRows } from "./gather.ts";
import { sortCode } from "./sort_code.ts";
import type { Blocks, SortInput } from "./sort_input.ts";

/** Rows `start` … `end` of a result. */
export interface ResultRange {
  readonly start: number;
  readonly end: number;
}

/** Sorts all rows in this thread; the address of the sorted records, in `blocks`. */
export function sortedRecords(arena: Arena, input: SortInput, blocks: Blocks): Address {
  const code = sortCode(arena).sort(input.shapes);
  const records = blocks.allocate(input.rowCount * SortRecord.bytes);
  let at = records;
  input.batchRows.forEach((rowCount, batch) => {
    code.enter(input.keyTables, batch, 0, rowCount, at);
    at += rowCount * SortRecord.bytes;
  });
  const scratch = blocks.allocate(input.rowCount * SortRecord.bytes);
  const counts = blocks.allocate(COUNTS_BYTES);
  code.sort(input.keyTables, records, input.rowCount, scratch, counts, 0);
  blocks.release(scratch);
  blocks.release(counts);
  return records;
}

/** Gathers sorted records in batches of at most `batchRows`; each is given to `keep` as soon as it exists. */
export function gatherRange(
  arena: Arena,
  input: SortInput,
  from: { readonly records: Address; readonly range: ResultRange; readonly batchRows: number },
  keep: (batch: Batch) => void,
): void {
  const { records, range, batchRows } = from;
  for (let start = range.start; start < range.end; start += batchRows) {
    const count = Math.min(batchRows, range.end - start);
    keep(gatherRows(arena, input, { records: records + start * SortRecord.bytes, count }));
  }
}
