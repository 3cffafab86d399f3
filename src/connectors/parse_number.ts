/**
 * Numbers from bytes, exactly. Functions give NaN (which no valid text gives, see `parseFloat64`) or null for text that is
 * no such number.
 */

const ZERO = 48;
const NINE = 57;
const MINUS = 45;
const PLUS = 43;
const POINT = 46;

/** Digits that a float64 holds exactly whatever they are. */
const EXACT_DIGITS_MAX = 15;
const EXACT_POWER_MAX = 22;
const POWERS = Float64Array.from({ length: EXACT_POWER_MAX + 1 }, (_, i) => Number(`1e${i}`));
const latin = new TextDecoder("latin1");

/** An integer of at most 15 digits; NaN when it is longer or none: try `parseBigInteger` then. */
export function parseSmallInteger(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  const first = bytes[start] as number;
  if (first === MINUS || first === PLUS) at++;
  const digits = end - at;
  if (digits < 1 || digits > EXACT_DIGITS_MAX) return Number.NaN;
  let value = 0;
  for (; at < end; at++) {
    const digit = (bytes[at] as number) - ZERO;
    if (digit < 0 || digit > 9) return Number.NaN;
    value = value * 10 + digit;
  }
  return first === MINUS ? 0 - value : value;
}

/** Leading zeros may make it as long as this. */
const INTEGER_DIGITS_MAX = 60;

export function parseBigInteger(bytes: Uint8Array, start: number, end: number): bigint | null {
  if (end - start > INTEGER_DIGITS_MAX) return null;
  const text = latin.decode(bytes.slice(start, end));
  return /^[+-]?\d+$/.test(text) ? BigInt(text.startsWith("+") ? text.slice(1) : text) : null;
}

/** Set by `parseFloat64`: whether the text was a number (NaN is one). */
export const floatResult = { failed: false };

/**
 * Correctly rounded: up to 15 digits and a power of ten up to 22 are one exact operation (Clinger's fast path), all else
 * goes through `Number`. `nan`, `inf` and `infinity` in any case are numbers.
 */
export function parseFloat64(bytes: Uint8Array, start: number, end: number): number {
  floatResult.failed = false;
  let at = start;
  const first = bytes[start] as number;
  if (first === MINUS || first === PLUS) at++;
  let mantissa = 0;
  let digits = 0;
  let decimals = 0;
  const from = at;
  for (; at < end; at++) {
    const digit = (bytes[at] as number) - ZERO;
    if (digit < 0 || digit > 9) break;
    mantissa = mantissa * 10 + digit;
    if (mantissa !== 0) digits++;
  }
  let any = at > from;
  if (at < end && bytes[at] === POINT) {
    at++;
    const point = at;
    for (; at < end; at++) {
      const digit = (bytes[at] as number) - ZERO;
      if (digit < 0 || digit > 9) break;
      mantissa = mantissa * 10 + digit;
      if (mantissa !== 0) digits++;
    }
    decimals = at - point;
    any = any || decimals > 0;
  }
  if (any && at === end && digits <= EXACT_DIGITS_MAX && decimals <= EXACT_POWER_MAX) {
    const value = mantissa / (POWERS[decimals] as number);
    return first === MINUS ? -value : value;
  }
  return any ? longFloat(bytes, start, end) : wordFloat(bytes, start, end);
}

const FLOAT = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;

function longFloat(bytes: Uint8Array, start: number, end: number): number {
  const text = latin.decode(bytes.slice(start, end));
  floatResult.failed = !FLOAT.test(text);
  return floatResult.failed ? Number.NaN : Number(text);
}

const WORD_BYTES_MAX = 9;

function wordFloat(bytes: Uint8Array, start: number, end: number): number {
  floatResult.failed = true;
  if (end - start > WORD_BYTES_MAX || end === start) return Number.NaN;
  const match = /^([+-]?)(nan|inf|infinity)$/.exec(latin.decode(bytes.slice(start, end)).toLowerCase());
  if (match === null) return Number.NaN;
  floatResult.failed = false;
  if (match[2] === "nan") return Number.NaN;
  return match[1] === "-" ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
}

export function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= NINE;
}
