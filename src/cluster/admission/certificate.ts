/**
 * Certificates: what a peer shows at each connection to prove that the cluster let it in. Bound to the peer's own key, which
 * the transport has verified; worthless with another one.
 */
import * as v from "valibot";
import type { ClusterId, Keys } from "../../kernel/mod.ts";
import { decodeAs, encodeValue } from "../codec.ts";
import { clusterId } from "../fields.ts";
import type { ClusterKey } from "./cluster_key.ts";
import { type CertificateFacts, certificateFacts } from "./facts.ts";
import { signPayload, splitSigned } from "./signed.ts";

export const CERTIFICATE_BYTES_MAX = 1_024;

const payload = v.object({ cluster: clusterId, ...certificateFacts.entries });

export interface Certificate extends CertificateFacts {
  readonly cluster: ClusterId;
}

/** The same facts and key give the same bytes, so that an answer can be given again. */
export function issueCertificate(
  keys: Keys,
  key: ClusterKey,
  certificate: { readonly cluster: ClusterId; readonly facts: CertificateFacts },
): Uint8Array {
  const { serial, peer, role, name, issuedAtMs, expiresAtMs } = certificate.facts;
  const { cluster } = certificate;
  const fields: Certificate = { cluster, serial, peer, role, name, keyId: key.keyId, issuedAtMs, expiresAtMs };
  return signPayload(keys, key, { purpose: "certificate", payload: encodeValue(fields) });
}

/** What the bytes say; null when they are no certificate. Not verified: `judge` does that. */
export function decodeCertificate(bytes: Uint8Array): Certificate | null {
  const parts = bytes.length > CERTIFICATE_BYTES_MAX ? null : splitSigned(bytes);
  return parts === null ? null : decodeAs(payload, parts.payload);
}

/** Whether to ask for a new certificate: two thirds of its life are over, or the cluster signs with another key now. */
export function needsRenewal(
  certificate: CertificateFacts,
  now: { readonly nowMs: number; readonly activeKeyId: string },
): boolean {
  const { issuedAtMs, expiresAtMs, keyId } = certificate;
  return keyId !== now.activeKeyId || now.nowMs >= issuedAtMs + ((expiresAtMs - issuedAtMs) * 2) / 3;
}
