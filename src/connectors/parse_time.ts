import type { TimeUnit } from "../arrow/mod.ts";
import { isDigit } from "./parse_number.ts";

/** Dates and times in ISO 8601 from bytes. */

/** Days since 1970-01-01 (Howard Hinnant, days_from_civil). */
export function daysFromCivil(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146097 + dayOfEra - 719468;
}

const MONTH_DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] as const;

function isLeap(year: number): boolean {
  return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
}

function digits(bytes: Uint8Array, at: number, count: number): number {
  let value = 0;
  for (let i = 0; i < count; i++) {
    const byte = bytes[at + i] as number;
    if (!isDigit(byte)) return Number.NaN;
    value = value * 10 + byte - 48;
  }
  return value;
}

/** `YYYY-MM-DD` (also `-YYYY`, `+YYYYYY` with up to 6 digits); NaN when it is none or no such day exists. */
export function parseDate(bytes: Uint8Array, start: number, end: number): number {
  const signed = bytes[start] === 45 || bytes[start] === 43;
  const from = signed ? start + 1 : start;
  const yearDigits = end - from - 6;
  if (yearDigits < 4 || yearDigits > 6 || (yearDigits > 4 && !signed)) return Number.NaN;
  const at = from + yearDigits;
  if (bytes[at] !== 45 || bytes[at + 3] !== 45) return Number.NaN;
  const year = digits(bytes, from, yearDigits) * (bytes[start] === 45 ? -1 : 1);
  const month = digits(bytes, at + 1, 2);
  const day = digits(bytes, at + 4, 2);
  if (!(month >= 1 && month <= 12 && day >= 1)) return Number.NaN;
  const last = month === 2 && isLeap(year) ? 29 : (MONTH_DAYS[month - 1] as number);
  return day <= last ? daysFromCivil(year, month, day) : Number.NaN;
}

/** Of the last successful `parseClock` or `parseTimestamp`; one object, reused. */
export const clock = { days: 0, seconds: 0, nanoseconds: 0, fractionDigits: 0, zoned: false, offsetSeconds: 0 };

/** `HH:MM[:SS[.f]]` from `start`; gives where it ends, or -1. Fills `clock.seconds`, `nanoseconds`, `fractionDigits`. */
function readClock(bytes: Uint8Array, start: number, end: number): number {
  if (start + 5 > end || bytes[start + 2] !== 58) return -1;
  const hour = digits(bytes, start, 2);
  const minute = digits(bytes, start + 3, 2);
  if (!(hour <= 23 && minute <= 59)) return -1;
  clock.seconds = hour * 3600 + minute * 60;
  clock.nanoseconds = 0;
  clock.fractionDigits = 0;
  let at = start + 5;
  if (at >= end || bytes[at] !== 58) return at;
  if (at + 3 > end) return -1;
  const second = digits(bytes, at + 1, 2);
  if (!(second <= 59)) return -1;
  clock.seconds += second;
  at += 3;
  if (at >= end || bytes[at] !== 46) return at;
  return readFraction(bytes, at + 1, end);
}

function readFraction(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  let value = 0;
  for (; at < end && isDigit(bytes[at] as number); at++) {
    if (at - start === 9) return -1;
    value = value * 10 + (bytes[at] as number) - 48;
  }
  clock.fractionDigits = at - start;
  clock.nanoseconds = value * 10 ** (9 - clock.fractionDigits);
  return clock.fractionDigits === 0 ? -1 : at;
}

/** Whole text a time of day; false when it is none. */
export function parseClock(bytes: Uint8Array, start: number, end: number): boolean {
  return readClock(bytes, start, end) === end;
}

/** Date, `T` or space, time, and `Z`, `+HH`, `+HHMM`, `+HH:MM` or nothing. A date alone is its midnight. Fills `clock`. */
export function parseTimestamp(bytes: Uint8Array, start: number, end: number): boolean {
  let split = start + 10;
  while (split < end && split < start + 13 && bytes[split] !== 84 && bytes[split] !== 32) split++;
  clock.days = parseDate(bytes, start, Math.min(split, end));
  if (Number.isNaN(clock.days)) return false;
  clock.zoned = false;
  clock.offsetSeconds = 0;
  if (split >= end) {
    clock.seconds = clock.nanoseconds = clock.fractionDigits = 0;
    return true;
  }
  const at = readClock(bytes, split + 1, end);
  return at === end || (at > 0 && readZone(bytes, bytes[at] === 32 ? at + 1 : at, end));
}

function readZone(bytes: Uint8Array, start: number, end: number): boolean {
  clock.zoned = true;
  const sign = bytes[start];
  if (sign === 90 || sign === 122) return start + 1 === end;
  if (sign !== 43 && sign !== 45) return false;
  const length = end - start - 1;
  const colon = length === 5 && bytes[start + 3] === 58;
  if (length !== 2 && length !== 4 && !colon) return false;
  const hours = digits(bytes, start + 1, 2);
  const minutes = length === 2 ? 0 : digits(bytes, end - 2, 2);
  if (!(hours <= 23 && minutes <= 59)) return false;
  clock.offsetSeconds = (sign === 45 ? -1 : 1) * (hours * 3600 + minutes * 60);
  return true;
}

const UNITS: Record<TimeUnit, { readonly perSecond: bigint; readonly nanoseconds: number }> = {
  second: { perSecond: 1n, nanoseconds: 1_000_000_000 },
  millisecond: { perSecond: 1_000n, nanoseconds: 1_000_000 },
  microsecond: { perSecond: 1_000_000n, nanoseconds: 1_000 },
  nanosecond: { perSecond: 1_000_000_000n, nanoseconds: 1 },
};

/** The instant in `clock` in a unit; null when the unit is too coarse for it or int64 too small. */
export function clockInstant(unit: TimeUnit): bigint | null {
  const { perSecond, nanoseconds } = UNITS[unit];
  if (clock.nanoseconds % nanoseconds !== 0) return null;
  const seconds = clock.days * 86_400 + clock.seconds - clock.offsetSeconds;
  const value = BigInt(seconds) * perSecond + BigInt(clock.nanoseconds / nanoseconds);
  return BigInt.asIntN(64, value) === value ? value : null;
}

/** The time of day in `clock` in a unit; NaN when the unit is too coarse for it. */
export function clockOfDay(unit: TimeUnit): number {
  const { perSecond, nanoseconds } = UNITS[unit];
  if (clock.nanoseconds % nanoseconds !== 0) return Number.NaN;
  return clock.seconds * Number(perSecond) + clock.nanoseconds / nanoseconds;
}
