import { unreachable } from "../kernel/mod.ts";
import { ArrowError } from "./error.ts";

/**
 * Logical types of columns, as frozen data with a `kind`. Names follow the Arrow specification (Schema.fbs); the
 * physical layout of each in the arena is in `column.ts`.
 */

export type TimeUnit = "second" | "millisecond" | "microsecond" | "nanosecond";

export type IntKind = "int8" | "int16" | "int32" | "int64" | "uint8" | "uint16" | "uint32" | "uint64";
export type FloatKind = "float32" | "float64";

export type DataType =
  | { readonly kind: "null" }
  | { readonly kind: "bool" }
  | { readonly kind: IntKind }
  | { readonly kind: FloatKind }
  /** 128-bit two's complement integer scaled by 10^-scale; precision 1..38. */
  | { readonly kind: "decimal"; readonly precision: number; readonly scale: number }
  | { readonly kind: "utf8" }
  | { readonly kind: "largeUtf8" }
  | { readonly kind: "binary" }
  | { readonly kind: "largeBinary" }
  | { readonly kind: "fixedSizeBinary"; readonly byteWidth: number }
  /** Days since 1970-01-01, int32. */
  | { readonly kind: "date32" }
  /** int64 since the epoch, UTC when a time zone is given, else local wall time. */
  | { readonly kind: "timestamp"; readonly unit: TimeUnit; readonly timezone: string | null }
  /** Time of day; int32 for seconds and milliseconds, int64 for finer units. */
  | { readonly kind: "time"; readonly unit: TimeUnit }
  | { readonly kind: "duration"; readonly unit: TimeUnit }
  /** Values behind indices. In expressions a dictionary counts as its value type. */
  | { readonly kind: "dictionary"; readonly index: IntKind; readonly value: DataType; readonly ordered: boolean }
  | { readonly kind: "list"; readonly item: Field }
  | { readonly kind: "struct"; readonly fields: readonly Field[] };

export type TypeKind = DataType["kind"];

export interface Field {
  readonly name: string;
  readonly type: DataType;
  readonly nullable: boolean;
}

/** Ordered, uniquely named columns. */
export interface Schema {
  readonly fields: readonly Field[];
}

// Constructors. They check their parameters, so that a type that exists is a type that can be stored.

const plain = <K extends DataType["kind"]>(kind: K): { readonly kind: K } => Object.freeze({ kind });

export const nullType = plain("null");
export const bool = plain("bool");
export const int8 = plain("int8");
export const int16 = plain("int16");
export const int32 = plain("int32");
export const int64 = plain("int64");
export const uint8 = plain("uint8");
export const uint16 = plain("uint16");
export const uint32 = plain("uint32");
export const uint64 = plain("uint64");
export const float32 = plain("float32");
export const float64 = plain("float64");
export const utf8 = plain("utf8");
export const largeUtf8 = plain("largeUtf8");
export const binary = plain("binary");
export const largeBinary = plain("largeBinary");
export const date32 = plain("date32");

/** Digits that 128 bits can hold. */
export const DECIMAL_PRECISION_MAX = 38;

export function decimal(precision: number, scale: number): Extract<DataType, { kind: "decimal" }> {
  if (!Number.isInteger(precision) || precision < 1 || precision > DECIMAL_PRECISION_MAX) {
    throw new ArrowError(
      "type",
      `Cannot make decimal(${precision}, ${scale}): precision must be 1 to ${DECIMAL_PRECISION_MAX}.`,
    );
  }
  if (!Number.isInteger(scale) || scale < -DECIMAL_PRECISION_MAX || scale > DECIMAL_PRECISION_MAX) {
    throw new ArrowError(
      "type",
      `Cannot make decimal(${precision}, ${scale}): scale must be an integer from -38 to 38.`,
    );
  }
  return Object.freeze({ kind: "decimal", precision, scale });
}

export function fixedSizeBinary(byteWidth: number): Extract<DataType, { kind: "fixedSizeBinary" }> {
  if (!Number.isInteger(byteWidth) || byteWidth < 0 || byteWidth > 0x7fffffff) {
    throw new ArrowError("type", `Cannot make fixedSizeBinary[${byteWidth}]: the width must be 0 to 2147483647 bytes.`);
  }
  return Object.freeze({ kind: "fixedSizeBinary", byteWidth });
}

export function timestamp(unit: TimeUnit, timezone: string | null = null): Extract<DataType, { kind: "timestamp" }> {
  return Object.freeze({ kind: "timestamp", unit, timezone });
}

export function time(unit: TimeUnit): Extract<DataType, { kind: "time" }> {
  return Object.freeze({ kind: "time", unit });
}

export function duration(unit: TimeUnit): Extract<DataType, { kind: "duration" }> {
  return Object.freeze({ kind: "duration", unit });
}

export function dictionary(
  value: DataType,
  index: IntKind = "int32",
  options: { readonly ordered?: boolean } = {},
): Extract<DataType, { kind: "dictionary" }> {
  if (value.kind === "dictionary") throw new ArrowError("type", "Cannot make a dictionary of a dictionary.");
  return Object.freeze({ kind: "dictionary", index, value, ordered: options.ordered ?? false });
}

/** Takes the item's type, or a field when its name or nullability matters. */
export function list(item: Field | DataType): Extract<DataType, { kind: "list" }> {
  return Object.freeze({ kind: "list", item: "kind" in item ? field("item", item) : item });
}

export function struct(fields: readonly Field[]): Extract<DataType, { kind: "struct" }> {
  return Object.freeze({ kind: "struct", fields: Object.freeze([...fields]) });
}

export function field(name: string, type: DataType, nullable = true): Field {
  return Object.freeze({ name, type, nullable });
}

/** Throws `ArrowError` "type" when two fields have one name. */
export function schema(fields: readonly Field[]): Schema {
  const seen = new Set<string>();
  for (const { name } of fields) {
    if (seen.has(name))
      throw new ArrowError("type", `Cannot make a schema: two columns are named "${name}". Rename one.`);
    seen.add(name);
  }
  return Object.freeze({ fields: Object.freeze([...fields]) });
}

// Questions about types.

/** What a value of the column is: a dictionary's value type, else the type itself. */
export function valueType(type: DataType): Exclude<DataType, { kind: "dictionary" }> {
  if (type.kind !== "dictionary") return type;
  return type.value as Exclude<DataType, { kind: "dictionary" }>; // dictionary() refuses nesting
}

const INTEGER_BITS: ReadonlyMap<string, number> = new Map<IntKind, number>([
  ["int8", 8],
  ["int16", 16],
  ["int32", 32],
  ["int64", 64],
  ["uint8", 8],
  ["uint16", 16],
  ["uint32", 32],
  ["uint64", 64],
]);

export function isInteger(type: DataType): type is { readonly kind: IntKind } {
  return INTEGER_BITS.has(type.kind);
}

export function isSignedInteger(type: DataType): boolean {
  return isInteger(type) && type.kind.startsWith("int");
}

export function isFloat(type: DataType): type is { readonly kind: FloatKind } {
  return type.kind === "float32" || type.kind === "float64";
}

/** Integers, floats and decimals. */
export function isNumeric(type: DataType): boolean {
  return isInteger(type) || isFloat(type) || type.kind === "decimal";
}

export function isString(type: DataType): boolean {
  return type.kind === "utf8" || type.kind === "largeUtf8";
}

export function isBinary(type: DataType): boolean {
  return type.kind === "binary" || type.kind === "largeBinary" || type.kind === "fixedSizeBinary";
}

/** Dates, timestamps, times of day and durations. */
export function isTemporal(type: DataType): boolean {
  return type.kind === "date32" || type.kind === "timestamp" || type.kind === "time" || type.kind === "duration";
}

export function isNested(type: DataType): boolean {
  return type.kind === "list" || type.kind === "struct";
}

/** True when rows are `offsets` into `data` (utf8, binary and their large forms). */
export function isVariableWidth(type: DataType): boolean {
  return isString(type) || type.kind === "binary" || type.kind === "largeBinary";
}

/**
 * Bytes one row takes in `data` (dictionary: of an index, 4); 0 for what has no fixed whole number of bytes: bool,
 * null, utf8, binary, list and struct.
 */
export function byteWidth(type: DataType): number {
  switch (type.kind) {
    case "null":
    case "bool":
    case "utf8":
    case "largeUtf8":
    case "binary":
    case "largeBinary":
    case "list":
    case "struct":
      return 0;
    case "int8":
    case "uint8":
      return 1;
    case "int16":
    case "uint16":
      return 2;
    case "int32":
    case "uint32":
    case "float32":
    case "date32":
    case "dictionary":
      return 4;
    case "int64":
    case "uint64":
    case "float64":
    case "timestamp":
    case "duration":
      return 8;
    case "time":
      return type.unit === "second" || type.unit === "millisecond" ? 4 : 8;
    case "decimal":
      return 16;
    case "fixedSizeBinary":
      return type.byteWidth;
    default:
      return unreachable(type);
  }
}

function fieldEquals(a: Field, b: Field): boolean {
  return a.name === b.name && a.nullable === b.nullable && typeEquals(a.type, b.type);
}

function fieldsEqual(a: readonly Field[], b: readonly Field[]): boolean {
  return a.length === b.length && a.every((f, i) => fieldEquals(f, b[i] as Field));
}

/** Same type with all its parameters, field names and nullability included. */
export function typeEquals(a: DataType, b: DataType): boolean {
  if (a === b) return true;
  switch (a.kind) {
    case "decimal":
      return b.kind === "decimal" && a.precision === b.precision && a.scale === b.scale;
    case "fixedSizeBinary":
      return b.kind === "fixedSizeBinary" && a.byteWidth === b.byteWidth;
    case "timestamp":
      return b.kind === "timestamp" && a.unit === b.unit && a.timezone === b.timezone;
    case "time":
    case "duration":
      return b.kind === a.kind && a.unit === b.unit;
    case "dictionary":
      return b.kind === "dictionary" && a.index === b.index && a.ordered === b.ordered && typeEquals(a.value, b.value);
    case "list":
      return b.kind === "list" && fieldEquals(a.item, b.item);
    case "struct":
      return b.kind === "struct" && fieldsEqual(a.fields, b.fields);
    default:
      return a.kind === b.kind;
  }
}

export function schemaEquals(a: Schema, b: Schema): boolean {
  return fieldsEqual(a.fields, b.fields);
}

/** Position of the column, −1 when there is none. */
export function fieldIndex(s: Schema, name: string): number {
  return s.fields.findIndex((f) => f.name === name);
}
