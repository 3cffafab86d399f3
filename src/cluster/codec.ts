import * as v from "valibot";
import { decodeValue, encodeValue, ProtocolError } from "../protocol/mod.ts";

export { encodeValue };

/** The value in `bytes` from `start` on; null when they are damaged (and when they say null). */
export function decodeValueOrNull(bytes: Uint8Array, start = 0): unknown {
  try {
    return decodeValue(bytes, start);
  } catch (error) {
    if (error instanceof ProtocolError) return null;
    throw error;
  }
}

/** What `bytes` mean by `schema`; null when they are damaged or mean something else. For bytes that others made. */
export function decodeAs<Schema extends v.GenericSchema>(
  schema: Schema,
  bytes: Uint8Array,
): v.InferOutput<Schema> | null {
  const parsed = v.safeParse(schema, decodeValueOrNull(bytes));
  return parsed.success ? parsed.output : null;
}

/**
 * The same value with the fields of all objects in one order and without undefined ones, so that equal values have equal
 * encodings. Maps are not part of it: write them as sorted rows.
 */
export function canonical(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(canonical);
  if (value === null || typeof value !== "object" || value instanceof Uint8Array) return value;
  const fields = Object.entries(value).filter(([, field]) => field !== undefined);
  fields.sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(fields.map(([name, field]) => [name, canonical(field)]));
}
