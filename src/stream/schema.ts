import { type DataType, type Field, field, parseType, type Schema, schema } from "../arrow/mod.ts";
import { nearestName, PlanError } from "../plan/mod.ts";
import type { SchemaInput, TypeText } from "./types.ts";

const TYPE_NAMES: readonly string[] =
  "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float32 float64 utf8 largeUtf8 binary largeBinary date32"
    .split(" ")
    .concat("timestamp[us]", "time[us]", "duration[us]", "decimal(18, 2)", "list<int64>", "struct<a: int64>")
    .concat("dictionary<int32, utf8>");

/** A type from its name; throws `PlanError` that lists the names. */
export function typeFrom(input: TypeText | DataType): DataType {
  if (typeof input !== "string") return input;
  const type = parseType(input.trim());
  if (type !== null) return type;
  const nearest = nearestName(input, TYPE_NAMES);
  const hint = nearest === null ? "" : ` Did you mean "${nearest}"?`;
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
