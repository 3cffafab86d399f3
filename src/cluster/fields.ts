/**
 * Schemas of the fields that commands, certificates and requests share.
 *
 * Replicas on different runtimes must judge alike, so nothing here depends on a runtime's Unicode tables or locale:
 * patterns are plain ASCII, and lengths are counted in UTF-16 units. They belong to the command format: a change here needs
 * a new format, which is why they are not those of `protocol/`.
 */
import * as v from "valibot";
import type { Address, BlobHash, ClusterId, PeerId } from "../kernel/mod.ts";

export const NAME_CHARS_MAX = 64;
export const ADDRESS_CHARS_MAX = 512;
export const ADDRESSES_MAX = 16;
export const REASON_CHARS_MAX = 2_000;
export const VERSION_CHARS_MAX = 64;
export const SLOTS_MAX = 4_096;

/** Whole numbers that survive every encoding: counts, indexes, milliseconds, bytes. */
export const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
export const positive = v.pipe(v.number(), v.safeInteger(), v.minValue(1));
// Each transform below only brands text that its pattern has just accepted.
export const peerId = v.pipe(
  v.string(),
  v.regex(/^[A-Za-z0-9_-]{1,64}$/),
  v.transform((text) => text as PeerId),
);
export const clusterId = v.pipe(
  v.string(),
  v.regex(/^[0-9a-f]{32}$/),
  v.transform((text) => text as ClusterId),
);
export const blobHash = v.pipe(
  v.string(),
  v.regex(/^[0-9a-f]{64}$/),
  v.transform((text) => text as BlobHash),
);
export const address = v.pipe(
  v.string(),
  v.minLength(1),
  v.maxLength(ADDRESS_CHARS_MAX),
  v.regex(/^[!-~]+$/),
  v.transform((text) => text as Address),
);
/** Of nodes, clients and clusters: shown in tables and logs, so without control characters. */
export const name = v.pipe(v.string(), v.maxLength(NAME_CHARS_MAX), v.regex(/^[A-Za-z0-9][A-Za-z0-9 ._@-]*$/));
export const keyId = v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/));
export const tokenId = v.pipe(v.string(), v.regex(/^[0-9a-f]{16}$/));
/** `v.instance` would ask for bytes with a buffer of their own. */
export const bytes = v.custom<Uint8Array>((value) => value instanceof Uint8Array, "no bytes");
export const key32 = v.pipe(bytes, v.length(32));
export const reason = v.pipe(v.string(), v.maxLength(REASON_CHARS_MAX));
export const version = v.pipe(v.string(), v.maxLength(VERSION_CHARS_MAX), v.regex(/^[!-~]+$/));

export const bytesTo = (max: number) => v.pipe(bytes, v.maxLength(max));

/** What a node says of itself when it joins, and later when that changed. */
export const memberInfo = v.object({
  peer: peerId,
  name,
  addresses: v.pipe(v.array(address), v.maxLength(ADDRESSES_MAX)),
  slots: v.pipe(count, v.maxValue(SLOTS_MAX)),
  memoryBytes: count,
  /** Of the software. */
  version,
  /** Newest command format that it can apply. */
  formatMax: v.pipe(positive, v.maxValue(255)),
  voter: v.picklist(["auto", "yes", "no"]),
});
export type MemberInfo = v.InferOutput<typeof memberInfo>;
