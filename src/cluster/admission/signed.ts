/**
 * Signed payloads: the payload's bytes and then 64 bytes of Ed25519 signature. What is signed starts with the purpose, so
 * that a signature for one purpose never passes for another.
 */
import type { KeyPair, Keys } from "../../kernel/mod.ts";

const SIGNATURE_BYTES = 64;

export type Purpose = "certificate" | "token" | "grant";

function message(purpose: Purpose, payload: Uint8Array): Uint8Array {
  const head = new TextEncoder().encode(`sage/${purpose}/1\n`);
  const bytes = new Uint8Array(head.length + payload.length);
  bytes.set(head);
  bytes.set(payload, head.length);
  return bytes;
}

export function signPayload(keys: Keys, pair: KeyPair, signed: { purpose: Purpose; payload: Uint8Array }): Uint8Array {
  const { purpose, payload } = signed;
  const bytes = new Uint8Array(payload.length + SIGNATURE_BYTES);
  bytes.set(payload);
  bytes.set(keys.sign(pair, message(purpose, payload)), payload.length);
  return bytes;
}

/** Payload and signature; null when too short for both. Nothing is verified. */
export function splitSigned(bytes: Uint8Array): { payload: Uint8Array; signature: Uint8Array } | null {
  const at = bytes.length - SIGNATURE_BYTES;
  return at <= 0 ? null : { payload: bytes.subarray(0, at), signature: bytes.subarray(at) };
}

/** Whether `bytes`, payload and signature, were signed by the key for the purpose. */
export function isSignedBy(
  keys: Keys,
  publicKey: Uint8Array,
  signed: { readonly purpose: Purpose; readonly bytes: Uint8Array },
): boolean {
  const parts = splitSigned(signed.bytes);
  return parts !== null && keys.verify(publicKey, message(signed.purpose, parts.payload), parts.signature);
}
