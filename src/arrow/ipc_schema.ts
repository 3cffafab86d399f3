import { unreachable } from "../kernel/mod.ts";
import { ArrowError } from "./error.ts";
import { corrupt, type FlatBuilder, type FlatRef, type FlatTable } from "./flatbuffer.ts";
import type { DataType, Field, IntKind, Schema, TimeUnit } from "./types.ts";
import * as types from "./types.ts";

/*
 * Schema.fbs both ways. Reading gives a `WireField`: the column's type here and how its buffers lie in a message,
 * which may differ (views, fixed-size lists, 64-bit offsets, half floats …).
 */

/** How the buffers of a column of a message are laid out. `width` is bytes a value in the message. */
export type WireLayout =
  | { readonly kind: "null" }
  | { readonly kind: "bool" }
  | { readonly kind: "fixed"; readonly width: number }
  | { readonly kind: "half" }
  /** Decimals of 32 and 64 bits. */
  | { readonly kind: "narrowDecimal"; readonly width: number }
  | { readonly kind: "heap"; readonly offsetWidth: 4 | 8; readonly text: boolean }
  | { readonly kind: "view"; readonly text: boolean }
  | { readonly kind: "list"; readonly offsetWidth: 4 | 8 }
  | { readonly kind: "fixedList"; readonly listLength: number }
  | { readonly kind: "struct" }
  /** Not carried; `buffers` and children say what to step over. */
  | { readonly kind: "unsupported"; readonly name: string; readonly buffers: number };

export interface WireField {
  readonly name: string;
  readonly nullable: boolean;
  /** For what is not supported: the null type. */
  readonly type: DataType;
  readonly layout: WireLayout;
  readonly children: readonly WireField[];
  /** Set for dictionary columns: `layout` and `children` are those of the values. */
  readonly dictionary: { readonly id: number; readonly indexWidth: 1 | 2 | 4 | 8; readonly signed: boolean } | null;
}

export interface WireSchema {
  readonly fields: readonly WireField[];
}

const NESTING_MAX = 64;
/** Columns and their children in one schema. */
const FIELD_COUNT_MAX = 100_000;
const UNITS: readonly TimeUnit[] = ["second", "millisecond", "microsecond", "nanosecond"];

/** Numbers of the `Type` union. */
const TYPE = {
  null: 1,
  int: 2,
  float: 3,
  binary: 4,
  utf8: 5,
  bool: 6,
  decimal: 7,
  date: 8,
  time: 9,
  timestamp: 10,
  interval: 11,
  list: 12,
  struct: 13,
  union: 14,
  fixedSizeBinary: 15,
  fixedSizeList: 16,
  map: 17,
  duration: 18,
  largeBinary: 19,
  largeUtf8: 20,
  largeList: 21,
  runEndEncoded: 22,
  binaryView: 23,
  utf8View: 24,
  listView: 25,
  largeListView: 26,
} as const;

interface Decoded {
  readonly type: DataType;
  readonly layout: WireLayout;
}

function unsupported(name: string, buffers: number): Decoded {
  return { type: types.nullType, layout: { kind: "unsupported", name, buffers } };
}

function fixed(type: DataType): Decoded {
  return { type, layout: { kind: "fixed", width: types.byteWidth(type) } };
}

function intKind(table: FlatTable | null): IntKind {
  const bits = table?.i32(0, 0) ?? 32;
  const signed = table?.bool(1) ?? true;
  if (bits !== 8 && bits !== 16 && bits !== 32 && bits !== 64) {
    throw corrupt(table?.data.origin ?? 0, `integers of ${bits} bits do not exist`);
  }
  return `${signed ? "int" : "uint"}${bits}`;
}

function unitOf(table: FlatTable, absent: number): TimeUnit {
  const unit = UNITS[table.i16(0, absent)];
  if (unit === undefined) throw corrupt(table.data.origin + table.at, "unknown time unit");
  return unit;
}

function decodeDecimal(table: FlatTable): Decoded {
  const bits = table.i32(2, 128);
  const precision = table.i32(0, 0);
  const scale = table.i32(1, 0);
  if (bits === 256) return unsupported("decimal256", 2);
  if (bits !== 32 && bits !== 64 && bits !== 128)
    throw corrupt(table.data.origin + table.at, `decimal of ${bits} bits`);
  const range =
    precision >= 1 && precision <= types.DECIMAL_PRECISION_MAX && Math.abs(scale) <= types.DECIMAL_PRECISION_MAX;
  if (!range) throw corrupt(table.data.origin + table.at, `decimal(${precision}, ${scale}) does not exist`);
  const type = types.decimal(precision, scale);
  return bits === 128 ? fixed(type) : { type, layout: { kind: "narrowDecimal", width: bits / 8 } };
}

function decodeFloat(table: FlatTable): Decoded {
  const precision = table.i16(0, 0);
  if (precision === 0) return { type: types.float32, layout: { kind: "half" } };
  return fixed(precision === 1 ? types.float32 : types.float64);
}

function decodeTemporal(typeType: number, table: FlatTable): Decoded {
  switch (typeType) {
    case TYPE.date:
      // date64 counts milliseconds: kept to the bit as a timestamp.
      return fixed(table.i16(0, 1) === 0 ? types.date32 : types.timestamp("millisecond"));
    case TYPE.time:
      return fixed(types.time(unitOf(table, 1)));
    case TYPE.timestamp:
      return fixed(types.timestamp(unitOf(table, 0), table.text(1) || null));
    default:
      return fixed(types.duration(unitOf(table, 1)));
  }
}

function nestedFields(children: readonly WireField[]): Field[] {
  return children.map((child) => types.field(child.name, child.type, child.nullable));
}

function decodeNested(typeType: number, table: FlatTable, children: readonly WireField[]): Decoded {
  const fields = nestedFields(children);
  const place = table.data.origin + table.at;
  const bad = children.find((child) => child.layout.kind === "unsupported")?.layout;
  if (typeType === TYPE.struct) {
    if (bad?.kind === "unsupported") return { type: types.nullType, layout: { ...bad, buffers: 1 } };
    return { type: types.struct(fields), layout: { kind: "struct" } };
  }
  const [item] = fields;
  if (item === undefined || fields.length !== 1) throw corrupt(place, "a list has not exactly one child");
  const type = types.list(item);
  if (typeType === TYPE.fixedSizeList) {
    if (bad?.kind === "unsupported") return { type: types.nullType, layout: { ...bad, buffers: 1 } };
    const listLength = table.i32(0, 0);
    if (listLength < 0) throw corrupt(place, "a list has a negative length");
    return { type, layout: { kind: "fixedList", listLength } };
  }
  if (bad?.kind === "unsupported") return { type: types.nullType, layout: { ...bad, buffers: 2 } };
  return { type, layout: { kind: "list", offsetWidth: typeType === TYPE.largeList ? 8 : 4 } };
}

function decodeType(typeType: number, table: FlatTable, children: readonly WireField[]): Decoded {
  switch (typeType) {
    case TYPE.null:
      return { type: types.nullType, layout: { kind: "null" } };
    case TYPE.int:
      return fixed({ kind: intKind(table) });
    case TYPE.float:
      return decodeFloat(table);
    case TYPE.binary:
      return { type: types.binary, layout: { kind: "heap", offsetWidth: 4, text: false } };
    case TYPE.utf8:
      return { type: types.utf8, layout: { kind: "heap", offsetWidth: 4, text: true } };
    case TYPE.largeBinary:
      return { type: types.largeBinary, layout: { kind: "heap", offsetWidth: 8, text: false } };
    case TYPE.largeUtf8:
      return { type: types.largeUtf8, layout: { kind: "heap", offsetWidth: 8, text: true } };
    case TYPE.binaryView:
      return { type: types.binary, layout: { kind: "view", text: false } };
    case TYPE.utf8View:
      return { type: types.utf8, layout: { kind: "view", text: true } };
    case TYPE.bool:
      return { type: types.bool, layout: { kind: "bool" } };
    case TYPE.decimal:
      return decodeDecimal(table);
    case TYPE.date:
    case TYPE.time:
    case TYPE.timestamp:
    case TYPE.duration:
      return decodeTemporal(typeType, table);
    case TYPE.fixedSizeBinary:
      if (table.i32(0, 0) < 0) throw corrupt(table.data.origin + table.at, "a negative width");
      return fixed(types.fixedSizeBinary(table.i32(0, 0)));
    case TYPE.list:
    case TYPE.largeList:
    case TYPE.fixedSizeList:
    case TYPE.map:
    case TYPE.struct:
      return decodeNested(typeType, table, children);
    case TYPE.interval:
      return unsupported("interval", 2);
    case TYPE.union:
      return unsupported("union", table.i16(0, 0) === 1 ? 2 : 1);
    case TYPE.runEndEncoded:
      return unsupported("runEndEncoded", 0);
    case TYPE.listView:
    case TYPE.largeListView:
      return unsupported("listView", 3);
    default:
      throw corrupt(table.data.origin + table.at, `unknown type number ${typeType}`);
  }
}

function decodeField(table: FlatTable, depth: number, budget: { fields: number }): WireField {
  const place = table.data.origin + table.at;
  if (--budget.fields < 0) throw corrupt(place, `there are more than ${FIELD_COUNT_MAX} columns`);
  if (depth > NESTING_MAX) throw corrupt(place, "columns are nested too deeply");
  const children = table.tables(5).map((child) => decodeField(child, depth + 1, budget));
  const typeTable = table.table(3);
  if (typeTable === null) throw corrupt(place, "a column has no type");
  const { type, layout } = decodeType(table.i8(2, 0), typeTable, children);
  const base = { name: table.text(0) ?? "", nullable: table.bool(1), layout, children };
  const encoding = table.table(4);
  if (encoding === null) return { ...base, type, dictionary: null };
  if (layout.kind === "unsupported") {
    return { ...base, type, layout: { ...layout, buffers: 2 }, children: [], dictionary: null };
  }
  const index = intKind(encoding.table(1));
  const width = types.byteWidth({ kind: index }) as 1 | 2 | 4 | 8;
  const dictionary = { id: encoding.size(0), indexWidth: width, signed: index.startsWith("int") };
  return { ...base, type: types.dictionary(type, index, { ordered: encoding.bool(2) }), dictionary };
}

/** Reads a `Schema` table. Throws "corrupt", and "unsupported" for big-endian data. */
export function decodeSchema(table: FlatTable): WireSchema {
  if (table.i16(0, 0) !== 0) {
    throw new ArrowError("unsupported", "Cannot read Arrow data: it is big-endian. Write it little-endian.");
  }
  const budget = { fields: FIELD_COUNT_MAX };
  return { fields: table.tables(1).map((f) => decodeField(f, 0, budget)) };
}

/** The fields as a schema here. Throws "unsupported" with the column's name for types that are not carried. */
export function toSchema(fields: readonly WireField[]): Schema {
  for (const { name, layout } of fields) {
    if (layout.kind !== "unsupported") continue;
    throw new ArrowError(
      "unsupported",
      `Cannot read column "${name}": type ${layout.name} is not supported. Leave the column out.`,
    );
  }
  return types.schema(nestedFields(fields));
}

// Writing.

function encodeIntType(flat: FlatBuilder, kind: IntKind): FlatRef {
  flat.startTable();
  flat.i32(0, 8 * types.byteWidth({ kind }));
  flat.i8(1, kind.startsWith("int") ? 1 : 0);
  return flat.endTable();
}

/** An i16 in slot 0, and nothing else. */
function encodeSmall(flat: FlatBuilder, value: number): FlatRef {
  flat.startTable();
  flat.i16(0, value);
  return flat.endTable();
}

function encodeEmpty(flat: FlatBuilder): FlatRef {
  flat.startTable();
  return flat.endTable();
}

interface Encoded {
  readonly typeType: number;
  readonly type: FlatRef;
}

function encodeTemporal(
  flat: FlatBuilder,
  type: Extract<DataType, { kind: "timestamp" | "time" | "duration" }>,
): Encoded {
  const unit = UNITS.indexOf(type.unit);
  if (type.kind === "duration") return { typeType: TYPE.duration, type: encodeSmall(flat, unit) };
  const zone = type.kind === "timestamp" && type.timezone !== null ? flat.text(type.timezone) : null;
  flat.startTable();
  flat.i16(0, unit);
  if (type.kind === "timestamp") flat.ref(1, zone);
  else flat.i32(1, 8 * types.byteWidth(type));
  return { typeType: type.kind === "time" ? TYPE.time : TYPE.timestamp, type: flat.endTable() };
}

function encodeType(flat: FlatBuilder, type: DataType): Encoded {
  switch (type.kind) {
    case "null":
    case "bool":
    case "utf8":
    case "largeUtf8":
    case "binary":
    case "largeBinary":
    case "list":
    case "struct":
      return { typeType: TYPE[type.kind], type: encodeEmpty(flat) };
    case "float32":
      return { typeType: TYPE.float, type: encodeSmall(flat, 1) };
    case "float64":
      return { typeType: TYPE.float, type: encodeSmall(flat, 2) };
    case "date32":
      return { typeType: TYPE.date, type: encodeSmall(flat, 0) };
    case "timestamp":
    case "time":
    case "duration":
      return encodeTemporal(flat, type);
    case "decimal":
      flat.startTable();
      flat.i32(0, type.precision);
      flat.i32(1, type.scale);
      flat.i32(2, 128);
      return { typeType: TYPE.decimal, type: flat.endTable() };
    case "fixedSizeBinary":
      flat.startTable();
      flat.i32(0, type.byteWidth);
      return { typeType: TYPE.fixedSizeBinary, type: flat.endTable() };
    case "dictionary":
      return encodeType(flat, type.value);
    case "int8":
    case "int16":
    case "int32":
    case "int64":
    case "uint8":
    case "uint16":
    case "uint32":
    case "uint64":
      return { typeType: TYPE.int, type: encodeIntType(flat, type.kind) };
    default:
      return unreachable(type);
  }
}

function childFields(type: DataType): readonly Field[] {
  const plain = types.valueType(type);
  return plain.kind === "list" ? [plain.item] : plain.kind === "struct" ? plain.fields : [];
}

function encodeDictionary(flat: FlatBuilder, type: Extract<DataType, { kind: "dictionary" }>, id: number): FlatRef {
  const index = encodeIntType(flat, type.index);
  flat.startTable();
  flat.i64(0, id);
  flat.ref(1, index);
  flat.i8(2, type.ordered ? 1 : 0);
  return flat.endTable();
}

/** `ids` gives the next dictionary id: fields take theirs in the order parent, then children. */
function encodeField(flat: FlatBuilder, f: Field, ids: { next: number }): FlatRef {
  const id = f.type.kind === "dictionary" ? ids.next++ : 0;
  const children = flat.tables(childFields(f.type).map((child) => encodeField(flat, child, ids)));
  const name = flat.text(f.name);
  const { typeType, type } = encodeType(flat, f.type);
  const dictionary = f.type.kind === "dictionary" ? encodeDictionary(flat, f.type, id) : null;
  flat.startTable();
  flat.ref(0, name);
  flat.i8(1, f.nullable ? 1 : 0);
  flat.i8(2, typeType);
  flat.ref(3, type);
  flat.ref(4, dictionary);
  flat.ref(5, children);
  return flat.endTable();
}

/** Writes a `Schema` table. */
export function encodeSchema(flat: FlatBuilder, of: Schema): FlatRef {
  const ids = { next: 0 };
  const fields = flat.tables(of.fields.map((f) => encodeField(flat, f, ids)));
  flat.startTable();
  flat.i16(0, 0);
  flat.ref(1, fields);
  return flat.endTable();
}
