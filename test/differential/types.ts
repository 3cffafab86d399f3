import type { DataType, Field, TimeUnit } from "../../src/arrow/mod.ts";

/** The types of columns and expressions, and what DuckDB calls them. */

const zoned = (unit: TimeUnit, timezone: string): DataType => ({ kind: "timestamp", unit, timezone });
const clockTime = (unit: TimeUnit): DataType => ({ kind: "time", unit });
const plainTime = (unit: TimeUnit): DataType => ({ kind: "timestamp", unit, timezone: null });

const COMMON: readonly DataType[] = [
  { kind: "bool" },
  { kind: "int8" },
  { kind: "int16" },
  { kind: "int32" },
  { kind: "int32" },
  { kind: "int64" },
  { kind: "int64" },
  { kind: "uint8" },
  { kind: "uint16" },
  { kind: "uint32" },
  { kind: "uint64" },
  { kind: "float32" },
  { kind: "float64" },
  { kind: "float64" },
  { kind: "decimal", precision: 9, scale: 2 },
  { kind: "decimal", precision: 18, scale: 4 },
  { kind: "decimal", precision: 30, scale: 6 },
  { kind: "utf8" },
  { kind: "utf8" },
  { kind: "utf8" },
  { kind: "date32" },
  plainTime("microsecond"),
  plainTime("millisecond"),
];

export const ZONED_TYPES: readonly DataType[] = [
  zoned("microsecond", "Europe/Berlin"),
  zoned("millisecond", "America/New_York"),
  zoned("microsecond", "Asia/Kolkata"),
  zoned("second", "UTC"),
  zoned("microsecond", "Australia/Lord_Howe"),
];

/** Hours east of UTC, to choose times of day far from the hours at which clocks change. */
export const ZONE_HOURS: Readonly<Record<string, number>> = {
  "Europe/Berlin": 1,
  "America/New_York": -5,
  "Asia/Kolkata": 5,
  UTC: 0,
  "Australia/Lord_Howe": 10,
};

const RARE: readonly DataType[] = [
  ...ZONED_TYPES,
  { kind: "decimal", precision: 38, scale: 10 },
  { kind: "decimal", precision: 38, scale: 0 },
  { kind: "largeUtf8" },
  { kind: "binary" },
  { kind: "binary" },
  { kind: "largeBinary" },
  { kind: "fixedSizeBinary", byteWidth: 4 },
  plainTime("second"),
  plainTime("nanosecond"),
  clockTime("second"),
  clockTime("millisecond"),
  clockTime("microsecond"),
  clockTime("nanosecond"),
  { kind: "duration", unit: "second" },
  { kind: "duration", unit: "millisecond" },
  { kind: "duration", unit: "microsecond" },
  { kind: "duration", unit: "nanosecond" },
  { kind: "null" },
];

/** Types that expressions are made of. */
export const TYPES: readonly DataType[] = [...COMMON, ...RARE];

const dictionary = (value: DataType, index: "int8" | "uint16" | "int32"): DataType => {
  return { kind: "dictionary", index, value, ordered: false };
};

const DICTIONARIES: readonly DataType[] = [
  dictionary({ kind: "utf8" }, "int32"),
  dictionary({ kind: "utf8" }, "int8"),
  dictionary({ kind: "largeUtf8" }, "int32"),
  dictionary({ kind: "int64" }, "uint16"),
  dictionary({ kind: "date32" }, "int8"),
  dictionary({ kind: "decimal", precision: 18, scale: 4 }, "int32"),
  dictionary({ kind: "binary" }, "int32"),
  dictionary({ kind: "float64" }, "int32"),
];

const field = (name: string, type: DataType): Field => ({ name, type, nullable: true });
const listOf = (type: DataType): DataType => ({ kind: "list", item: field("item", type) });
const structOf = (fields: Readonly<Record<string, DataType>>): DataType => {
  return { kind: "struct", fields: Object.entries(fields).map(([name, type]) => field(name, type)) };
};

interface Chance {
  pick<T>(items: readonly T[]): T;
  chance(probability: number): boolean;
}

/** The type of a column of a table. */
export function randomColumnType(random: Chance): DataType {
  if (random.chance(0.6)) return random.pick(COMMON);
  if (random.chance(0.5)) return random.pick(RARE);
  if (random.chance(0.4)) return random.pick(DICTIONARIES);
  return randomNestedType(random, 0);
}

function randomNestedType(random: Chance, depth: number): DataType {
  const inner = (): DataType => {
    if (depth < 2 && random.chance(0.3)) return randomNestedType(random, depth + 1);
    return random.chance(0.1) ? random.pick(DICTIONARIES) : random.pick(TYPES.filter(({ kind }) => kind !== "null"));
  };
  if (random.chance(0.5)) return listOf(inner());
  return structOf(random.chance(0.5) ? { a: inner() } : { a: inner(), b: inner(), c: { kind: "int32" } });
}

export function isNested(type: DataType): boolean {
  return type.kind === "list" || type.kind === "struct";
}

/** What an expression over the column has: a dictionary counts as its values. */
export function seenType(type: DataType): DataType {
  return type.kind === "dictionary" ? type.value : type;
}

export function sameType(a: DataType, b: DataType): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** The name of a type in DuckDB. Durations, and times of day in nanoseconds, are their number there. */
export function sqlType(type: DataType): string {
  switch (type.kind) {
    case "bool":
      return "BOOLEAN";
    case "int8":
      return "TINYINT";
    case "int16":
      return "SMALLINT";
    case "int32":
    case "null":
      return "INTEGER";
    case "int64":
    case "duration":
      return "BIGINT";
    case "uint8":
      return "UTINYINT";
    case "uint16":
      return "USMALLINT";
    case "uint32":
      return "UINTEGER";
    case "uint64":
      return "UBIGINT";
    case "float32":
      return "FLOAT";
    case "float64":
      return "DOUBLE";
    case "decimal":
      return `DECIMAL(${type.precision}, ${type.scale})`;
    case "utf8":
    case "largeUtf8":
      return "VARCHAR";
    case "binary":
    case "largeBinary":
    case "fixedSizeBinary":
      return "BLOB";
    case "date32":
      return "DATE";
    case "timestamp":
      return type.timezone === null ? TIMESTAMP_NAMES[type.unit] : "TIMESTAMPTZ";
    case "time":
      return type.unit === "nanosecond" ? "BIGINT" : "TIME";
    case "dictionary":
      return sqlType(type.value);
    case "list":
      return `${sqlType(type.item.type)}[]`;
    case "struct":
      return `STRUCT(${type.fields.map((each) => `${each.name} ${sqlType(each.type)}`).join(", ")})`;
    default:
      throw new Error(`No SQL type for ${JSON.stringify(type)}`);
  }
}

const TIMESTAMP_NAMES: Readonly<Record<TimeUnit, string>> = {
  second: "TIMESTAMP_S",
  millisecond: "TIMESTAMP_MS",
  microsecond: "TIMESTAMP",
  nanosecond: "TIMESTAMP_NS",
};

export const UNITS_PER_SECOND: Readonly<Record<TimeUnit, bigint>> = {
  second: 1n,
  millisecond: 1_000n,
  microsecond: 1_000_000n,
  nanosecond: 1_000_000_000n,
};
