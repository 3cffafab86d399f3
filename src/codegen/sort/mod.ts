export { ColumnEntry, type Encoding } from "./batch_columns.ts";
export { type GatherExports, generateGather } from "./gather.ts";
export { PARTS_MAX } from "./partition.ts";
export { COUNTS_BYTES, Record as SortRecord } from "./records.ts";
export { type GeneratedSort, generateSort, type SortExports, type SortKeyShape } from "./sort_module.ts";
export {
  Threshold,
  type ThresholdBlocks,
  type ThresholdStep,
  thresholdCode,
  thresholdShapes,
  thresholdWord,
} from "./threshold.ts";
export { CHUNK_BYTES, firstStringGoesOn, type KeyShape, planWords } from "./words.ts";
