import { type DataType, isInteger, isString, isTemporal } from "../arrow/mod.ts";
import { adaptLiteral, integerLiteral, rescaleExact, textLiteral, typedLiteral } from "./literal.ts";
import { UNITS_PER_SECOND } from "./temporal.ts";
import type { TypedLiteral } from "./typed.ts";

/**
 * Casts of constants that are certain: exact and without failure. Everything else (rounding, failure, text of floats)
 * is left to the running plan, so that there is one place that defines it.
 */
export function castLiteral(literal: TypedLiteral, type: DataType): TypedLiteral | null {
  const { value } = literal;
  if (value === null) return typedLiteral(null, type);
  if (isInteger(literal.type)) return fromInteger(BigInt(value as number | bigint), type);
  switch (literal.type.kind) {
    case "float32":
    case "float64":
      return fromFloat(value as number, type);
    case "decimal":
      return fromDecimal(BigInt(value as bigint), literal.type.scale, type);
    case "utf8":
    case "largeUtf8":
      return fromText(value as string, type);
    case "date32":
      return fromDate(value as number, type);
    case "timestamp":
      return type.kind === "timestamp" && (type.timezone === null) === (literal.type.timezone === null)
        ? toFinerUnit(value as bigint, UNITS_PER_SECOND[literal.type.unit], type)
        : null;
    case "time":
    case "duration":
      return type.kind === literal.type.kind
        ? toFinerUnit(value as bigint, UNITS_PER_SECOND[literal.type.unit], type)
        : null;
    default:
      return null;
  }
}

/** Numbers in text are left to the running plan, which defines what it takes. */
function fromText(text: string, type: DataType): TypedLiteral | null {
  if (!isString(type) && !isTemporal(type)) return null;
  const literal = textLiteral(text, type);
  return literal?.kind === "literal" ? literal : null;
}

function fromInteger(value: bigint, type: DataType): TypedLiteral | null {
  if (isInteger(type)) return integerLiteral(value, type);
  if (type.kind !== "float32" && type.kind !== "float64" && type.kind !== "decimal") return null;
  const literal = adaptLiteral(value, type);
  return literal?.kind === "literal" ? literal : null;
}

function fromFloat(value: number, type: DataType): TypedLiteral | null {
  if (type.kind === "float64") return typedLiteral(value, type);
  if (type.kind === "float32" && Object.is(Math.fround(value), value)) return typedLiteral(value, type);
  return isInteger(type) && Number.isSafeInteger(value) ? integerLiteral(BigInt(value), type) : null;
}

function fromDecimal(unscaled: bigint, scale: number, type: DataType): TypedLiteral | null {
  if (type.kind === "float64") return typedLiteral(Number(`${unscaled}e${-scale}`), type);
  if (isInteger(type)) {
    const whole = rescaleExact(unscaled, scale, 0);
    return whole === null ? null : integerLiteral(whole, type);
  }
  if (type.kind !== "decimal") return null;
  const value = rescaleExact(unscaled, scale, type.scale);
  const fits = value !== null && (value < 0n ? -value : value) < 10n ** BigInt(type.precision);
  return fits ? typedLiteral(value, type) : null;
}

function fromDate(days: number, type: DataType): TypedLiteral | null {
  if (type.kind !== "timestamp" || type.timezone !== null) return null;
  return toFinerUnit(BigInt(days) * 86_400n, 1n, type);
}

function toFinerUnit(value: bigint, unitsPerSecond: bigint, type: DataType): TypedLiteral | null {
  if (type.kind !== "timestamp" && type.kind !== "time" && type.kind !== "duration") return null;
  const to = UNITS_PER_SECOND[type.unit];
  if (to < unitsPerSecond) return null;
  const result = value * (to / unitsPerSecond);
  return BigInt.asIntN(64, result) === result ? typedLiteral(result, type) : null;
}
