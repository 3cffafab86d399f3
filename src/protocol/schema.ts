/** Building blocks of boundary schemas. Everything has a limit; unknown fields are dropped, so that newer peers may send more. */
import * as v from "valibot";
import type { Address, BlobHash, ClusterId, PeerId } from "../kernel/mod.ts";
import { ProtocolError } from "./error.ts";

export const NAME_LENGTH_MAX = 128;
export const ADDRESS_LENGTH_MAX = 512;
export const TEXT_LENGTH_MAX = 4_096;

/** Text of at most `lengthMax` UTF-16 units. */
export function text(lengthMax: number = TEXT_LENGTH_MAX) {
  return v.pipe(v.string(), v.maxLength(lengthMax));
}

/** A whole number that a double holds exactly. */
export function integer(min = 0, max: number = Number.MAX_SAFE_INTEGER) {
  return v.pipe(v.number(), v.safeInteger(), v.minValue(min), v.maxValue(max));
}

/** Over any buffer: the class alone would mean one of its own. */
function isBytes(value: unknown): boolean {
  return value instanceof Uint8Array;
}

export function bytes(bytesMax: number) {
  return v.pipe(
    v.custom<Uint8Array>(isBytes, "not bytes"),
    v.check((value) => value.length <= bytesMax, `more than ${bytesMax} bytes`),
  );
}

export function list<Item extends v.GenericSchema>(item: Item, countMax: number) {
  return v.pipe(v.array(item), v.maxLength(countMax));
}

/** Letters, digits, `-` and `_` only: safe in logs and paths. Whether it is a key's PeerId, `Keys.publicKeyOf` tells. */
export const peerId = v.pipe(
  v.string(),
  v.regex(/^[A-Za-z0-9_-]{1,64}$/, "not a PeerId"),
  v.transform((value) => value as PeerId),
);
export const clusterId = v.pipe(
  v.string(),
  v.regex(/^[0-9a-f]{32}$/, "not a cluster id"),
  v.transform((value) => value as ClusterId),
);
export const blobHash = v.pipe(
  v.string(),
  v.regex(/^[0-9a-f]{64}$/, "not a SHA-256 in hexadecimal"),
  v.transform((value) => value as BlobHash),
);
export const address = v.pipe(
  v.string(),
  v.maxLength(ADDRESS_LENGTH_MAX),
  v.startsWith("/", "not a multiaddr"),
  v.transform((value) => value as Address),
);
export const name = v.pipe(v.string(), v.minLength(1), v.maxLength(NAME_LENGTH_MAX));
/** Unix milliseconds; fractions allowed. */
export const wallMs = v.pipe(v.number(), v.finite());
export const durationMs = v.pipe(v.number(), v.finite(), v.minValue(0));
export const version = text(64);

/**
 * The value as the schema gives it.
 *
 * @param what names the message in the error
 * @throws {ProtocolError} schema, with the path of the field
 */
export function parse<Schema extends v.GenericSchema>(
  schema: Schema,
  value: unknown,
  what: string,
): v.InferOutput<Schema> {
  const result = v.safeParse(schema, value, { abortEarly: true, abortPipeEarly: true });
  if (result.success) return result.output;
  const issue = result.issues[0];
  const path = v.getDotPath(issue) ?? "";
  throw new ProtocolError(
    "schema",
    `Cannot accept ${what}: ${path === "" ? "the value" : path} is wrong: ${issue.message}.`,
    { path },
  );
}
