import { CR, type Dialect, LF } from "./dialect.ts";
import { ESCAPED, QUOTED } from "./rows.ts";

/** Rows of any width from a small sample, field by field: for headers and type inference. */
export interface LooseRow {
  readonly starts: readonly number[];
  /** With the flags of `rows.ts`. */
  readonly ends: readonly number[];
  /** Where the row, with its line break, ends. */
  readonly next: number;
  /** A closing quote is missing, or the sample ends before the row does. */
  readonly incomplete: boolean;
}

export function readLooseRow(sample: { bytes: Uint8Array; length: number }, dialect: Dialect, start: number): LooseRow {
  const { bytes, length } = sample;
  const starts: number[] = [];
  const ends: number[] = [];
  let at = start;
  for (;;) {
    const field = readField(sample, dialect, at);
    starts.push(field.start);
    ends.push(field.end);
    if (field.next >= length) return { starts, ends, next: length, incomplete: true };
    const byte = bytes[field.next];
    at = field.next + 1;
    if (byte === dialect.delimiter) continue;
    if (byte === CR && bytes[at] === LF) at++;
    return { starts, ends, next: at, incomplete: false };
  }
}

/** `next` is where the delimiter or line break stands. */
function readField(sample: { bytes: Uint8Array; length: number }, dialect: Dialect, start: number) {
  const { bytes, length } = sample;
  let at = start;
  let [from, to] = [start, -1];
  if (bytes[start] === dialect.quote && start < length) {
    let flags = QUOTED;
    for (at = start + 1; at < length; at++) {
      const byte = bytes[at];
      if (
        byte === dialect.escape ||
        (dialect.escape < 0 && byte === dialect.quote && bytes[at + 1] === dialect.quote)
      ) {
        at++;
        flags |= ESCAPED;
      } else if (byte === dialect.quote) break;
    }
    [from, to] = [start + 1, Math.min(at, length) | flags];
    at++;
  }
  while (at < length && bytes[at] !== dialect.delimiter && bytes[at] !== LF && bytes[at] !== CR) at++;
  return { start: from, end: to === -1 ? Math.min(at, length) : to, next: at };
}

/** Where the first row starts that is neither blank nor a comment, from `start` on. */
export function skipBlank(sample: { bytes: Uint8Array; length: number }, dialect: Dialect, start: number): number {
  let at = start;
  for (;;) {
    const byte = bytes(sample, at);
    if (byte === LF || byte === CR) at++;
    else if (byte === dialect.comment && byte >= 0) at = skipLine(sample, at);
    else return at;
  }
}

function bytes(sample: { bytes: Uint8Array; length: number }, at: number): number {
  return at < sample.length ? (sample.bytes[at] as number) : -2;
}

export function skipLine(sample: { bytes: Uint8Array; length: number }, start: number): number {
  let at = start;
  while (at < sample.length && bytes(sample, at) !== LF && bytes(sample, at) !== CR) at++;
  if (bytes(sample, at) === CR && bytes(sample, at + 1) === LF) at++;
  return Math.min(at + 1, sample.length);
}
