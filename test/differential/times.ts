import type { DataType, TimeUnit } from "../../src/arrow/mod.ts";
import { expr } from "../../src/plan/mod.ts";
import { call, type Make, type Making, type Pair, tryCast } from "./pair.ts";
import { sqlType, UNITS_PER_SECOND, ZONED_TYPES } from "./types.ts";

/** Expressions over times of day, durations, timestamps with a zone, and bytes. */

type Timestamp = Extract<DataType, { kind: "timestamp" }>;

const INT64: DataType = { kind: "int64" };
const UTF8: DataType = { kind: "utf8" };
const DATE: DataType = { kind: "date32" };
const timestampOf = (unit: TimeUnit): Timestamp => ({ kind: "timestamp", unit, timezone: null });
const timeOf = (unit: TimeUnit): DataType => ({ kind: "time", unit });
const TIMESTAMPS = [timestampOf("second"), timestampOf("millisecond"), timestampOf("microsecond")] as const;
const TIMES = [timeOf("second"), timeOf("millisecond"), timeOf("microsecond")] as const;

const zoneOf = (type: DataType): string => (type as Timestamp).timezone ?? "UTC";

/** The wall clock of the value's zone, without a zone. */
const wallOf = (value: Pair): string => `(${value.sql} AT TIME ZONE '${zoneOf(value.type)}')`;

/** Rounded down to the unit of the type: DuckDB's timestamps are in microseconds. */
function rounded(sql: string, unit: TimeUnit): string {
  return unit === "second" || unit === "millisecond" ? `date_trunc('${unit}', ${sql})` : sql;
}

function zonedOfWall(sql: string, type: DataType): string {
  return `(${rounded(sql, (type as Timestamp).unit)} AT TIME ZONE '${zoneOf(type)}')`;
}

const zonedLeaf = (make: Making): Pair => make.leaf(make.typeOf(ZONED_TYPES));

const truncateZoned: Make = (make, type) => {
  const a = make.leaf(type);
  const unit = make.random.pick(["year", "quarter", "month", "week", "day", "hour", "minute", "second"] as const);
  return {
    ours: expr.call("dateTruncate", [a.ours], unit),
    sql: zonedOfWall(`date_trunc('${unit}', ${wallOf(a)})`, type),
    type,
  };
};

const addCalendar: Make = (make, type) => {
  const a = make.leaf(type);
  const unit = make.random.pick(["day", "week", "month", "year"] as const);
  const count = make.random.below(40) - 20;
  const ours = expr.call("dateAdd", [a.ours, expr.literal(BigInt(count))], unit);
  return { ours, sql: zonedOfWall(`(${wallOf(a)} + to_${unit}s(${count}))`, type), type };
};

const CLOCK_UNITS = ["hour", "minute", "second"] as const;

const addClock: Make = (make, type) => {
  const a = make.leaf(type);
  const unit = make.random.pick(CLOCK_UNITS);
  const count = make.random.below(6) - 3;
  const ours = expr.call("dateAdd", [a.ours, expr.literal(BigInt(count))], unit);
  return { ours, sql: `(${a.sql} + to_${unit}s(${count}))`, type };
};

/** The same instant in another zone. */
const otherZone: Make = (make, type) => {
  const a = zonedLeaf(make);
  // The wall clock of UTC only serves to round.
  const sql = `(${rounded(`(${a.sql} AT TIME ZONE 'UTC')`, (type as Timestamp).unit)} AT TIME ZONE 'UTC')`;
  return { ours: expr.cast(a.ours, type), sql, type };
};

/** Midnight is at no change of the zones of the tests. */
const zonedOfDate: Make = (make, type) => {
  const a = make.leaf(DATE);
  return { ours: expr.cast(a.ours, type), sql: zonedOfWall(`CAST(${a.sql} AS TIMESTAMP)`, type), type };
};

const zonedOfTimestamp: Make = (make, type) => {
  const a = make.leaf(make.typeOf(TIMESTAMPS));
  const day = expr.call("dateTruncate", [a.ours], "day");
  const noon = expr.call("dateAdd", [day, expr.literal(12n)], "hour");
  const sql = `(CAST(date_trunc('day', ${a.sql}) AS TIMESTAMP) + to_hours(12))`;
  return { ours: expr.cast(noon, type), sql: zonedOfWall(sql, type), type };
};

export const ZONED_MAKERS: readonly Make[] = [
  truncateZoned,
  truncateZoned,
  addCalendar,
  addClock,
  otherZone,
  zonedOfDate,
  zonedOfTimestamp,
];

const DATE_PARTS = [
  ["year", "year"],
  ["quarter", "quarter"],
  ["month", "month"],
  ["day", "day"],
  ["dayOfWeek", "isodow"],
  ["dayOfYear", "doy"],
] as const;

const CLOCK_PARTS = [
  ["hour", "hour"],
  ["minute", "minute"],
  ["second", "second"],
] as const;

export const zonedPart: Make = (make, type) => {
  const a = zonedLeaf(make);
  const [fn, part] = make.random.pick([...DATE_PARTS, ...CLOCK_PARTS]);
  return tryCast(call(fn, [a], `date_part('${part}', ${wallOf(a)})`, INT64), type);
};

export const clockPart: Make = (make, type, depth) => {
  const a = make.any(make.typeOf([...TIMESTAMPS, ...TIMES, DATE]), depth);
  const [fn, part] = make.random.pick(CLOCK_PARTS);
  return tryCast(call(fn, [a], `date_part('${part}', ${a.sql})`, INT64), type);
};

export const clockDiff: Make = (make, type, depth) => {
  const source = make.typeOf(TIMESTAMPS);
  const [a, b] = [make.any(source, depth), make.any(source, depth)];
  const unit = make.random.pick([...CLOCK_UNITS, "millisecond", "microsecond"] as const);
  const ours = expr.call("dateDiff", [a.ours, b.ours], unit);
  const sql = `date_diff('${unit}', CAST(${a.sql} AS TIMESTAMP), CAST(${b.sql} AS TIMESTAMP))`;
  return tryCast({ ours, sql, type: INT64 }, type);
};

/** Calendar units by the wall clock, others by elapsed time. */
export const zonedDiff: Make = (make, type) => {
  const source = make.typeOf(ZONED_TYPES);
  const [a, b] = [make.leaf(source), make.leaf(source)];
  const unit = make.random.pick(["year", "month", "day", "minute", "second"] as const);
  const ours = expr.call("dateDiff", [a.ours, b.ours], unit);
  const clock = unit === "minute" || unit === "second" ? "UTC" : zoneOf(source);
  const [from, to] = [a, b].map((each) => `(${each.sql} AT TIME ZONE '${clock}')`);
  return tryCast({ ours, sql: `date_diff('${unit}', ${from}, ${to})`, type: INT64 }, type);
};

export const timestampPlus: Make = (make, type, depth) => {
  const a = make.any(type, depth);
  const unit = make.random.pick(CLOCK_UNITS);
  const count = make.random.below(4000) - 2000;
  const ours = expr.call("dateAdd", [a.ours, expr.literal(BigInt(count))], unit);
  return { ours, sql: `CAST(CAST(${a.sql} AS TIMESTAMP) + to_${unit}s(${count}) AS ${sqlType(type)})`, type };
};

/** To a finer or coarser unit, which rounds down. */
export const timestampUnits: Make = (make, type, depth) => {
  const a = make.any(make.typeOf(TIMESTAMPS), depth);
  const sql = `CAST(${rounded(`CAST(${a.sql} AS TIMESTAMP)`, (type as Timestamp).unit)} AS ${sqlType(type)})`;
  return { ours: expr.cast(a.ours, type), sql, type };
};

export const timestampOfZoned: Make = (make, type) => {
  const a = zonedLeaf(make);
  const sql = `CAST(${rounded(wallOf(a), (type as Timestamp).unit)} AS ${sqlType(type)})`;
  return { ours: expr.cast(a.ours, type), sql, type };
};

export const timeOfTimestamp: Make = (make, type, depth) => {
  const zoned = make.random.chance(0.3);
  const a = zoned ? zonedLeaf(make) : make.any(make.typeOf(TIMESTAMPS), depth);
  const wall = zoned ? wallOf(a) : `CAST(${a.sql} AS TIMESTAMP)`;
  const { unit } = type as Extract<DataType, { kind: "time" }>;
  return { ours: expr.cast(a.ours, type), sql: `CAST(${rounded(wall, unit)} AS TIME)`, type };
};

/** A duration is a number of its unit; a coarser unit rounds down. */
export const durationMath: Make = (make, type, depth) => {
  const { unit } = type as Extract<DataType, { kind: "duration" }>;
  const from = make.random.pick(["second", "millisecond", "microsecond", "nanosecond"] as const);
  const a = make.any({ kind: "duration", unit: from }, depth);
  const ours = expr.cast(a.ours, type, "null");
  const [per, into] = [UNITS_PER_SECOND[from], UNITS_PER_SECOND[unit]];
  if (into >= per) return { ours, sql: `TRY_CAST(CAST(${a.sql} AS HUGEINT) * ${into / per} AS BIGINT)`, type };
  const ratio = per / into;
  return { ours, sql: `((${a.sql} - ((${a.sql} % ${ratio}) + ${ratio}) % ${ratio}) // ${ratio})`, type };
};

export const binaryOfText: Make = (make, type, depth) => {
  const a = make.any(UTF8, depth);
  return { ours: expr.cast(a.ours, type), sql: `encode(${a.sql})`, type };
};

/** Null where the bytes are no text. */
export const textOfBinary: Make = (make, type, depth) => {
  const a = make.any({ kind: "binary" }, depth);
  return { ours: expr.cast(a.ours, type, "null"), sql: `TRY(decode(${a.sql}))`, type };
};

export const textOfTime: Make = (make, type, depth) => {
  const a = make.any(make.typeOf([...TIMESTAMPS, ...TIMES, DATE]), depth);
  return tryCast(a, type);
};

const COMPARISONS = [
  ["eq", "="],
  ["ne", "<>"],
  ["lt", "<"],
  ["le", "<="],
  ["gt", ">"],
  ["ge", ">="],
] as const;

const COMPARABLE: readonly (readonly DataType[])[] = [
  [
    { kind: "int8" },
    { kind: "int64" },
    { kind: "uint64" },
    { kind: "uint32" },
    { kind: "decimal", precision: 9, scale: 2 },
    { kind: "decimal", precision: 30, scale: 6 },
  ],
  [{ kind: "int32" }, { kind: "int64" }, { kind: "uint16" }, { kind: "float64" }],
  [DATE, ...TIMESTAMPS],
  ZONED_TYPES,
  TIMES,
  [UTF8, { kind: "largeUtf8" }],
  [{ kind: "binary" }, { kind: "largeBinary" }, { kind: "fixedSizeBinary", byteWidth: 4 }],
];

/** Operands of two types, which are brought to a common one. */
export const mixedComparison: Make = (make, _type, depth) => {
  const types = make.random.pick(COMPARABLE);
  const [a, b] = [make.any(make.typeOf(types), depth), make.any(make.typeOf(types), depth)];
  const [fn, operator] = make.random.pick(COMPARISONS);
  return call(fn, [a, b], `(${a.sql} ${operator} ${b.sql})`, { kind: "bool" });
};
