import { type Admission, invariant, type Keys, type PeerId } from "../../kernel/mod.ts";
import { durationText } from "../duration.ts";
import { type Certificate, decodeCertificate } from "./certificate.ts";
import type { PublicClusterKey } from "./cluster_key.ts";
import type { AdmissionErrorCode } from "./error.ts";
import { includesRole, type Role } from "./roles.ts";
import { isSignedBy } from "./signed.ts";

/** Clocks of nodes may differ by this much. */
export const CLOCK_TOLERANCE_MS = 120_000;

/** How the reason ends by which a peer learns that its certificate was revoked: part of what versions have in common. */
const REVOKED = "was revoked";

/** Whether a peer that gave this reason for a refusal will never let this side in. */
export function isRevocation(reason: string): boolean {
  return reason.endsWith(REVOKED);
}

/** What the judging node knows. */
export interface JudgeFacts {
  readonly cluster: string;
  /** Keys that are not retired, by id. */
  readonly keyOf: (keyId: string) => PublicClusterKey | null;
  readonly isRevoked: (certificate: Pick<Certificate, "peer" | "serial">) => boolean;
  /** Wall clock. */
  readonly nowMs: number;
  /** Default `CLOCK_TOLERANCE_MS`. */
  readonly toleranceMs?: number;
  /** Least role that will do; default: any. */
  readonly minRole?: Role;
}

export type Verdict =
  | { readonly ok: true; readonly certificate: Certificate }
  | { readonly ok: false; readonly code: AdmissionErrorCode; readonly reason: string };

function no(code: AdmissionErrorCode, reason: string): Verdict {
  return { ok: false, code, reason };
}

/** What a node does then; clients know themselves that they log in. */
function joinAgain(role: Role): string {
  return role === "node" ? ". Join again with a token" : "";
}

/** Judges what `peer`, whose key the transport has verified, shows as its right to be here. */
export function judge(keys: Keys, shown: { peer: PeerId; credential: Uint8Array }, facts: JudgeFacts): Verdict {
  const { peer, credential } = shown;
  if (credential.length === 0) {
    return no("no-credential", "no credential was shown. Join with a token: sage token create --role node");
  }
  const certificate = decodeCertificate(credential);
  if (certificate === null) return no("malformed", "the credential is no certificate");
  const { cluster, keyId, role } = certificate;
  if (cluster !== facts.cluster) {
    return no("wrong-cluster", `the certificate is of cluster ${cluster}, this is cluster ${facts.cluster}`);
  }
  const key = facts.keyOf(keyId);
  if (key === null) return no("unknown-key", `the cluster has no key ${keyId}, it was retired${joinAgain(role)}`);
  if (!isSignedBy(keys, key.publicKey, { purpose: "certificate", bytes: credential })) {
    return no("tampered", `the certificate's signature does not hold${joinAgain(role)}`);
  }
  invariant(certificate.keyId === key.keyId, "a key was found under another name");
  if (certificate.peer !== peer) {
    return no("stolen", `the certificate belongs to ${certificate.peer}, and ${peer} shows it`);
  }
  return judgeInForce(certificate, facts);
}

/** A true certificate of this very peer: is it in force, and enough? */
function judgeInForce(certificate: Certificate, facts: JudgeFacts): Verdict {
  const { name, role, serial, issuedAtMs, expiresAtMs } = certificate;
  const { nowMs, toleranceMs = CLOCK_TOLERANCE_MS, minRole = "read" } = facts;
  if (facts.isRevoked(certificate)) return no("revoked", `certificate ${serial} of ${name} ${REVOKED}`);
  if (nowMs + toleranceMs < issuedAtMs) {
    const early = durationText(issuedAtMs - nowMs);
    return no("not-yet-valid", `the certificate of ${name} begins in ${early}: a clock is off by that. Set the clocks`);
  }
  if (nowMs - toleranceMs >= expiresAtMs) {
    const ago = durationText(nowMs - expiresAtMs);
    return no("expired", `the certificate of ${name} expired ${ago} ago${joinAgain(role)}. Check the clocks as well`);
  }
  if (!includesRole(role, minRole)) return no("wrong-role", `${name} has the role ${role}, this needs ${minRole}`);
  return { ok: true, certificate };
}

/** The transport's answer to a verdict: no credential at all makes a guest, who may only ask to join. */
export function toAdmission(verdict: Verdict): Admission {
  if (verdict.ok) return { kind: verdict.certificate.role === "node" ? "member" : "client" };
  return verdict.code === "no-credential" ? { kind: "guest" } : { kind: "refused", reason: verdict.reason };
}
