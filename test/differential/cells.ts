import type { CellInput, DataType } from "../../src/arrow/mod.ts";
import type { Random } from "./random.ts";
import { sqlType, UNITS_PER_SECOND, ZONE_HOURS } from "./types.ts";

/** Random values, as `BatchBuilder` takes them and as SQL. */

const WORDS = [
  "",
  "a",
  "b",
  "ab",
  "abc",
  "Zürich",
  "日本語",
  "😀 smile",
  "hello world",
  "  padded ",
  "100%",
  "a_b",
  "x".repeat(40),
];

const INT_BITS: Readonly<Record<string, readonly [bits: number, signed: boolean]>> = {
  int8: [8, true],
  int16: [16, true],
  int32: [32, true],
  int64: [64, true],
  uint8: [8, false],
  uint16: [16, false],
  uint32: [32, false],
  uint64: [64, false],
};

function randomInt(random: Random, kind: string): bigint {
  const [bits, signed] = INT_BITS[kind] as readonly [number, boolean];
  if (random.chance(0.05)) {
    const top = 1n << BigInt(signed ? bits - 1 : bits);
    return random.chance(0.5) ? top - 1n : signed ? -top : 0n;
  }
  const value = BigInt(random.below(random.chance(0.5) ? 6 : 100));
  return signed && random.chance(0.4) ? -value : value;
}

function randomFloat(random: Random): number {
  if (random.chance(0.08)) return random.pick([Number.NaN, -0, 0, Infinity, -Infinity, 1e300, -1e-300]);
  const value = random.below(200) / 4;
  return random.chance(0.4) ? -value : value;
}

function randomDecimal(random: Random, type: Extract<DataType, { kind: "decimal" }>): string {
  const sign = random.chance(0.4) ? "-" : "";
  if (type.precision === 38 && random.chance(0.3)) {
    const digits = random.chance(0.3) ? "9".repeat(38) : Array.from({ length: 38 }, () => random.below(10)).join("");
    return sign + (type.scale === 0 ? digits : `${digits.slice(0, -type.scale)}.${digits.slice(-type.scale)}`);
  }
  const unscaled = random.below(random.chance(0.5) ? 1000 : 1_000_000);
  return sign + (unscaled / 10 ** Math.min(type.scale, 2)).toFixed(type.scale);
}

/** Number of seconds a date or time may lie from 1970. */
const SECONDS_SPAN = 4_000_000_000;
const SECONDS_PER_DAY = 86_400;

function randomTimestamp(random: Random, type: Extract<DataType, { kind: "timestamp" }>): bigint {
  const perSecond = UNITS_PER_SECOND[type.unit];
  let seconds = random.below(SECONDS_SPAN) - SECONDS_SPAN / 4;
  if (type.timezone !== null) {
    // Between 8 and 18 o'clock: no zone changes its clocks then.
    const hour = 8 + random.below(10) - (ZONE_HOURS[type.timezone] ?? 0);
    seconds = Math.floor(seconds / SECONDS_PER_DAY) * SECONDS_PER_DAY + hour * 3600 + random.below(3600);
  }
  return BigInt(seconds) * perSecond + (random.chance(0.5) ? 0n : BigInt(random.below(Number(perSecond))));
}

function randomBytes(random: Random, length: number): Uint8Array {
  return Uint8Array.from({ length }, () => random.pick([0, 1, 65, 97, 195, 255]));
}

/** A value as `BatchBuilder` takes it; null one time in eight. */
export function randomCell(random: Random, type: DataType): CellInput {
  if (random.chance(0.12)) return null;
  switch (type.kind) {
    case "null":
      return null;
    case "bool":
      return random.chance(0.5);
    case "int64":
    case "uint64":
      return randomInt(random, type.kind);
    case "float64":
      return randomFloat(random);
    case "float32":
      return Math.fround(randomFloat(random) > 1e30 ? 1.5 : randomFloat(random));
    case "decimal":
      return randomDecimal(random, type);
    case "utf8":
    case "largeUtf8":
      return random.chance(0.8) ? random.pick(WORDS) : `${random.pick(WORDS)}${random.below(50)}`;
    case "binary":
    case "largeBinary":
      return randomBytes(random, random.below(random.chance(0.1) ? 40 : 4));
    case "fixedSizeBinary":
      return randomBytes(random, type.byteWidth);
    case "date32":
      return random.below(40_000) - 10_000;
    case "timestamp":
      return randomTimestamp(random, type);
    case "time": {
      const ticks = BigInt(random.below(SECONDS_PER_DAY)) * UNITS_PER_SECOND[type.unit];
      return type.unit === "second" || type.unit === "millisecond" ? Number(ticks) : ticks + BigInt(random.below(1000));
    }
    case "duration":
      return randomInt(random, "int64");
    default:
      return randomNested(random, type);
  }
}

function randomNested(random: Random, type: DataType): CellInput {
  if (type.kind === "dictionary") return randomCell(random, type.value);
  if (type.kind === "struct") {
    return Object.fromEntries(type.fields.map((field) => [field.name, randomCell(random, field.type)]));
  }
  if (type.kind !== "list") return Number(randomInt(random, type.kind));
  const length = random.pick([0, 1, 1, 2, 3, 5]);
  return Array.from({ length }, () => randomCell(random, type.item.type));
}

const pad = (value: bigint, digits: number): string => String(value).padStart(digits, "0");

/** `2001-02-03 04:05:06[.7…]` of ticks since 1970. */
export function timestampText(ticks: bigint, perSecond: bigint): string {
  const fraction = ((ticks % perSecond) + perSecond) % perSecond;
  const seconds = (ticks - fraction) / perSecond;
  const text = new Date(Number(seconds) * 1000).toISOString().slice(0, 19).replace("T", " ");
  return fraction === 0n ? text : `${text}.${pad(fraction, String(perSecond).length - 1)}`;
}

/** `04:05:06[.7…]` of ticks since midnight. */
export function timeText(ticks: bigint, perSecond: bigint): string {
  return timestampText(ticks, perSecond).slice(11);
}

/** A literal of `type` in SQL. */
export function sqlLiteral(type: DataType, cell: CellInput): string {
  const name = sqlType(type);
  if (cell === null) return `CAST(NULL AS ${name})`;
  switch (type.kind) {
    case "utf8":
    case "largeUtf8":
      return `'${String(cell).replaceAll("'", "''")}'`;
    case "float32":
    case "float64": {
      const value = Number(cell);
      return `CAST('${Object.is(value, -0) ? "-0.0" : String(value)}' AS ${name})`;
    }
    case "binary":
    case "largeBinary":
    case "fixedSizeBinary": {
      const hex = Array.from(cell as Uint8Array, (byte) => `\\x${byte.toString(16).padStart(2, "0")}`);
      return `CAST('${hex.join("")}' AS BLOB)`;
    }
    case "date32":
      return `(DATE '1970-01-01' + CAST(${Number(cell)} AS INTEGER))`;
    case "timestamp": {
      const zone = type.timezone === null ? "" : "+00";
      return `CAST('${timestampText(BigInt(cell as bigint), UNITS_PER_SECOND[type.unit])}${zone}' AS ${name})`;
    }
    case "time":
      if (type.unit === "nanosecond") return `CAST(${String(cell)} AS BIGINT)`;
      return `CAST('${timeText(BigInt(cell as bigint), UNITS_PER_SECOND[type.unit])}' AS TIME)`;
    case "dictionary":
      return sqlLiteral(type.value, cell);
    case "list":
      return `CAST([${(cell as CellInput[]).map((item) => sqlLiteral(type.item.type, item)).join(", ")}] AS ${name})`;
    case "struct": {
      const cells = cell as Readonly<Record<string, CellInput>>;
      const parts = type.fields.map((field) => `'${field.name}': ${sqlLiteral(field.type, cells[field.name])}`);
      return `CAST({${parts.join(", ")}} AS ${name})`;
    }
    default:
      return `CAST('${String(cell)}' AS ${name})`;
  }
}
