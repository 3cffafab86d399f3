/** Shapes that both kinds of plan have parts of. */
import { isScalarFunction } from "../bind/call.ts";
import type { AggregateFunction, JoinKind, UserFunctionNode } from "../node.ts";
import type { DateUnit } from "../typed.ts";
import {
  anyBoolean,
  anyCount,
  anyRecord,
  anyText,
  lazy,
  listOf,
  oneOf,
  orNull,
  record,
  type Shape,
  union,
  where,
} from "./shape.ts";

/** Values of a closed union, each of them: does not compile while one is missing. */
const all = <T extends string>(values: Readonly<Record<T, true>>): Shape => oneOf(...Object.keys(values));

const timeUnit = oneOf("second", "millisecond", "microsecond", "nanosecond");
const intKind = oneOf("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64");

const field = record({ name: anyText, type: lazy(() => dataType), nullable: anyBoolean }, "a column");

export const dataType: Shape = union("type", {
  null: {},
  bool: {},
  int8: {},
  int16: {},
  int32: {},
  int64: {},
  uint8: {},
  uint16: {},
  uint32: {},
  uint64: {},
  float32: {},
  float64: {},
  decimal: {
    precision: where((p) => Number.isInteger(p) && Number(p) >= 1 && Number(p) <= 38),
    scale: where((s) => Number.isInteger(s) && Math.abs(Number(s)) <= 38),
  },
  utf8: {},
  largeUtf8: {},
  binary: {},
  largeBinary: {},
  fixedSizeBinary: { byteWidth: anyCount },
  date32: {},
  timestamp: { unit: timeUnit, timezone: orNull(anyText) },
  time: { unit: timeUnit },
  duration: { unit: timeUnit },
  dictionary: { index: intKind, value: lazy(() => plainType), ordered: anyBoolean },
  list: { item: field },
  struct: { fields: listOf(field) },
});

const plainType: Shape = (value, work) => {
  return dataType(value, work) && (value as { readonly kind: string }).kind !== "dictionary";
};

/** Names are unique, as `schema()` has it. */
export const schemaShape: Shape = (value, work) => {
  if (!record({ fields: listOf(field) })(value, work)) return false;
  const { fields } = value as { readonly fields?: unknown };
  if (!Array.isArray(fields)) return false;
  return new Set(fields.map((each: { readonly name?: unknown } | null) => each?.name)).size === fields.length;
};

export const connectorSpec = record({ connector: anyText, options: anyRecord }, "a connector");

export const scalarFunction = where(isScalarFunction);

export const dateUnit = all<DateUnit>({
  year: true,
  quarter: true,
  month: true,
  week: true,
  day: true,
  hour: true,
  minute: true,
  second: true,
  millisecond: true,
  microsecond: true,
  nanosecond: true,
});

export const aggregateFunction = all<AggregateFunction>({
  sum: true,
  avg: true,
  min: true,
  max: true,
  count: true,
  countDistinct: true,
  first: true,
  last: true,
  variance: true,
  stddev: true,
  quantile: true,
});

export const joinKind = all<JoinKind>({
  inner: true,
  left: true,
  right: true,
  full: true,
  semi: true,
  anti: true,
  cross: true,
});

export const userFunctionMode = all<UserFunctionNode["mode"]>({
  map: true,
  flatMap: true,
  filter: true,
  mapBatches: true,
});

export const castFailure = oneOf("fail", "null");

/** From 0 to 1. */
export const share = where((value) => typeof value === "number" && value >= 0 && value <= 1);

export const rowCount = where((value) => Number.isSafeInteger(value) && Number(value) >= 0);

export const planName = where((value) => typeof value === "string" && value.length <= 128);

const LITERALS = new Set(["boolean", "number", "bigint", "string"]);

export const typedValue = where((value) => {
  return value === null || LITERALS.has(typeof value) || value instanceof Uint8Array;
});

export const writtenValue: Shape = (value, work) => value instanceof Date || typedValue(value, work);

export const operatorId = where((value) => Number.isInteger(value) && Number(value) >= 1 && Number(value) <= 1023);
