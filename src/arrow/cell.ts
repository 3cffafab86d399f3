import { ArrowError } from "./error.ts";
import type { TimeUnit } from "./types.ts";

/**
 * A value of a column as JavaScript sees it.
 *
 *   bool                                 boolean
 *   int8 … int32, uint8 … uint32         number
 *   int64, uint64, timestamp, duration   bigint
 *   time                                 number (s, ms) or bigint (us, ns)
 *   float32, float64                     number
 *   decimal                              string with exactly `scale` digits after the point
 *   utf8                                 string
 *   binary, fixedSizeBinary              Uint8Array
 *   date32                               number, days since 1970-01-01
 *   dictionary                           as its value
 *   list, struct                         array, object
 *   null of any type                     null
 */
export type Cell =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly Cell[]
  | { readonly [name: string]: Cell };

/** A JavaScript `Date`, accepted for date32 and timestamp columns. */
export interface DateLike {
  getTime(): number;
}

/** What a builder accepts: cells, dates, and `undefined` for null. */
export type CellInput = Cell | undefined | DateLike | readonly CellInput[] | { readonly [name: string]: CellInput };

export function isDateLike(value: unknown): value is DateLike {
  return typeof value === "object" && value !== null && "getTime" in value && typeof value.getTime === "function";
}

export const MS_PER_DAY = 86_400_000;

export const UNITS_PER_SECOND: Record<TimeUnit, number> = {
  second: 1,
  millisecond: 1_000,
  microsecond: 1_000_000,
  nanosecond: 1_000_000_000,
};

const DECIMAL = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,4}))?$/;

/**
 * The integer that `text` times 10^`scale` is; null when `text` is no decimal number, has more digits after the point
 * than `scale`, or more digits than `precision`.
 */
export function parseDecimal(text: string, precision: number, scale: number): bigint | null {
  const match = DECIMAL.exec(text);
  if (match === null) return null;
  const whole = match[2] ?? "";
  const fraction = match[3] ?? "";
  if (whole.length + fraction.length === 0) return null;
  const exponent = Number(match[4] ?? 0) - fraction.length + scale;
  let digits = (whole + fraction).replace(/^0+/, "");
  if (digits === "") return 0n;
  if (exponent < 0) {
    if (!/^0*$/.test(digits.slice(exponent))) return null;
    digits = digits.slice(0, exponent);
  } else {
    if (digits.length + exponent > precision) return null;
    digits += "0".repeat(exponent);
  }
  if (digits.length > precision) return null;
  const value = BigInt(digits === "" ? "0" : digits);
  return match[1] === "-" ? -value : value;
}

/** Exact text of `unscaled` × 10^−`scale`, with `scale` digits after the point. */
export function formatDecimal(unscaled: bigint, scale: number): string {
  if (scale <= 0) return (unscaled * 10n ** BigInt(-scale)).toString();
  const negative = unscaled < 0n;
  const digits = (negative ? -unscaled : unscaled).toString().padStart(scale + 1, "0");
  const at = digits.length - scale;
  return `${negative ? "-" : ""}${digits.slice(0, at)}.${digits.slice(at)}`;
}

const SHOWN_LENGTH_MAX = 60;

function textOf(value: unknown): string {
  if (typeof value === "object") return jsonOf(value);
  // What is left has a text of its own.
  return String(value as string | number | bigint | boolean | symbol | undefined);
}

function jsonOf(value: object | null): string {
  try {
    return JSON.stringify(value, (_key: string, v: unknown) => (typeof v === "bigint" ? `${v}n` : v)) ?? "object";
  } catch {
    return "object";
  }
}

/** A value for a message: short, with its JavaScript type. */
export function showValue(value: unknown): string {
  if (value === null) return "null";
  const kind = Array.isArray(value) ? "array" : value instanceof Uint8Array ? "bytes" : typeof value;
  const text = textOf(value);
  return `${text.length > SHOWN_LENGTH_MAX ? `${text.slice(0, SHOWN_LENGTH_MAX)}…` : text} (${kind})`;
}

export function wrongValue(where: string, value: unknown, expected: string): ArrowError {
  return new ArrowError("type", `${where}: expected ${expected}, got ${showValue(value)}.`);
}

function innerKey(_name: string, value: unknown): unknown {
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "number" && (!Number.isFinite(value) || Object.is(value, -0))) {
    return { float: Object.is(value, -0) ? "-0" : String(value) };
  }
  return value;
}

/** Something that is the same for two values of one type exactly when they are equal, for `Map` and `===`. NaN equals NaN. */
export function keyOf(value: NonNullable<CellInput>): unknown {
  if (typeof value === "bigint") return `${value}`;
  if (typeof value === "number")
    return Number.isNaN(value) || Object.is(value, -0) ? String(Object.is(value, -0) ? "-0" : value) : value;
  if (typeof value !== "object") return value;
  if (isDateLike(value)) return value.getTime();
  if (value instanceof Uint8Array) return value.join();
  return JSON.stringify(value, innerKey);
}
