import {
  aggregateFunction,
  castFailure,
  connectorSpec,
  dataType,
  dateUnit,
  joinKind,
  planName,
  rowCount,
  scalarFunction,
  schemaShape,
  share,
  userFunctionMode,
  writtenValue,
} from "./common_shape.ts";
import { anyBoolean, anyFunction, anyText, lazy, listOf, oneOf, orNull, record, type Shape, union } from "./shape.ts";

/** A dataflow as written. */

const part: Shape = lazy(() => expression);
const input: Shape = lazy(() => operator);

const expression: Shape = union("expression", {
  column: { name: anyText, side: orNull(oneOf("left", "right")) },
  literal: { value: writtenValue },
  call: {
    fn: (value, work) => value === "between" || scalarFunction(value, work),
    args: listOf(part),
    unit: orNull(dateUnit),
  },
  cast: { operand: part, type: dataType, onError: castFailure },
  case: { branches: listOf(record({ when: part, then: part }, "case")), otherwise: orNull(part) },
  in: { operand: part, values: listOf(part) },
  field: { operand: part, name: anyText },
  alias: { operand: part, name: anyText },
  aggregate: { fn: aggregateFunction, argument: orNull(part), quantile: orNull(share) },
});

const named = record({ name: orNull(anyText), expression }, "a column");

const operator: Shape = union("operator", {
  scan: { source: connectorSpec },
  select: { input, columns: listOf(named) },
  withColumns: { input, columns: listOf(named) },
  drop: { input, names: listOf(anyText) },
  rename: { input, names: listOf(record({ from: anyText, to: anyText }, "rename")) },
  filter: { input, predicate: expression },
  aggregate: { input, keys: listOf(named), aggregates: listOf(named) },
  distinct: { input, names: orNull(listOf(anyText)) },
  join: {
    left: input,
    right: input,
    how: joinKind,
    on: listOf(record({ left: expression, right: expression, merged: orNull(anyText) }, "join")),
    where: orNull(expression),
    suffix: anyText,
  },
  sort: {
    input,
    keys: listOf(record({ expression, descending: anyBoolean, nullsFirst: anyBoolean }, "sort")),
  },
  limit: { input, count: rowCount, offset: rowCount },
  union: { inputs: listOf(input, 1) },
  unnest: { input, column: anyText, outer: anyBoolean },
  userFunction: { input, mode: userFunctionMode, fn: anyFunction, schema: orNull(schemaShape) },
  sink: { input, sink: connectorSpec },
});

export const logicalPlan: Shape = record({ name: planName, roots: listOf(operator, 1) }, "the dataflow");
