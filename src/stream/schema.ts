import { type DataType, type Field, field, parseType, type Schema, schema } from "../arrow/mod.ts";
import { nearestName, PlanError } from "../plan/mod.ts";
import type { SchemaInput, TypeText } from "./types.ts";

const TYPE_NAMES: readonly string[] =
  "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float32 float64 utf8 largeUtf8 binary largeBinary date32"
    .split(" ")
    .concat("timestamp[us]", "time[us]", "duration[us]", "decimal(18, 2)", "list<int64>", "struct<a: int64>")
    .concat("dictionary<int32, utf8>");

/** What types are called elsewhere. */
const MEANT: Readonly<Record<string, string>> = {
  text: "utf8",
  str: "utf8",
  varchar: "utf8",
  char: "utf8",
  int: "int64",
  integer: "int64",
  bigint: "int64",
  long: "int64",
  smallint: "int16",
  short: "int16",
  byte: "int8",
  number: "float64",
  double: "float64",
  real: "float32",
  float: "float64",
  numeric: "decimal(18, 2)",
  decimal: "decimal(18, 2)",
  date: "date32",
  datetime: "timestamp[us]",
  timestamp: "timestamp[us]",
  time: "time[us]",
  interval: "duration[us]",
  blob: "binary",
  bytes: "binary",
  array: "list<int64>",
  list: "list<int64>",
};

/** A type from its name; throws `PlanError` that lists the names. */
export function typeFrom(input: TypeText | DataType): DataType {
  if (typeof input !== "string") return input;
  const type = parseType(input.trim());
  if (type !== null) return type;
  const word = input.trim().toLowerCase();
  const nearest = Object.hasOwn(MEANT, word) ? MEANT[word] : nearestName(input, TYPE_NAMES);
  const hint = nearest === null || nearest === undefined ? "" : ` Did you mean "${nearest}"?`;
  throw new PlanError("argument", `"${input}" is no type.${hint} Types: ${TYPE_NAMES.join(", ")}.`);
}

const NOT_NULL = " not null";

function fieldFrom(name: string, input: TypeText | DataType): Field {
  if (typeof input !== "string" || !input.endsWith(NOT_NULL)) return field(name, typeFrom(input));
  return field(name, typeFrom(input.slice(0, -NOT_NULL.length)), false);
}

/** `{ id: "int64 not null", name: "utf8" }` as a schema. */
export function schemaFrom(input: SchemaInput): Schema {
  const entries = Object.entries(input);
  if (entries.length === 0) throw new PlanError("argument", "A declared schema needs at least one column.");
  return schema(entries.map(([name, type]) => fieldFrom(name, type)));
}

export function optionalSchema(input: SchemaInput | undefined): Schema | null {
  return input === undefined ? null : schemaFrom(input);
}
