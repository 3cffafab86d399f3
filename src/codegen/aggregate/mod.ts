export { ValueBlock } from "./accumulators/values.ts";
export { aggregateCode } from "./aggregate_code.ts";
export { type AggregateLayout, aggregateLayout } from "./layout.ts";
export { memoSizeWord, StateWord, stateWord, TableWord, tableOffset } from "./memory_layout.ts";
export { generateMerge, mergeWord } from "./merge_code.ts";
export { generateOutput, outputChunkWord } from "./output_code.ts";
export type { TableShape } from "./table.ts";
export type { AggregateTerminal } from "./terminal.ts";
