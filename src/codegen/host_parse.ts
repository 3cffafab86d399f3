/** Text as numbers, dates and times. Everything gives null where the text is none; spaces around it are ignored. */
import { unreachable } from "../kernel/mod.ts";
import { civilFromDays, daysFromCivil } from "./calendar.ts";
import { TEMPORAL_FORMS, unitsPerSecond } from "./host_format.ts";

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
const SPECIAL_NUMBER = /^([+-]?)(inf|infinity|nan)$/i;

export function parseFloat64(text: string): number | null {
  const trimmed = text.trim();
  if (NUMBER.test(trimmed)) return Number(trimmed);
  const special = SPECIAL_NUMBER.exec(trimmed);
  if (special === null) return null;
  if (special[2]?.toLowerCase() === "nan") return Number.NaN;
  return special[1] === "-" ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
}

const DECIMAL = /^([+-]?)(\d*)(?:\.(\d*))?(?:e([+-]?\d{1,4}))?$/i;
const UNSCALED_MAX = 10n ** 38n;
const DECIMAL_CHARACTERS_MAX = 10_000;

/** Unscaled value, digits past the scale rounded half away from zero; null also past 38 digits. */
export function parseDecimal(text: string, scale: number): bigint | null {
  const trimmed = text.trim();
  const match = trimmed.length > DECIMAL_CHARACTERS_MAX ? null : DECIMAL.exec(trimmed);
  if (match === null) return null;
  const [, sign, whole = "", fraction = "", exponent = "0"] = match;
  if (whole === "" && fraction === "") return null;
  const digits = BigInt(whole + fraction);
  const shift = Number(exponent) - fraction.length + scale;
  const magnitude = shift >= 0 ? raise(digits, shift) : divideRounded(digits, -shift);
  if (magnitude === null || magnitude >= UNSCALED_MAX) return null;
  return sign === "-" ? -magnitude : magnitude;
}

function raise(digits: bigint, power: number): bigint | null {
  if (digits === 0n) return 0n;
  return power > 38 ? null : digits * 10n ** BigInt(power);
}

function divideRounded(digits: bigint, power: number): bigint {
  if (power > DECIMAL_CHARACTERS_MAX * 2) return 0n;
  const divisor = 10n ** BigInt(power);
  return (digits + divisor / 2n) / divisor;
}

const TRUE = new Set(["true", "t", "yes", "y", "1"]);
const FALSE = new Set(["false", "f", "no", "n", "0"]);

/** 2 where the text is no boolean. */
export function parseBool(text: string): 0 | 1 | 2 {
  const word = text.trim().toLowerCase();
  return TRUE.has(word) ? 1 : FALSE.has(word) ? 0 : 2;
}

const DATE = String.raw`([+-]?\d{4,9})-(\d{1,2})-(\d{1,2})`;
const CLOCK = String.raw`(\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,18}))?)?`;
const ZONE = String.raw`(?:\s*(Z|[+-]\d{2}(?::?\d{2}(?::?\d{2})?)?|UTC))?`;
const DATE_TEXT = new RegExp(`^${DATE}(?:[T ]${CLOCK}${ZONE})?$`, "i");
const TIME_TEXT = new RegExp(`^${CLOCK}$`);

const I64_MAX = (1n << 63n) - 1n;

export interface ParsedTemporal {
  readonly value: bigint;
  /** The text said its offset from UTC, so that the value is in UTC. */
  readonly hasOffset: boolean;
}

/** `form` as in `TEMPORAL_FORMS`; finer digits than the unit has are cut off. */
export function parseTemporal(text: string, form: number): ParsedTemporal | null {
  const trimmed = text.trim();
  const kind = (form & ~3) as (typeof TEMPORAL_FORMS)[keyof typeof TEMPORAL_FORMS];
  switch (kind) {
    case TEMPORAL_FORMS.date:
      return parseDate(trimmed);
    case TEMPORAL_FORMS.time: {
      const match = TIME_TEXT.exec(trimmed);
      const value = match === null ? null : clockUnits(match.slice(1), unitsPerSecond(form));
      return value === null ? null : { value, hasOffset: false };
    }
    case TEMPORAL_FORMS.timestamp:
    case TEMPORAL_FORMS.timestampWithZone:
      return parseTimestamp(trimmed, unitsPerSecond(form));
    default:
      return unreachable(kind);
  }
}

function parseDate(text: string): ParsedTemporal | null {
  const match = DATE_TEXT.exec(text);
  if (match === null) return null;
  const days = daysOf(match);
  if (days === null || days < -(1n << 31n) || days >= 1n << 31n) return null;
  if (match[4] !== undefined && clockUnits(match.slice(4, 8), 1n) === null) return null;
  return { value: days, hasOffset: false };
}

function parseTimestamp(text: string, perSecond: bigint): ParsedTemporal | null {
  const match = DATE_TEXT.exec(text);
  if (match === null) return null;
  const days = daysOf(match);
  const clock = match[4] === undefined ? 0n : clockUnits(match.slice(4, 8), perSecond);
  if (days === null || clock === null) return null;
  const offset = match[8] === undefined ? 0n : offsetSeconds(match[8]);
  const value = days * 86_400n * perSecond + clock - offset * perSecond;
  if (value > I64_MAX || value < -I64_MAX - 1n) return null;
  return { value, hasOffset: match[8] !== undefined };
}

/** Null where the calendar has no such day. */
function daysOf(match: RegExpExecArray): bigint | null {
  const year = BigInt(match[1]?.replace("+", "") ?? 0);
  const month = BigInt(match[2] ?? 0);
  const day = BigInt(match[3] ?? 0);
  if (month < 1n || month > 12n || day < 1n || day > 31n) return null;
  const days = daysFromCivil({ year, month, day });
  return civilFromDays(days).day === day ? days : null;
}

/** Time of day in units; null past 23:59:59. */
function clockUnits(parts: readonly (string | undefined)[], perSecond: bigint): bigint | null {
  const [hour = "0", minute = "0", second = "0", fraction = ""] = parts;
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return null;
  const seconds = BigInt(hour) * 3600n + BigInt(minute) * 60n + BigInt(second);
  const digits = perSecond.toString().length - 1;
  const below = fraction.slice(0, digits).padEnd(digits, "0");
  return seconds * perSecond + (digits === 0 ? 0n : BigInt(below));
}

function offsetSeconds(zone: string): bigint {
  if (!/^[+-]/.test(zone)) return 0n;
  const digits = zone.slice(1).replaceAll(":", "").padEnd(6, "0");
  const seconds = Number(digits.slice(0, 2)) * 3600 + Number(digits.slice(2, 4)) * 60 + Number(digits.slice(4, 6));
  return BigInt(zone.startsWith("-") ? -seconds : seconds);
}
