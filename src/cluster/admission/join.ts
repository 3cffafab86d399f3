/**
 * How a peer comes in. It shows a token to any node, which passes it to the leader: `admitJoin` judges and gives the command to
 * propose; once that is committed, `grantJoin` makes the answer; `openGrant` is the joiner's check of it.
 *
 * The grant is signed with the key that the token names by its hash. So the joiner knows that the cluster which answers is the
 * one that made its token, whatever the address led to.
 */
import * as v from "valibot";
import type { Address, ClusterId, Keys, PeerId } from "../../kernel/mod.ts";
import { GRANT_BYTES_MAX } from "../../protocol/mod.ts";
import { canonical, decodeAs, encodeValue } from "../codec.ts";
import { durationText } from "../duration.ts";
import { ADDRESSES_MAX, address, bytesTo, clusterId, key32, keyId, type MemberInfo, peerId } from "../fields.ts";
import { type ClusterState, type Command, type Outcome, type RefusalCode, tokenProblem } from "../state/mod.ts";
import { CERTIFICATE_BYTES_MAX, type Certificate, decodeCertificate, issueCertificate } from "./certificate.ts";
import type { PublicClusterKey } from "./cluster_key.ts";
import { AdmissionError, type AdmissionErrorCode } from "./error.ts";
import type { CertificateFacts } from "./facts.ts";
import { CLOCK_TOLERANCE_MS } from "./judge.ts";
import { keyIdOf } from "./key_id.ts";
import { isSignedBy, signPayload, splitSigned } from "./signed.ts";
import { isTokenSignedBy, parseToken, verifyToken } from "./token.ts";

export interface JoinRequest {
  readonly token: string;
  /** As the transport has verified it. */
  readonly peer: PeerId;
  readonly name: string;
  /** What a node says of itself; null for a client. */
  readonly member: MemberInfo | null;
}

export type JoinDecision =
  | { readonly ok: true; readonly command: Command }
  | { readonly ok: false; readonly error: AdmissionError };

type Refusal = Extract<Outcome, { readonly ok: false }>;

const CODES: Partial<Record<RefusalCode, AdmissionErrorCode>> = {
  "not-found": "unknown-token",
  "token-expired": "expired",
  "token-used": "used",
  "token-revoked": "revoked",
  "token-role": "wrong-role",
  revoked: "revoked",
  forbidden: "wrong-role",
  "too-old": "too-old",
  limit: "limit",
};

/** A refusal of the replicated state as the joiner is to see it. */
export function refusalError(refusal: Refusal): AdmissionError {
  // Another leader may have raised the format meanwhile: the same request is good then.
  return new AdmissionError(CODES[refusal.code] ?? "conflict", refusal.message, {
    retryable: refusal.code === "format",
  });
}

/** The leader's judgement of a request to join, and the command that does it. */
export function admitJoin(keys: Keys, state: ClusterState, request: JoinRequest & { nowMs: number }): JoinDecision {
  const { peer, name, member, nowMs } = request;
  const cluster = state.cluster?.id ?? "";
  const keyOf = (id: string): PublicClusterKey | null => state.keys.get(id) ?? null;
  try {
    const { tokenId, role } = verifyToken(keys, request.token, { cluster, keyOf, nowMs });
    if (member !== null && member.peer !== peer) {
      throw new AdmissionError("stolen", `Cannot join cluster: ${peer} asks in the name of ${member.peer}.`);
    }
    const holder = (member === null ? state.clients : state.members).get(peer);
    const isAgain = holder?.tokenId === tokenId && !state.isRevoked(holder.certificate);
    const known = state.tokens.get(tokenId);
    if (known !== undefined && known.role !== role) {
      throw new AdmissionError(
        "tampered",
        "Cannot join cluster: the token is not the one that was made. Create one anew.",
      );
    }
    const refusal = tokenProblem(known, { isNode: member !== null, isAgain, atMs: nowMs });
    if (refusal !== null) throw refusalError(refusal);
    const command: Command =
      member === null
        ? { kind: "token.use", tokenId, peer, name }
        : { kind: "member.admit", tokenId, member: { ...member, addresses: [...member.addresses] } };
    return { ok: true, command };
  } catch (error) {
    if (error instanceof AdmissionError) return { ok: false, error };
    throw error;
  }
}

/**
 * Makes the certificate of facts that the replicated state gave.
 *
 * @throws {AdmissionError} unknown-key, when the key was retired meanwhile
 */
export function certificateOf(keys: Keys, state: ClusterState, facts: CertificateFacts): Uint8Array {
  const key = state.keys.get(facts.keyId);
  if (key === undefined || state.cluster === null) {
    throw new AdmissionError("unknown-key", "Cannot issue a certificate: its key was retired. Try again.", {
      retryable: true,
    });
  }
  return issueCertificate(keys, key, { cluster: state.cluster.id, facts });
}

/** What a joiner gets. */
export interface Grant {
  readonly cluster: ClusterId;
  readonly clusterName: string;
  readonly certificate: Uint8Array;
  readonly keys: readonly PublicClusterKey[];
  /** Some members and where they are. */
  readonly members: readonly { readonly peer: PeerId; readonly addresses: readonly Address[] }[];
}

export const GRANT_MEMBERS_MAX = 64;

const grantShape = v.object({
  cluster: clusterId,
  clusterName: v.string(),
  certificate: bytesTo(CERTIFICATE_BYTES_MAX),
  keys: v.array(v.object({ keyId, publicKey: key32 })),
  members: v.pipe(
    v.array(v.object({ peer: peerId, addresses: v.pipe(v.array(address), v.maxLength(ADDRESSES_MAX)) })),
    v.maxLength(GRANT_MEMBERS_MAX),
  ),
});

/**
 * The answer to a joiner whose command was applied.
 *
 * @throws {AdmissionError} the state's refusal, or unknown-key
 */
export function grantJoin(
  keys: Keys,
  state: ClusterState,
  joined: { readonly outcome: Outcome; readonly token: string },
): Uint8Array {
  const { outcome, token } = joined;
  if (!outcome.ok) throw refusalError(outcome);
  const signer = state.keys.get(parseToken(token).keyId);
  const { cluster } = state;
  if (signer === undefined || cluster === null || outcome.value.type !== "certificate") {
    throw new AdmissionError("unknown-key", "Cannot join cluster: the token's key was retired. Create a new token.");
  }
  const members = [...state.members.values()].filter(({ info }) => info.addresses.length > 0);
  const grant: Grant = {
    cluster: cluster.id,
    clusterName: cluster.name,
    certificate: certificateOf(keys, state, outcome.value.certificate),
    keys: [...state.keys.values()].map(({ keyId, publicKey }) => ({ keyId, publicKey })),
    members: members.slice(0, GRANT_MEMBERS_MAX).map(({ info: { peer, addresses } }) => ({ peer, addresses })),
  };
  return signPayload(keys, signer, { purpose: "grant", payload: encodeValue(canonical(grant)) });
}

/**
 * The joiner's check of the answer.
 *
 * @throws {AdmissionError} malformed, wrong-cluster, tampered, stolen, wrong-role, not-yet-valid
 */
export function openGrant(
  keys: Keys,
  asked: { readonly token: string; readonly peer: PeerId; readonly nowMs: number },
  bytes: Uint8Array,
): Grant & { readonly facts: Certificate } {
  const token = parseToken(asked.token);
  const parts = bytes.length > GRANT_BYTES_MAX ? null : splitSigned(bytes);
  const grant = parts === null ? null : decodeAs(grantShape, parts.payload);
  if (grant === null) throw new AdmissionError("malformed", "Cannot join cluster: its answer cannot be read.");
  const key = grant.keys.find((entry) => entry.keyId === token.keyId);
  const isTrue =
    key !== undefined &&
    keyIdOf((text) => keys.sha256(text), key.publicKey) === token.keyId &&
    isTokenSignedBy(keys, asked.token, key.publicKey) &&
    isSignedBy(keys, key.publicKey, { purpose: "grant", bytes });
  if (!isTrue || grant.cluster !== token.cluster) {
    throw new AdmissionError(
      "wrong-cluster",
      `Cannot join cluster: the node that answers is not of cluster ${token.cluster}, which the token is for. Check the address.`,
    );
  }
  const facts = decodeCertificate(grant.certificate);
  const signer = grant.keys.find((entry) => entry.keyId === facts?.keyId);
  const isSigned =
    signer !== undefined && isSignedBy(keys, signer.publicKey, { purpose: "certificate", bytes: grant.certificate });
  if (facts === null || !isSigned || facts.cluster !== grant.cluster) {
    throw new AdmissionError("tampered", "Cannot join cluster: the certificate in its answer is not valid.");
  }
  if (facts.peer !== asked.peer) {
    throw new AdmissionError("stolen", `Cannot join cluster: it answered with a certificate for ${facts.peer}.`);
  }
  checkClock(facts.issuedAtMs, asked.nowMs);
  return { ...grant, facts };
}

/** The certificate has just been made: a clock that says otherwise is wrong, and would make trouble later. */
function checkClock(issuedAtMs: number, nowMs: number): void {
  const differenceMs = Math.abs(nowMs - issuedAtMs);
  if (differenceMs <= CLOCK_TOLERANCE_MS) return;
  const side = nowMs < issuedAtMs ? "behind" : "ahead of";
  throw new AdmissionError(
    "not-yet-valid",
    `Cannot join cluster: this machine's clock is ${durationText(differenceMs)} ${side} the cluster's. Set it, for example with NTP.`,
  );
}
