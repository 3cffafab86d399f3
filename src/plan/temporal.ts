import type { TimeUnit } from "../arrow/mod.ts";

/** ISO 8601 texts of dates, times and timestamps to exact integers and back. Proleptic Gregorian calendar. */

export const UNITS_PER_SECOND: Readonly<Record<TimeUnit, bigint>> = {
  second: 1n,
  millisecond: 1_000n,
  microsecond: 1_000_000n,
  nanosecond: 1_000_000_000n,
};

const NANOS_PER_SECOND = 1_000_000_000n;
const SECONDS_PER_DAY = 86_400n;

/** Days since 1970-01-01; http://howardhinnant.github.io/date_algorithms.html. */
export function daysFromCivil(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}

export interface CivilDate {
  readonly year: number;
  readonly month: number;
  readonly day: number;
}

export function civilFromDays(days: number): CivilDate {
  const z = days + 719_468;
  const era = Math.floor(z / 146_097);
  const dayOfEra = z - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const shifted = Math.floor((5 * dayOfYear + 2) / 153);
  const month = shifted < 10 ? shifted + 3 : shifted - 9;
  const day = dayOfYear - Math.floor((153 * shifted + 2) / 5) + 1;
  return { year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day };
}

const DATE = /^([+-]?\d{4,6})-(\d{2})-(\d{2})$/;
const TIME = /^(\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?$/;
const TIMESTAMP = /^(\S+?)(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?) ?(Z|[+-]\d{2}(?::?\d{2})?)?)?$/;

/** Days since 1970-01-01, null when the text is no date of the calendar. */
export function parseDate(text: string): number | null {
  const match = DATE.exec(text);
  if (match === null) return null;
  const [year, month, day] = [Number(match[1]), Number(match[2]), Number(match[3])];
  if (month < 1 || month > 12 || day < 1) return null;
  const days = daysFromCivil(year, month, day);
  const back = civilFromDays(days);
  return back.month === month && back.day === day ? days : null;
}

/** Nanoseconds since midnight. */
export function parseTime(text: string): bigint | null {
  const match = TIME.exec(text);
  if (match === null) return null;
  const [hour, minute, second] = [Number(match[1]), Number(match[2]), Number(match[3] ?? "0")];
  if (hour > 23 || minute > 59 || second > 59) return null;
  const fraction = BigInt((match[4] ?? "").padEnd(9, "0"));
  return BigInt(hour * 3600 + minute * 60 + second) * NANOS_PER_SECOND + fraction;
}

export interface ParsedTimestamp {
  /** Nanoseconds since 1970-01-01 00:00 of the wall clock that the text shows. */
  readonly localNanos: bigint;
  /** Null when the text names no zone. */
  readonly offsetSeconds: number | null;
}

/** `2001-02-03`, `2001-02-03 04:05[:06[.789]]`, also with `T`, each with `Z` or `+01:00` behind. */
export function parseTimestamp(text: string): ParsedTimestamp | null {
  const match = TIMESTAMP.exec(text);
  const days = match === null ? null : parseDate(match[1] ?? "");
  const time = match?.[2] === undefined ? 0n : parseTime(match[2]);
  if (match === null || days === null || time === null) return null;
  return { localNanos: BigInt(days) * SECONDS_PER_DAY * NANOS_PER_SECOND + time, offsetSeconds: parseOffset(match[3]) };
}

function parseOffset(text: string | undefined): number | null {
  if (text === undefined) return null;
  if (text === "Z") return 0;
  const digits = text.slice(1).replace(":", "").padEnd(4, "0");
  const seconds = Number(digits.slice(0, 2)) * 3600 + Number(digits.slice(2)) * 60;
  return text.startsWith("-") ? -seconds : seconds;
}

const two = (n: number): string => String(n).padStart(2, "0");

export function dateText(days: number): string {
  const { year, month, day } = civilFromDays(days);
  const y =
    year >= 0 && year <= 9999
      ? String(year).padStart(4, "0")
      : `${year < 0 ? "-" : "+"}${String(Math.abs(year)).padStart(6, "0")}`;
  return `${y}-${two(month)}-${two(day)}`;
}

/** Time of day in `unit`s since midnight. */
export function timeText(value: bigint, unit: TimeUnit): string {
  const per = UNITS_PER_SECOND[unit];
  const seconds = Number(value / per);
  const fraction = value % per;
  const digits = String(per).length - 1;
  const clock = `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  return fraction === 0n ? clock : `${clock}.${String(fraction).padStart(digits, "0")}`;
}

/** UTC (or local, without a zone) date and time of `unit`s since the epoch. */
export function timestampText(value: bigint, unit: TimeUnit): string {
  const perDay = UNITS_PER_SECOND[unit] * SECONDS_PER_DAY;
  const inDay = ((value % perDay) + perDay) % perDay;
  return `${dateText(Number((value - inDay) / perDay))} ${timeText(inDay, unit)}`;
}
