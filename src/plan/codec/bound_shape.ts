import {
  aggregateFunction,
  castFailure,
  connectorSpec,
  dataType,
  dateUnit,
  joinKind,
  operatorId,
  planName,
  rowCount,
  scalarFunction,
  schemaShape,
  share,
  typedValue,
  userFunctionMode,
} from "./common_shape.ts";
import { anyBoolean, anyText, lazy, listOf, oneOf, optional, orNull, record, type Shape, union } from "./shape.ts";

/** A plan whose names and types are known. */

const part: Shape = lazy(() => expression);
const input: Shape = lazy(() => operator);

const expression: Shape = union(
  "expression",
  {
    column: { name: anyText },
    literal: { value: typedValue },
    call: { fn: scalarFunction, args: listOf(part), unit: optional(dateUnit) },
    cast: { operand: part, onError: castFailure },
    case: { branches: listOf(record({ when: part, then: part }, "case")), otherwise: orNull(part) },
    in: { operand: part, values: listOf(typedValue) },
    field: { operand: part, name: anyText },
  },
  { type: dataType, nullable: anyBoolean },
);

const named = record({ name: anyText, expression }, "a column");
const aggregateCall = record(
  { name: anyText, fn: aggregateFunction, argument: orNull(expression), quantile: optional(share) },
  "an aggregate",
);

const operator: Shape = union(
  "operator",
  {
    scan: { source: connectorSpec, predicate: orNull(expression), rowLimit: orNull(rowCount) },
    project: { input, columns: listOf(named) },
    filter: { input, predicate: expression },
    aggregate: { input, keys: listOf(named), aggregates: listOf(aggregateCall) },
    join: {
      how: joinKind,
      left: input,
      right: input,
      keys: listOf(record({ left: expression, right: expression }, "join")),
      residual: orNull(expression),
      buildSide: oneOf("left", "right"),
    },
    sort: {
      input,
      keys: listOf(record({ expression, descending: anyBoolean, nullsFirst: anyBoolean }, "sort")),
      limit: orNull(rowCount),
      offset: rowCount,
    },
    limit: { input, count: rowCount, offset: rowCount },
    union: { inputs: listOf(input, 1) },
    unnest: { input, column: anyText, outer: anyBoolean },
    userFunction: { input, mode: userFunctionMode },
    sink: { input, sink: connectorSpec },
  },
  { id: operatorId, schema: schemaShape },
);

const operatorInfo = record({ id: operatorId, name: anyText, text: anyText }, "an operator");

export const boundPlan: Shape = record(
  { name: planName, roots: listOf(operator, 1), operators: optional(listOf(operatorInfo)) },
  "the plan",
);
