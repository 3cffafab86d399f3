import fc from "fast-check";
import {
  type Arena,
  type Batch,
  batchFromRows,
  binary,
  bool,
  type Cell,
  type DataType,
  date32,
  decimal,
  dictionary,
  duration,
  type Field,
  field,
  fixedSizeBinary,
  float32,
  float64,
  int8,
  int16,
  int32,
  int64,
  largeBinary,
  largeUtf8,
  list,
  nullType,
  type Schema,
  schema,
  struct,
  time,
  timestamp,
  uint8,
  uint16,
  uint32,
  uint64,
  utf8,
  valueType,
} from "../../src/arrow/mod.ts";

/** One of every type, with the parameters that change the layout. */
export const EVERY_TYPE: readonly DataType[] = [
  nullType,
  bool,
  int8,
  int16,
  int32,
  int64,
  uint8,
  uint16,
  uint32,
  uint64,
  float32,
  float64,
  decimal(38, 10),
  decimal(5, 0),
  utf8,
  largeUtf8,
  binary,
  largeBinary,
  fixedSizeBinary(3),
  date32,
  timestamp("second"),
  timestamp("millisecond", "UTC"),
  timestamp("microsecond", "Europe/Berlin"),
  timestamp("nanosecond", "+05:30"),
  time("second"),
  time("millisecond"),
  time("microsecond"),
  time("nanosecond"),
  duration("second"),
  duration("nanosecond"),
  dictionary(utf8),
  dictionary(utf8, "uint8", { ordered: true }),
  dictionary(int64, "int16"),
  list(int64),
  list(field("element", utf8)),
  list(list(bool)),
  struct([field("a", int32), field("b", utf8)]),
  struct([field("inner", list(struct([field("x", float64)])))]),
  list(dictionary(utf8)),
];

const SMALL_RANGES: Record<string, readonly [number, number]> = {
  int8: [-128, 127],
  int16: [-32_768, 32_767],
  int32: [-2_147_483_648, 2_147_483_647],
  uint8: [0, 255],
  uint16: [0, 65_535],
  uint32: [0, 4_294_967_295],
  date32: [-2_147_483_648, 2_147_483_647],
};

const DAY = { second: 86_400, millisecond: 86_400_000, microsecond: 86_400_000_000, nanosecond: 86_400_000_000_000 };

function bytes(length: { minLength: number; maxLength: number }): fc.Arbitrary<Cell> {
  return fc.uint8Array(length);
}

function decimalText(precision: number, scale: number): fc.Arbitrary<string> {
  const max = 10n ** BigInt(precision) - 1n;
  return fc.bigInt(-max, max).map((unscaled) => {
    if (scale === 0) return unscaled.toString();
    const negative = unscaled < 0n;
    const digits = (negative ? -unscaled : unscaled).toString().padStart(scale + 1, "0");
    return `${negative ? "-" : ""}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
  });
}

/** Values of a type, never null. */
function valueOf(type: DataType): fc.Arbitrary<Cell> {
  const plain = valueType(type);
  const range = SMALL_RANGES[plain.kind];
  if (range !== undefined) return fc.integer({ min: range[0], max: range[1] });
  switch (plain.kind) {
    case "null":
      return fc.constant(null);
    case "bool":
      return fc.boolean();
    case "int64":
    case "timestamp":
    case "duration":
      return fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n);
    case "uint64":
      return fc.bigInt(0n, 2n ** 64n - 1n);
    case "float32":
      return fc.float();
    case "float64":
      return fc.double();
    case "decimal":
      return decimalText(plain.precision, plain.scale);
    case "utf8":
    case "largeUtf8":
      return fc.oneof(fc.string(), fc.string({ unit: "grapheme" }), fc.constant("x".repeat(100)), fc.constant(""));
    case "binary":
    case "largeBinary":
      return bytes({ minLength: 0, maxLength: 20 });
    case "fixedSizeBinary":
      return bytes({ minLength: plain.byteWidth, maxLength: plain.byteWidth });
    case "time": {
      const max = DAY[plain.unit] - 1;
      if (plain.unit === "second" || plain.unit === "millisecond") return fc.integer({ min: 0, max });
      return fc.bigInt(0n, BigInt(max));
    }
    case "list":
      return fc.array(cellOf(plain.item), { maxLength: 5 });
    case "struct":
      return fc.record(Object.fromEntries(plain.fields.map((f) => [f.name, cellOf(f)])));
    default:
      throw new Error(`no sample for ${plain.kind}`);
  }
}

/** Cells of a field: nulls among the values when it is nullable. */
export function cellOf(f: Field): fc.Arbitrary<Cell> {
  if (f.type.kind === "null") return fc.constant(null);
  return f.nullable ? fc.option(valueOf(f.type), { freq: 4 }) : valueOf(f.type);
}

export interface Sample {
  readonly schema: Schema;
  readonly rows: readonly Record<string, Cell>[];
}

/** A schema of one to four columns and up to 40 rows of it. */
export const anySample: fc.Arbitrary<Sample> = fc
  .array(fc.tuple(fc.constantFrom(...EVERY_TYPE), fc.boolean()), { minLength: 1, maxLength: 4 })
  .chain((types) => {
    const fields = types.map(([type, nullable], i) => field(`c${i}`, type, nullable || type.kind === "null"));
    const row = fc.record(Object.fromEntries(fields.map((f) => [f.name, cellOf(f)])));
    return fc.record({ schema: fc.constant(schema(fields)), rows: fc.array(row, { maxLength: 40 }) });
  });

export function build(arena: Arena, sample: Sample): Batch {
  return batchFromRows(arena, sample.schema, sample.rows, 1);
}

/** Runs a property with a seed that is printed on failure; `SAGE_SEED` replays one. */
export const SEED = Number(process.env["SAGE_SEED"] ?? Date.now() % 2 ** 31);
