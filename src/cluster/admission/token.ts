/**
 * Join tokens: `sage1.` and base64url of a signed payload. A token says which cluster, for which role, until when, and names
 * the key that signed it by the key's hash: who has the token can tell the true cluster from another.
 */
import * as v from "valibot";
import type { Keys } from "../../kernel/mod.ts";
import { decodeAs, encodeValue } from "../codec.ts";
import { durationText } from "../duration.ts";
import { clusterId, count, keyId, positive, tokenId } from "../fields.ts";
import { decodeBase64url, encodeBase64url } from "./base64url.ts";
import type { ClusterKey, PublicClusterKey } from "./cluster_key.ts";
import { AdmissionError } from "./error.ts";
import { role } from "./facts.ts";
import { isSignedBy, signPayload, splitSigned } from "./signed.ts";

export const TOKEN_PREFIX = "sage1.";
export const TOKEN_CHARS_MAX = 1_024;

const payload = v.object({ cluster: clusterId, tokenId, role, expiresAtMs: count, uses: positive, keyId });
export type Token = Readonly<v.InferOutput<typeof payload>>;

export function createToken(keys: Keys, key: ClusterKey, fields: Omit<Token, "keyId">): string {
  const { cluster, tokenId, role, expiresAtMs, uses } = fields;
  const token: Token = { cluster, tokenId, role, expiresAtMs, uses, keyId: key.keyId };
  const bytes = signPayload(keys, key, { purpose: "token", payload: encodeValue(token) });
  return TOKEN_PREFIX + encodeBase64url(bytes);
}

function decodeToken(text: string): { readonly token: Token; readonly bytes: Uint8Array } | null {
  if (text.length > TOKEN_CHARS_MAX || !text.startsWith(TOKEN_PREFIX)) return null;
  const bytes = decodeBase64url(text.slice(TOKEN_PREFIX.length));
  const parts = bytes === null ? null : splitSigned(bytes);
  const token = parts === null ? null : decodeAs(payload, parts.payload);
  return bytes === null || token === null ? null : { token, bytes };
}

/**
 * What a token says, without knowing whether it is true.
 *
 * @throws {AdmissionError} malformed
 */
export function parseToken(text: string): Token {
  const decoded = decodeToken(text);
  if (decoded !== null) return decoded.token;
  throw new AdmissionError(
    "malformed",
    `Cannot join cluster: this is no token. A token starts with ${TOKEN_PREFIX} and has no blanks; copy all of it.`,
  );
}

export function isTokenSignedBy(keys: Keys, text: string, publicKey: Uint8Array): boolean {
  const decoded = decodeToken(text);
  return decoded !== null && isSignedBy(keys, publicKey, { purpose: "token", bytes: decoded.bytes });
}

export interface TokenFacts {
  readonly cluster: string;
  readonly keyOf: (keyId: string) => PublicClusterKey | null;
  /** Wall clock. */
  readonly nowMs: number;
}

/**
 * The token, if the cluster made it and its time is not over. Whether it was used up or revoked, the replicated state knows.
 *
 * @throws {AdmissionError} malformed, wrong-cluster, unknown-key, tampered, expired
 */
export function verifyToken(keys: Keys, text: string, facts: TokenFacts): Token {
  const token = parseToken(text);
  const again = `Create one with: sage token create --role ${token.role}`;
  if (token.cluster !== facts.cluster) {
    throw new AdmissionError(
      "wrong-cluster",
      `Cannot join cluster ${facts.cluster}: the token is for cluster ${token.cluster}. Check the address and the token.`,
    );
  }
  const key = facts.keyOf(token.keyId);
  if (key === null) {
    throw new AdmissionError("unknown-key", `Cannot join cluster: the token's key was retired. ${again}`);
  }
  if (!isTokenSignedBy(keys, text, key.publicKey)) {
    throw new AdmissionError("tampered", `Cannot join cluster: the token was altered. Copy all of it. ${again}`);
  }
  if (token.expiresAtMs <= facts.nowMs) {
    const ago = durationText(facts.nowMs - token.expiresAtMs);
    throw new AdmissionError("expired", `Cannot join cluster: token expired ${ago} ago. ${again}`);
  }
  return token;
}
