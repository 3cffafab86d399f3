import {
  binary,
  type DataType,
  decimal,
  duration,
  float64,
  type IntKind,
  int16,
  int32,
  int64,
  isBinary,
  isFloat,
  isInteger,
  isString,
  largeBinary,
  largeUtf8,
  type TimeUnit,
  time,
  timestamp,
  typeEquals,
} from "../arrow/mod.ts";

type Decimal = Extract<DataType, { kind: "decimal" }>;

const PRECISION_MAX = 38;

/** Decimal digits that any value of the integer type fits into. */
const DIGITS: Readonly<Record<IntKind, number>> = {
  int8: 3,
  int16: 5,
  int32: 10,
  int64: 19,
  uint8: 3,
  uint16: 5,
  uint32: 10,
  uint64: 20,
};

export function decimalOf(type: DataType): Decimal | null {
  if (type.kind === "decimal") return type;
  return isInteger(type) ? decimal(DIGITS[type.kind], 0) : null;
}

function bitsOf(kind: IntKind): number {
  return Number(kind.replace(/\D+/, ""));
}

/** The smallest type that holds all values of both; int64 with uint64 gives decimal(20, 0). */
function commonInteger(a: IntKind, b: IntKind): DataType {
  const aSigned = a.startsWith("int");
  if (aSigned === b.startsWith("int")) return { kind: bitsOf(a) >= bitsOf(b) ? a : b };
  const [signed, unsigned] = aSigned ? [a, b] : [b, a];
  if (bitsOf(signed) > bitsOf(unsigned)) return { kind: signed };
  if (unsigned === "uint8") return int16;
  if (unsigned === "uint16") return int32;
  return unsigned === "uint32" ? int64 : decimal(20, 0);
}

export function commonDecimal(a: Decimal, b: Decimal): Decimal {
  const scale = Math.max(a.scale, b.scale);
  const whole = Math.max(a.precision - a.scale, b.precision - b.scale);
  return decimal(Math.min(PRECISION_MAX, Math.max(1, whole + scale)), scale);
}

const FINENESS: Readonly<Record<TimeUnit, number>> = { second: 0, millisecond: 1, microsecond: 2, nanosecond: 3 };

export function finerUnit(a: TimeUnit, b: TimeUnit): TimeUnit {
  return FINENESS[a] >= FINENESS[b] ? a : b;
}

function commonTemporal(a: DataType, b: DataType): DataType | null {
  if (a.kind === "timestamp" && b.kind === "timestamp") {
    if ((a.timezone === null) !== (b.timezone === null)) return null;
    return timestamp(finerUnit(a.unit, b.unit), a.timezone);
  }
  if (a.kind === "timestamp" && b.kind === "date32") return a.timezone === null ? a : null;
  if (a.kind === "date32" && b.kind === "timestamp") return b.timezone === null ? b : null;
  if (a.kind === "time" && b.kind === "time") return time(finerUnit(a.unit, b.unit));
  if (a.kind === "duration" && b.kind === "duration") return duration(finerUnit(a.unit, b.unit));
  return null;
}

function commonNumber(a: DataType, b: DataType): DataType | null {
  if (isInteger(a) && isInteger(b)) return commonInteger(a.kind, b.kind);
  if (isFloat(a) || isFloat(b)) return (isFloat(a) || decimalOf(a)) && (isFloat(b) || decimalOf(b)) ? float64 : null;
  const [left, right] = [decimalOf(a), decimalOf(b)];
  return left === null || right === null ? null : commonDecimal(left, right);
}

/** The type that values of both types are brought to without losing anything but float precision; null when none is. */
export function commonType(a: DataType, b: DataType): DataType | null {
  if (typeEquals(a, b)) return a;
  if (a.kind === "null") return b;
  if (b.kind === "null") return a;
  if (a.kind === "dictionary") return commonType(a.value, b);
  if (b.kind === "dictionary") return commonType(a, b.value);
  if (isString(a) && isString(b)) return largeUtf8;
  if (isBinary(a) && isBinary(b)) return a.kind === "largeBinary" || b.kind === "largeBinary" ? largeBinary : binary;
  return commonNumber(a, b) ?? commonTemporal(a, b);
}

/** Type of a sum or difference. The precision is capped at 38: past it, overflow is an error when it happens. */
export function decimalSumType(a: Decimal, b: Decimal): Decimal {
  const scale = Math.max(a.scale, b.scale);
  const whole = Math.max(a.precision - a.scale, b.precision - b.scale);
  return decimal(Math.min(PRECISION_MAX, Math.max(1, whole + scale + 1)), scale);
}

/** Type of a product; null when its scale is past what a decimal has. */
export function decimalProductType(a: Decimal, b: Decimal): Decimal | null {
  const scale = a.scale + b.scale;
  if (Math.abs(scale) > PRECISION_MAX) return null;
  return decimal(Math.min(PRECISION_MAX, a.precision + b.precision), scale);
}
