import {
  binary,
  bool,
  type DataType,
  decimal,
  float64,
  type IntKind,
  int64,
  isInteger,
  isString,
  nullType,
  type TimeUnit,
  timestamp,
  typeName,
  uint64,
  utf8,
} from "../arrow/mod.ts";
import { PlanError } from "./error.ts";
import type { LiteralInput } from "./expression.ts";
import {
  dateText,
  parseDate,
  parseTime,
  parseTimestamp,
  timestampText,
  timeText,
  UNITS_PER_SECOND,
} from "./temporal.ts";
import type { LiteralValue, TypedCast, TypedExpression, TypedLiteral } from "./typed.ts";

/** Constants: JavaScript values of the user's expression as exact values of a column type. */

const INT64_MIN = -(1n << 63n);
const INT64_MAX = (1n << 63n) - 1n;
const UINT64_MAX = (1n << 64n) - 1n;

export function integerRange(kind: IntKind): { readonly min: bigint; readonly max: bigint } {
  const signed = kind.startsWith("int");
  const bits = BigInt(kind.replace(/\D+/, ""));
  return signed ? { min: -(1n << (bits - 1n)), max: (1n << (bits - 1n)) - 1n } : { min: 0n, max: (1n << bits) - 1n };
}

export function typedLiteral(value: LiteralValue, type: DataType): TypedLiteral {
  return Object.freeze({ kind: "literal", value, type, nullable: value === null });
}

/** An integer as a literal of an integer type; null when it does not fit. */
export function integerLiteral(value: bigint, type: { readonly kind: IntKind }): TypedLiteral | null {
  const { min, max } = integerRange(type.kind);
  if (value < min || value > max) return null;
  return typedLiteral(type.kind === "int64" || type.kind === "uint64" ? value : Number(value), type);
}

export interface DecimalParts {
  readonly unscaled: bigint;
  readonly scale: number;
}

const DECIMAL = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,4}))?$/;

/** Exact value of a decimal text such as `-12.50` or `1e-7`; null when it is none. */
export function parseDecimal(text: string): DecimalParts | null {
  const match = DECIMAL.exec(text.trim());
  if (match === null || `${match[2]}${match[3] ?? ""}` === "") return null;
  const digits = BigInt(`${match[2]}${match[3] ?? ""}`);
  const scale = (match[3] ?? "").length - Number(match[4] ?? 0);
  const unscaled = match[1] === "-" ? -digits : digits;
  return scale >= 0 ? { unscaled, scale } : { unscaled: unscaled * 10n ** BigInt(-scale), scale: 0 };
}

/** The same number with another scale; null when digits would be lost. */
export function rescaleExact(unscaled: bigint, from: number, to: number): bigint | null {
  if (to >= from) return unscaled * 10n ** BigInt(to - from);
  const divisor = 10n ** BigInt(from - to);
  return unscaled % divisor === 0n ? unscaled / divisor : null;
}

function digitsOf(unscaled: bigint): number {
  return String(unscaled < 0n ? -unscaled : unscaled).length;
}

function decimalLiteral(parts: DecimalParts, type: Extract<DataType, { kind: "decimal" }>): TypedLiteral | null {
  const unscaled = rescaleExact(parts.unscaled, parts.scale, type.scale);
  return unscaled === null || digitsOf(unscaled) > type.precision ? null : typedLiteral(unscaled, type);
}

/** The narrowest decimal that holds the number; null past 38 digits. */
export function narrowestDecimal(text: string): Extract<DataType, { kind: "decimal" }> | null {
  const parts = parseDecimal(text);
  if (parts === null || parts.scale > 38) return null;
  const precision = Math.max(digitsOf(parts.unscaled), parts.scale, 1);
  return precision > 38 ? null : decimal(precision, parts.scale);
}

function isUtc(zone: string): boolean {
  return /^(utc|etc\/utc|gmt|z|\+00:?00)$/i.test(zone);
}

function fromNanos(nanos: bigint, unit: TimeUnit): bigint | null {
  const divisor = 1_000_000_000n / UNITS_PER_SECOND[unit];
  const value = nanos / divisor;
  return nanos % divisor === 0n && value >= INT64_MIN && value <= INT64_MAX ? value : null;
}

/** A text without zone, compared in a zone that only the runtime knows, stays a cast. */
function timestampLiteral(
  text: string,
  type: Extract<DataType, { kind: "timestamp" }>,
): TypedLiteral | TypedCast | null {
  const parsed = parseTimestamp(text);
  if (parsed === null) return null;
  if (type.timezone !== null && parsed.offsetSeconds === null && !isUtc(type.timezone)) {
    return Object.freeze({ kind: "cast", operand: typedLiteral(text, utf8), onError: "fail", type, nullable: false });
  }
  if (type.timezone === null && parsed.offsetSeconds !== null) return null;
  const value = fromNanos(parsed.localNanos - BigInt(parsed.offsetSeconds ?? 0) * 1_000_000_000n, type.unit);
  return value === null ? null : typedLiteral(value, type);
}

/** The text as a constant of `type`; a cast where only the runtime knows the zone; null where it is none. */
export function textLiteral(text: string, type: DataType): TypedExpression | null {
  switch (type.kind) {
    case "utf8":
    case "largeUtf8":
      return typedLiteral(text, type);
    case "date32": {
      const days = parseDate(text);
      return days === null ? null : typedLiteral(days, type);
    }
    case "timestamp":
      return timestampLiteral(text, type);
    case "time": {
      const nanos = parseTime(text);
      const value = nanos === null ? null : fromNanos(nanos, type.unit);
      return value === null ? null : typedLiteral(value, type);
    }
    case "decimal": {
      const parts = parseDecimal(text);
      return parts === null ? null : decimalLiteral(parts, type);
    }
    default:
      return null;
  }
}

function numberLiteral(value: number | bigint, type: DataType): TypedLiteral | null {
  const whole = typeof value === "bigint" || Number.isInteger(value);
  if (isInteger(type)) return whole ? integerLiteral(BigInt(value), type) : null;
  const asNumber = Number(value);
  switch (type.kind) {
    case "float32":
      if (!Object.is(Math.fround(asNumber), asNumber)) return null;
      break;
    case "float64":
      break;
    case "decimal": {
      const parts = parseDecimal(String(value));
      return parts === null ? null : decimalLiteral(parts, type);
    }
    default:
      return null;
  }
  return typeof value === "bigint" && BigInt(asNumber) !== value ? null : typedLiteral(asNumber, type);
}

function dateLiteral(value: Date, type: DataType): TypedLiteral | null {
  const millis = value.getTime();
  if (type.kind === "date32") return millis % 86_400_000 === 0 ? typedLiteral(millis / 86_400_000, type) : null;
  if (type.kind !== "timestamp") return null;
  const units = fromNanos(BigInt(millis) * 1_000_000n, type.unit);
  return units === null ? null : typedLiteral(units, type);
}

/** The value as exactly that type, or null when it is not exactly representable in it. */
export function adaptLiteral(value: LiteralInput, type: DataType): TypedExpression | null {
  if (value === null) return typedLiteral(null, type);
  if (typeof value === "string") return textLiteral(value, type);
  if (typeof value === "boolean") return type.kind === "bool" ? typedLiteral(value, type) : null;
  if (typeof value === "number" || typeof value === "bigint") return numberLiteral(value, type);
  if (value instanceof Date) return dateLiteral(value, type);
  if (type.kind === "fixedSizeBinary") return type.byteWidth === value.length ? typedLiteral(value, type) : null;
  return type.kind === "binary" || type.kind === "largeBinary" ? typedLiteral(value, type) : null;
}

/** The type that a literal has by itself: int64, uint64 or float64 for numbers, utf8, bool, binary, timestamp[ms]. */
export function literalType(value: LiteralInput): DataType {
  if (value === null) return nullType;
  if (typeof value === "string") return utf8;
  if (typeof value === "boolean") return bool;
  if (typeof value === "number") return Number.isSafeInteger(value) && !Object.is(value, -0) ? int64 : float64;
  if (value instanceof Uint8Array) return binary;
  if (value instanceof Date) return timestamp("millisecond");
  if (value >= INT64_MIN && value <= INT64_MAX) return int64;
  return value >= 0n && value <= UINT64_MAX ? uint64 : (narrowestDecimal(String(value)) ?? float64);
}

/** As what a literal enters an expression whose other operands are of type `other`, when it is not exactly of that type. */
export function literalTypeBeside(value: LiteralInput, other: DataType): DataType {
  if (other.kind === "decimal" && (typeof value === "number" || typeof value === "bigint")) {
    return (Number.isFinite(Number(value)) ? narrowestDecimal(String(value)) : null) ?? float64;
  }
  if (typeof value === "string") return textTypeBeside(value, other);
  if (value instanceof Date && other.kind === "timestamp") return timestamp("millisecond", other.timezone);
  return literalType(value);
}

const FINER: readonly TimeUnit[] = ["second", "millisecond", "microsecond", "nanosecond"];

function textTypeBeside(text: string, other: DataType): DataType {
  if (isString(other)) return other;
  if (other.kind === "decimal") return narrowestDecimal(text) ?? utf8;
  const zone = other.kind === "timestamp" ? other.timezone : null;
  if (other.kind !== "timestamp" && other.kind !== "date32") return utf8;
  return FINER.map((unit) => timestamp(unit, zone)).find((type) => textLiteral(text, type) !== null) ?? utf8;
}

/** A literal with the type it has by itself. */
export function literalByItself(value: LiteralInput): TypedLiteral {
  if (value instanceof Date && Number.isNaN(value.getTime())) {
    throw new PlanError("argument", "Cannot use an invalid Date as a literal. Check the text it was made from.");
  }
  const type = literalType(value);
  const literal = adaptLiteral(value, type);
  if (literal?.kind === "literal") return literal;
  throw new PlanError("argument", `Cannot use ${String(value)} as a literal of type ${typeName(type)}.`);
}

function decimalText(unscaled: bigint, scale: number): string {
  if (scale <= 0) return String(unscaled * 10n ** BigInt(-scale));
  const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, "0");
  return `${unscaled < 0n ? "-" : ""}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}

/** Typed literal as text for plans and messages. */
export function literalText(value: LiteralValue, type: DataType): string {
  if (value === null) return "null";
  if (typeof value === "string") return `'${value.replaceAll("'", "''")}'`;
  if (value instanceof Uint8Array) return `x'${Array.from(value, (b) => b.toString(16).padStart(2, "0")).join("")}'`;
  switch (type.kind) {
    case "decimal":
      return decimalText(BigInt(value), type.scale);
    case "date32":
      return `'${dateText(Number(value))}'`;
    case "timestamp":
      return `'${timestampText(BigInt(value), type.unit)}${type.timezone === null ? "" : "Z"}'`;
    case "time":
      return `'${timeText(BigInt(value), type.unit)}'`;
    default:
      return Object.is(value, -0) ? "-0" : String(value);
  }
}
