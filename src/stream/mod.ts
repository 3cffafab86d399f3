export type * from "./connector_options.ts";
export { type BuilderResult, Dataflow, dataflow, isDataflow } from "./dataflow.ts";
export { type AnyExpr, Expr, type Operand } from "./expr.ts";
export {
  avg,
  CaseExpr,
  coalesce,
  col,
  concat,
  count,
  countDistinct,
  first,
  last,
  lit,
  max,
  min,
  quantile,
  stddev,
  sum,
  variance,
  When,
  when,
} from "./functions.ts";
export type { ColumnGenerator, GenerateOptions } from "./generate.ts";
export { GroupedStream } from "./group.ts";
export type { JoinOptions } from "./join.ts";
export type { Direction, OrderInput, OrderKey } from "./order.ts";
export {
  type GivenParams,
  type Param,
  type ParamKind,
  type Params,
  type ParamValues,
  param,
  paramsFromTexts,
} from "./params.ts";
export type { Columns, ExpressionInput } from "./resolve.ts";
export { type FlowRunner, type RunOptions, type RunSummary, setRunner } from "./runner.ts";
export {
  type ArrowWriteOptions,
  type CsvWriteOptions,
  type JsonWriteOptions,
  type ParquetWriteOptions,
  Sink,
} from "./sinks.ts";
export type { CsvReadOptions, JsonReadOptions, PathsInput, SchemaOption } from "./sources.ts";
export { Stream } from "./stream.ts";
export type { Open, RowInput, RowOf, SchemaInput, TypeText } from "./types.ts";
export type { AnyTable, BatchColumns, BatchTable, BatchVector } from "./user_batch.ts";
