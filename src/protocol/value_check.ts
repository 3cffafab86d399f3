/**
 * Walks msgpack bytes before they are decoded, without making anything: lengths within the bytes, depth and number of
 * values within limits, no extension types, map keys of text only. What passes cannot make the decoder allocate more
 * than a fixed multiple of its input, nor reach any of its special cases.
 *
 * Format: https://github.com/msgpack/msgpack/blob/master/spec.md
 */
import { ProtocolError } from "./error.ts";

export const VALUE_DEPTH_MAX = 32;
/** Values in one message, each element, key and field counted. */
export const VALUE_COUNT_MAX = 1 << 19;

/** Values still to come at each open level. */
const left = new Uint32Array(VALUE_DEPTH_MAX + 1);
/** 1 where the level is a map: there every second value is a key. */
const isMap = new Uint8Array(VALUE_DEPTH_MAX + 1);

/** Sizes after the token of 0xc0 … 0xdf for values of fixed size; 255 where a length follows or nothing is allowed. */
const VARIABLE = 255;
const FIXED_BYTES = Uint8Array.from(
  // biome-ignore format: a table of 32 tokens, eight a line
  [
    0, VARIABLE, 0, 0, VARIABLE, VARIABLE, VARIABLE, VARIABLE,
    VARIABLE, VARIABLE, 4, 8, 1, 2, 4, 8,
    1, 2, 4, 8, VARIABLE, VARIABLE, VARIABLE, VARIABLE,
    VARIABLE, VARIABLE, VARIABLE, VARIABLE, VARIABLE, VARIABLE, VARIABLE, VARIABLE,
  ],
);

function malformed(what: string, at: number): ProtocolError {
  return new ProtocolError("malformed", `Cannot decode a message: ${what} at byte ${at}.`);
}

function tooMany(what: string, limit: number): ProtocolError {
  return new ProtocolError("too-large", `Cannot decode a message: it has more than ${limit} ${what}.`);
}

/** Big-endian length of `width` bytes at `at`; the caller has checked that they are there. */
function lengthAt(bytes: Uint8Array, at: number, width: number): number {
  let length = 0;
  for (let i = 0; i < width; i++) length = length * 256 + (bytes[at + i] as number);
  return length;
}

/** Bytes of the length field of 0xc4–0xc6, 0xd9–0xdf; 0 for tokens that are not allowed. */
function lengthWidth(token: number): number {
  if (token >= 0xc4 && token <= 0xc6) return 1 << (token - 0xc4);
  if (token >= 0xd9 && token <= 0xdb) return 1 << (token - 0xd9);
  if (token === 0xdc || token === 0xde) return 2;
  if (token === 0xdd || token === 0xdf) return 4;
  return 0;
}

function isText(token: number): boolean {
  return (token >= 0xa0 && token < 0xc0) || (token >= 0xd9 && token <= 0xdb);
}

/** @throws {ProtocolError} unless `bytes[start, end)` are exactly one value within the limits. */
export function checkValue(bytes: Uint8Array, start: number, end: number): void {
  let at = start;
  let depth = 0;
  let count = 1;
  left[0] = 1;
  isMap[0] = 0;
  while (true) {
    while (left[depth] === 0) {
      if (depth === 0) {
        if (at !== end) throw malformed("something follows the value", at - start);
        return;
      }
      depth--;
    }
    if (at >= end) throw malformed("it ends too early", at - start);
    const remaining = left[depth] as number;
    left[depth] = remaining - 1;
    const token = bytes[at++] as number;
    // A map's remaining count is even before a key.
    if (isMap[depth] === 1 && (remaining & 1) === 0 && !isText(token))
      throw malformed("a key is not text", at - 1 - start);
    if (token < 0x80 || token >= 0xe0) continue;
    let elements: number;
    let opensMap = token < 0x90;
    if (token < 0xa0) elements = token & 0x0f;
    else if (token < 0xc0) {
      at += token & 0x1f;
      if (at > end) throw malformed("a text is cut off", at - start);
      continue;
    } else {
      const fixed = FIXED_BYTES[token - 0xc0] as number;
      if (fixed !== VARIABLE) {
        at += fixed;
        if (at > end) throw malformed("a number is cut off", at - start);
        continue;
      }
      const width = lengthWidth(token);
      if (width === 0) throw malformed(`type 0x${token.toString(16)} is not allowed`, at - 1 - start);
      if (at + width > end) throw malformed("a length is cut off", at - start);
      elements = lengthAt(bytes, at, width);
      at += width;
      if (token < 0xdc) {
        if (elements > end - at) throw malformed("bytes or text are cut off", at - start);
        at += elements;
        continue;
      }
      opensMap = token >= 0xde;
    }
    if (opensMap) elements *= 2;
    // Every value takes a byte at least, so this also keeps `count` honest for lengths that lie.
    if (elements > end - at) throw malformed("a list or map is cut off", at - start);
    count += elements;
    if (count > VALUE_COUNT_MAX) throw tooMany("values", VALUE_COUNT_MAX);
    if (++depth > VALUE_DEPTH_MAX) throw tooMany("levels", VALUE_DEPTH_MAX);
    left[depth] = elements;
    isMap[depth] = opensMap ? 1 : 0;
  }
}
