export { hashBytes, mix } from "./aggregate/hash.ts";
export {
  type AggregateLayout,
  type AggregateTerminal,
  aggregateLayout,
  generateMerge,
  generateOutput,
  generateRows,
  memoSizeWord,
  mergeWord,
  outputChunkWord,
  PARTITION_BITS,
  PartitionChunk,
  PartitionCursor,
  rowsWord,
  STAGE_BYTES,
  StateWord,
  stateWord,
  TableWord,
  tableOffset,
  ValueBlock,
} from "./aggregate/mod.ts";
export { COLUMN_WORDS, type ColumnWord, inputWord } from "./column_load.ts";
export { type ContextLayout, Header } from "./context.ts";
export {
  copyBytes,
  type EmitTerminal,
  type EmittedColumn,
  OUTPUT_WORDS,
  type OutputWord,
  outputCapacity,
  outputRowCount,
  outputWord,
} from "./emit.ts";
export { structureKey } from "./expression_key.ts";
export { CodegenFailure, createHost, type Host } from "./host_functions.ts";
export {
  type BuildShape,
  type BuildTerminal,
  BuildWord,
  buildStateWord,
  canBeDense,
  entryLayout,
  generateLink,
  generateRest,
  linkChunkWord,
  type Placement,
  type ProbeOutput,
  type ProbeStep,
  type RestSpec,
  restChunkWord,
  restInput,
  type TableAddresses,
  tableWords,
} from "./join/mod.ts";
export {
  type GeneratedPipeline,
  generatePipeline,
  type PipelineSpec,
  pipelineKey,
  type Step,
  stepWords,
  type Terminal,
} from "./pipeline.ts";
export type { FailureCode, FailureSite, InputColumn, MemoKey } from "./program.ts";
export {
  CHUNK_BYTES,
  COUNTS_BYTES,
  ColumnEntry,
  type Encoding,
  firstStringGoesOn,
  type GatherExports,
  type GeneratedSort,
  generateGather,
  generateSort,
  type KeyShape,
  PARTS_MAX,
  planWords,
  type SortExports,
  type SortKeyShape,
  SortRecord,
  Threshold,
  type ThresholdBlocks,
  type ThresholdStep,
  thresholdShapes,
} from "./sort/mod.ts";
export type { FilterStep, ProjectStep } from "./steps.ts";
