/** Numbers, dates and times as text. */
import { unreachable } from "../kernel/mod.ts";
import { civilFromDays } from "./calendar.ts";

export type TextResult = string;

/** Shortest text that reads back as the same double; whole numbers keep ".0" off, as in JavaScript. */
export function formatFloat64(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (value === Number.POSITIVE_INFINITY) return "inf";
  if (value === Number.NEGATIVE_INFINITY) return "-inf";
  return Object.is(value, -0) ? "-0.0" : withPoint(String(value));
}

/** Shortest text that reads back as the same float32. */
export function formatFloat32(value: number): string {
  if (!Number.isFinite(value) || value === 0) return formatFloat64(value);
  for (let digits = 1; digits <= 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return formatFloat64(short);
  }
  return formatFloat64(value);
}

/** "1" as "1.0", so that a float's text is not an integer's; "1e+21" as "1e+21". */
function withPoint(text: string): string {
  return /^-?\d+$/.test(text) ? `${text}.0` : text;
}

/** An unscaled decimal with its point. */
export function formatDecimal(unscaled: bigint, scale: number): string {
  const sign = unscaled < 0n ? "-" : "";
  const digits = (unscaled < 0n ? -unscaled : unscaled).toString();
  if (scale <= 0) return unscaled === 0n ? "0" : sign + digits + "0".repeat(-scale);
  const padded = digits.padStart(scale + 1, "0");
  return `${sign}${padded.slice(0, -scale)}.${padded.slice(-scale)}`;
}

/** Numbers by which generated code names the forms of dates and times: unit 0 s, 1 ms, 2 µs, 3 ns. */
export const TEMPORAL_FORMS = { date: 0, timestamp: 4, timestampWithZone: 8, time: 12 } as const;

const UNITS_PER_SECOND = [1n, 1_000n, 1_000_000n, 1_000_000_000n] as const;

export function unitsPerSecond(form: number): bigint {
  return UNITS_PER_SECOND[form & 3] as bigint;
}

function floorDivide(a: bigint, b: bigint): bigint {
  const quotient = a / b;
  return a % b < 0n ? quotient - 1n : quotient;
}

/** `value` is days for a date, else in the form's unit; `offset` seconds from UTC is written behind a zoned timestamp. */
export function formatTemporal(form: number, value: bigint, offset: number): string {
  const kind = (form & ~3) as (typeof TEMPORAL_FORMS)[keyof typeof TEMPORAL_FORMS];
  const perSecond = unitsPerSecond(form);
  switch (kind) {
    case TEMPORAL_FORMS.date:
      return dateText(value);
    case TEMPORAL_FORMS.time:
      return timeText(value, perSecond);
    case TEMPORAL_FORMS.timestamp:
      return timestampText(value, perSecond);
    case TEMPORAL_FORMS.timestampWithZone:
      return timestampText(value + BigInt(offset) * perSecond, perSecond) + offsetText(offset);
    default:
      return unreachable(kind);
  }
}

function timestampText(value: bigint, perSecond: bigint): string {
  const perDay = 86_400n * perSecond;
  const days = floorDivide(value, perDay);
  return `${dateText(days)} ${timeText(value - days * perDay, perSecond)}`;
}

/** Years before 1 and past 9999 with a sign, as ISO 8601 does. */
function dateText(days: bigint): string {
  const { year, month, day } = civilFromDays(days);
  const magnitude = (year < 0n ? -year : year).toString().padStart(4, "0");
  const sign = year < 0n ? "-" : year > 9999n ? "+" : "";
  return `${sign}${magnitude}-${two(month)}-${two(day)}`;
}

function timeText(value: bigint, perSecond: bigint): string {
  const seconds = value / perSecond;
  const fraction = (value % perSecond)
    .toString()
    .padStart(perSecond.toString().length - 1, "0")
    .replace(/0+$/, "");
  const clock = `${two(seconds / 3600n)}:${two((seconds / 60n) % 60n)}:${two(seconds % 60n)}`;
  return fraction === "" ? clock : `${clock}.${fraction}`;
}

function offsetText(offset: number): string {
  const size = Math.abs(offset);
  const minutes = Math.floor(size / 60) % 60;
  const seconds = size % 60;
  const hours = `${offset < 0 ? "-" : "+"}${two(Math.floor(size / 3600))}`;
  if (seconds !== 0) return `${hours}:${two(minutes)}:${two(seconds)}`;
  return minutes === 0 ? hours : `${hours}:${two(minutes)}`;
}

function two(value: bigint | number): string {
  return value.toString().padStart(2, "0");
}
