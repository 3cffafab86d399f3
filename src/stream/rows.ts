import {
  binary,
  bool,
  type Cell,
  type DataType,
  type Field,
  field,
  float64,
  int64,
  list,
  nullType,
  type Schema,
  schema,
  struct,
  type TimeUnit,
  timestamp,
  typeEquals,
  typeName,
  utf8,
} from "../arrow/mod.ts";
import { columnsHintText, PlanError } from "../plan/mod.ts";
import type { RowsSourceOptions } from "./connector_options.ts";

/** JavaScript rows as plain data with a schema. */

type JsRow = Readonly<Record<string, unknown>>;

const MILLIS_PER_DAY = 86_400_000;

const UNITS_PER_MILLI: Readonly<Record<TimeUnit, bigint>> = {
  second: 0n,
  millisecond: 1n,
  microsecond: 1_000n,
  nanosecond: 1_000_000n,
};

function isPlainObject(value: unknown): value is JsRow {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** Type of one value: numbers are float64, bigints int64, Dates timestamp[ms]; null when it cannot be a cell. */
function typeOfValue(value: unknown): DataType | null {
  if (value === null || value === undefined) return nullType;
  switch (typeof value) {
    case "number":
      return float64;
    case "bigint":
      return int64;
    case "string":
      return utf8;
    case "boolean":
      return bool;
    default:
      break;
  }
  if (value instanceof Date) return timestamp("millisecond");
  if (value instanceof Uint8Array) return binary;
  if (Array.isArray(value)) return typeOfItems(value);
  return isPlainObject(value) ? struct(inferFields([value]).map((f) => field(f.name, f.type))) : null;
}

function typeOfItems(items: readonly unknown[]): DataType | null {
  let type: DataType | null = nullType;
  for (const item of items) type = type === null ? null : merge(type, typeOfValue(item));
  return type === null ? null : list(type);
}

/** The type that holds values of both; null when there is none. */
function merge(a: DataType, b: DataType | null): DataType | null {
  if (b === null || typeEquals(a, b)) return b;
  if (a.kind === "null") return b;
  if (b.kind === "null") return a;
  if (a.kind === "list" && b.kind === "list") {
    const item = merge(a.item.type, b.item.type);
    return item === null ? null : list(item);
  }
  return a.kind === "struct" && b.kind === "struct" ? mergeStructs(a.fields, b.fields) : null;
}

function mergeStructs(a: readonly Field[], b: readonly Field[]): DataType | null {
  const fields: Field[] = [];
  for (const name of new Set([...a, ...b].map((f) => f.name))) {
    const left = a.find((f) => f.name === name)?.type ?? nullType;
    const type = merge(left, b.find((f) => f.name === name)?.type ?? nullType);
    if (type === null) return null;
    fields.push(field(name, type));
  }
  return struct(fields);
}

interface Inferred {
  type: DataType;
  seen: number;
  nullable: boolean;
}

/** Fields of the rows in order of first appearance; nullable where a value is missing. */
function inferFields(rows: readonly JsRow[]): Field[] {
  const columns = new Map<string, Inferred>();
  for (const [index, row] of rows.entries()) {
    for (const [name, value] of Object.entries(row)) {
      const known = columns.get(name) ?? { type: nullType, seen: 0, nullable: false };
      columns.set(name, known);
      const type = typeOfValue(value);
      const merged = type === null ? null : merge(known.type, type);
      if (merged === null) throw cannotInfer(name, index, value, type, known.type);
      known.type = merged;
      known.seen++;
      known.nullable ||= value === null || value === undefined;
    }
  }
  return [...columns].map(([name, c]) => field(name, c.type, c.nullable || c.seen < rows.length));
}

function cannotInfer(name: string, row: number, value: unknown, type: DataType | null, before: DataType): PlanError {
  const where = `Row ${row} of fromRows: column "${name}"`;
  if (type === null) {
    const advice =
      "Cells are null, boolean, number, bigint, string, Date, Uint8Array, arrays and plain objects of them.";
    return new PlanError("type", `${where} holds a ${typeof value} that is no cell. ${advice}`);
  }
  const rule = `is ${typeName(type)}, in rows before it is ${typeName(before)}`;
  return new PlanError("type", `${where} ${rule}. Make them one type, or declare a schema.`);
}

/** A value as plain data: Dates become numbers of the column's unit, missing values null. */
function cellFrom(value: unknown, type: DataType): Cell {
  if (value === null || value === undefined) return null;
  if (value instanceof Date) return dateCell(value, type);
  if (Array.isArray(value)) {
    const item = type.kind === "list" ? type.item.type : nullType;
    return value.map((v) => cellFrom(v, item));
  }
  if (type.kind === "struct" && isPlainObject(value)) {
    return Object.fromEntries(type.fields.map((f) => [f.name, cellFrom(value[f.name], f.type)]));
  }
  return value as Cell; // what is no cell of the type is refused when the rows are read, with row and column
}

function dateCell(value: Date, type: DataType): Cell {
  const millis = value.getTime();
  if (Number.isNaN(millis))
    throw new PlanError("type", "fromRows got an invalid Date. Check the text it was made from.");
  if (type.kind === "date32") return Math.floor(millis / MILLIS_PER_DAY);
  if (type.kind !== "timestamp") return value.toISOString();
  return type.unit === "second" ? BigInt(Math.floor(millis / 1000)) : BigInt(millis) * UNITS_PER_MILLI[type.unit];
}

/** Throws `PlanError` when rows differ in type or have columns that the schema has not. */
export function rowsOptions(rows: readonly JsRow[], declared: Schema | null): RowsSourceOptions {
  for (const [index, row] of rows.entries()) {
    if (isPlainObject(row) || (typeof row === "object" && row !== null && !Array.isArray(row))) continue;
    throw new PlanError("type", `Row ${index} of fromRows is ${row === null ? "null" : typeof row}; rows are objects.`);
  }
  if (declared === null && rows.length === 0) {
    throw new PlanError(
      "argument",
      'fromRows got no rows to infer columns from. Declare a schema: fromRows([], { a: "int64" }).',
    );
  }
  const columns = declared ?? schema(inferFields(rows));
  if (columns.fields.length === 0) throw new PlanError("argument", "fromRows got rows without columns.");
  checkNames(rows, columns);
  const cells = rows.map((row) => columns.fields.map((f) => cellFrom(row[f.name], f.type)));
  return { schema: columns, rows: cells };
}

function checkNames(rows: readonly JsRow[], columns: Schema): void {
  const names = columns.fields.map((f) => f.name);
  const known = new Set(names);
  for (const [index, row] of rows.entries()) {
    const extra = Object.keys(row).find((name) => !known.has(name));
    if (extra === undefined) continue;
    const hint = columnsHintText(extra, names);
    throw new PlanError("unknownColumn", `Row ${index} of fromRows has "${extra}", which the schema has not.${hint}`);
  }
}
