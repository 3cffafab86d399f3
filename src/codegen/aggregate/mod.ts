export { ValueBlock } from "./accumulators/values.ts";
export { aggregateCode } from "./aggregate_code.ts";
// Entries and their fields, which joins store in the same form.
export { finishHash } from "./hash.ts";
export {
  hashKey,
  type KeyField,
  type KeyParts,
  keyEquals,
  keyField,
  keyParts,
  loadKey,
  loadKeyParts,
  storeKey,
} from "./key_field.ts";
export { type AggregateLayout, aggregateLayout } from "./layout.ts";
export {
  memoSizeWord,
  PARTITION_BITS,
  PartitionChunk,
  PartitionCursor,
  STAGE_BYTES,
  StateWord,
  stateWord,
  TableWord,
  tableOffset,
} from "./memory_layout.ts";
export { generateMerge, mergeWord } from "./merge_code.ts";
export { finishModule, openModule } from "./module.ts";
export { generateOutput, outputChunkWord } from "./output_code.ts";
export { Packing } from "./packing.ts";
export { generateRows, rowsWord } from "./rows_code.ts";
export { newEntry } from "./table.ts";
export type { AggregateTerminal } from "./terminal.ts";
