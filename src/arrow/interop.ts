import type * as Apache from "apache-arrow";
import { invariant, unreachable } from "../kernel/mod.ts";
import type { Arena } from "./arena.ts";
import type { Batch, Column } from "./column.ts";
import { byteWidth, type DataType, type Field } from "./types.ts";

/*
 * Batches as apache-arrow sees them. That library takes 70 ms to load, so it is loaded only where user functions or
 * callers want its tables: `await loadApacheArrow()` once a thread, then everything here is synchronous.
 */

let loaded: typeof Apache | null = null;

/** Loads apache-arrow in this thread; cheap when it is there. */
export async function loadApacheArrow(): Promise<void> {
  loaded ??= await import("apache-arrow");
}

export function apacheArrow(): typeof Apache {
  invariant(loaded !== null, "apache-arrow is not loaded; await loadApacheArrow() in this thread first");
  return loaded;
}

const UNITS = { second: 0, millisecond: 1, microsecond: 2, nanosecond: 3 } as const;

function arrowField(f: Field): Apache.Field {
  return new (apacheArrow().Field)(f.name, arrowType(f.type), f.nullable);
}

function arrowTemporal(type: Extract<DataType, { kind: "timestamp" | "time" | "duration" }>): Apache.DataType {
  const lib = apacheArrow();
  const unit = UNITS[type.unit];
  if (type.kind === "duration") return new lib.Duration(unit);
  if (type.kind === "timestamp") return new lib.Timestamp(unit, type.timezone);
  return new lib.Time(unit, byteWidth(type) === 4 ? 32 : 64);
}

/** The type as the arena's layout is: large types have 32-bit offsets here, indices are int32. */
function arrowType(type: DataType): Apache.DataType {
  const lib = apacheArrow();
  switch (type.kind) {
    case "null":
      return new lib.Null();
    case "bool":
      return new lib.Bool();
    case "int8":
    case "int16":
    case "int32":
    case "int64":
    case "uint8":
    case "uint16":
    case "uint32":
    case "uint64":
      return new lib.Int(type.kind.startsWith("int"), (8 * byteWidth(type)) as 8 | 16 | 32 | 64);
    case "float32":
      return new lib.Float32();
    case "float64":
      return new lib.Float64();
    case "decimal":
      return new lib.Decimal(type.scale, type.precision, 128);
    case "utf8":
    case "largeUtf8":
      return new lib.Utf8();
    case "binary":
    case "largeBinary":
      return new lib.Binary();
    case "fixedSizeBinary":
      return new lib.FixedSizeBinary(type.byteWidth);
    case "date32":
      return new lib.DateDay();
    case "timestamp":
    case "time":
    case "duration":
      return arrowTemporal(type);
    case "dictionary":
      return new lib.Dictionary(arrowType(type.value), new lib.Int32(), null, type.ordered);
    case "list":
      return new lib.List(arrowField(type.item));
    case "struct":
      return new lib.Struct(type.fields.map(arrowField));
    default:
      return unreachable(type);
  }
}

type Values = Exclude<Apache.Data["values"], undefined>;

/** The column's values as the typed array that apache-arrow uses for the type, over the arena. */
function arrowValues(arena: Arena, column: Column): Values {
  const { buffer } = arena;
  const { type, data, length } = column;
  switch (type.kind) {
    case "int8":
      return new Int8Array(buffer, data, length);
    case "int16":
      return new Int16Array(buffer, data, length);
    case "uint16":
      return new Uint16Array(buffer, data, length);
    case "uint32":
      return new Uint32Array(buffer, data, length);
    case "int32":
    case "date32":
      return new Int32Array(buffer, data, length);
    case "uint64":
      return new BigUint64Array(buffer, data, length);
    case "int64":
    case "timestamp":
    case "duration":
      return new BigInt64Array(buffer, data, length);
    case "time":
      return byteWidth(type) === 4 ? new Int32Array(buffer, data, length) : new BigInt64Array(buffer, data, length);
    case "float32":
      return new Float32Array(buffer, data, length);
    case "float64":
      return new Float64Array(buffer, data, length);
    case "decimal":
      return new Uint32Array(buffer, data, 4 * length);
    case "bool":
      return new Uint8Array(buffer, data, (length + 7) >>> 3);
    case "utf8":
    case "largeUtf8":
    case "binary":
    case "largeBinary":
      return new Uint8Array(buffer, data, arena.i32[(column.offsets >>> 2) + length] as number);
    default:
      return new Uint8Array(buffer, data, length * byteWidth(type));
  }
}

/** A column as apache-arrow `Data` over the arena's bytes: nothing is copied. */
function toData(arena: Arena, column: Column): Apache.Data {
  const lib = apacheArrow();
  const { type, length, nullCount, validity, dictionary } = column;
  const nullBitmap = validity === 0 ? undefined : new Uint8Array(arena.buffer, validity, (length + 7) >>> 3);
  const base = { length, nullCount, nullBitmap };
  const make = lib.makeData as (props: object) => Apache.Data; // its overloads want the type to be known statically
  if (dictionary !== null) {
    const values = new lib.Vector([toData(arena, dictionary)]);
    const indexed =
      type.kind === "dictionary"
        ? type
        : ({ kind: "dictionary", index: "int32", value: type, ordered: false } as const);
    const data = new Int32Array(arena.buffer, column.data, length);
    return make({ ...base, type: arrowType(indexed), data, dictionary: values });
  }
  if (type.kind === "null") return make({ type: arrowType(type), length });
  if (type.kind === "struct") {
    return make({ ...base, type: arrowType(type), children: column.children.map((child) => toData(arena, child)) });
  }
  const offsets =
    column.offsets === 0 ? {} : { valueOffsets: new Int32Array(arena.buffer, column.offsets, length + 1) };
  if (type.kind === "list") {
    return make({ ...base, ...offsets, type: arrowType(type), child: toData(arena, column.children[0] as Column) });
  }
  return make({ ...base, ...offsets, type: arrowType(type), data: arrowValues(arena, column) as Uint8Array });
}

/**
 * An apache-arrow table over the memory of the batches, of which there is at least one. Valid while they are held;
 * nothing is copied. Needs `loadApacheArrow()`.
 */
export function toArrowTable(arena: Arena, batches: readonly Batch[]): Apache.Table {
  const lib = apacheArrow();
  const [first] = batches;
  invariant(first !== undefined, "a table needs a batch");
  const parts = batches.map((batch) => batch.columns.map((column) => toData(arena, column)));
  const fields = first.schema.fields.map((f, i) => {
    const data = parts[0]?.[i] as Apache.Data;
    return new lib.Field(f.name, data.type, f.nullable);
  });
  const of = new lib.Schema(fields);
  const records = parts.map((children, i) => {
    const length = batches[i]?.rowCount ?? 0;
    const data = lib.makeData({ type: new lib.Struct(fields), length, nullCount: 0, children });
    return new lib.RecordBatch(of, data);
  });
  return new lib.Table(of, records);
}
