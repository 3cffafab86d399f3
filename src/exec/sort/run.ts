import { invariant } from "../../kernel/mod.ts";
import type { SortNode } from "../../plan/mod.ts";
import type { Driver } from "../driver.ts";
import type { BatchList, OpenPipeline } from "../open_pipeline.ts";
import { type KeyedInput, withKeyColumns } from "./key_columns.ts";
import { sortBatches } from "./sort_batches.ts";
import type { KeyColumn } from "./sort_input.ts";

/** The rows of `input` in the order of the node's keys, equal ones in input order; with a limit only those wanted. */
export async function runSort(driver: Driver, node: SortNode, input: readonly OpenPipeline[]): Promise<BatchList> {
  const range = { start: node.offset, end: node.limit === null ? Number.POSITIVE_INFINITY : node.offset + node.limit };
  if (range.start >= range.end) return driver.own([]);
  const keyed = withKeyColumns(node, input);
  const list = await driver.materialise(keyed.pipelines);
  try {
    const batches = list.batches.filter((batch) => batch.rowCount > 0);
    if (batches.length === 0) return driver.own([]);
    const request = { operator: node.id, batches, keys: keyColumns(keyed), schema: node.schema };
    return await sortBatches(driver, request, range);
  } finally {
    list.release();
  }
}

function keyColumns({ keys, schema }: KeyedInput): KeyColumn[] {
  return keys.map(({ expression, descending, nullsFirst }) => {
    invariant(expression.kind === "column", "keys are columns");
    const column = schema.fields.findIndex(({ name }) => name === expression.name);
    invariant(column >= 0, `key ${expression.name} is a column of the input`);
    return { column, descending, nullsFirst };
  });
}
