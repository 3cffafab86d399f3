/**
 * The library: `import { col, count, dataflow, Stream } from "sage"`.
 *
 * A job file default-exports `dataflow(name, () => Stream…)`; a program may also run streams by itself with `collect()`
 * and `for await`.
 */
import { flowRunner } from "./src/platform/flow_runner.ts";
import { setRunner } from "./src/stream/mod.ts";

export type { Cell, DataType, Field, Schema } from "./src/arrow/mod.ts";
export { SageError } from "./src/kernel/mod.ts";
export { PlanError, type PlanErrorCode } from "./src/plan/mod.ts";
export {
  type AnyExpr,
  type AnyTable,
  type ArrowWriteOptions,
  avg,
  type BadRowPolicy,
  type BatchColumns,
  type BatchTable,
  type BatchVector,
  type ColumnGenerator,
  type Columns,
  type CsvReadOptions,
  type CsvWriteOptions,
  coalesce,
  col,
  concat,
  count,
  countDistinct,
  Dataflow,
  dataflow,
  Expr,
  type ExpressionInput,
  first,
  type GenerateOptions,
  type GivenParams,
  GroupedStream,
  type JoinOptions,
  type JsonReadOptions,
  type JsonWriteOptions,
  last,
  lit,
  max,
  min,
  type Operand,
  type OrderInput,
  type Param,
  type Params,
  type ParamValues,
  type ParquetCodec,
  type ParquetWriteOptions,
  param,
  quantile,
  type RowInput,
  type RowOf,
  type RunOptions,
  type RunSummary,
  type SchemaInput,
  Sink,
  Stream,
  stddev,
  sum,
  type TypeText,
  variance,
  when,
} from "./src/stream/mod.ts";

setRunner(flowRunner);
