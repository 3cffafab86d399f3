import {
  type Certificate,
  type ClusterKey,
  createClusterKey,
  createToken,
  issueCertificate,
  type JudgeFacts,
  type Role,
  type Token,
} from "../../../src/cluster/mod.ts";
import type { ClusterId, PeerId } from "../../../src/kernel/mod.ts";
import { createKeys } from "../../../src/platform/keys.ts";

export const keys = createKeys();
export const CLUSTER = "0123456789abcdef0123456789abcdef" as ClusterId;
export const OTHER_CLUSTER = "f".repeat(32) as ClusterId;
export const NOW_MS = 1_800_000_000_000;
export const MINUTE_MS = 60_000;
export const DAY_MS = 86_400_000;

export const key = createClusterKey(keys);
export const otherKey = createClusterKey(keys);
export const nodeKey = keys.create();
export const node: PeerId = keys.peerOf(nodeKey.publicKey);
export const thief: PeerId = keys.peerOf(keys.create().publicKey);

export function certificate(change: Partial<Certificate> = {}, signer: ClusterKey = key): Uint8Array {
  const facts = {
    serial: 7,
    peer: node,
    role: "node" as Role,
    name: "first",
    keyId: signer.keyId,
    issuedAtMs: NOW_MS - DAY_MS,
    expiresAtMs: NOW_MS + 29 * DAY_MS,
    ...change,
  };
  return issueCertificate(keys, signer, { cluster: change.cluster ?? CLUSTER, facts });
}

export const facts: JudgeFacts = {
  cluster: CLUSTER,
  keyOf: (keyId) => (keyId === key.keyId ? key : null),
  isRevoked: ({ serial }) => serial === 13,
  nowMs: NOW_MS,
};

export function token(change: Partial<Token> = {}, signer: ClusterKey = key): string {
  const fields = { cluster: CLUSTER, tokenId: "0123456789abcdef", role: "node" as Role, uses: 1 };
  return createToken(keys, signer, { ...fields, expiresAtMs: NOW_MS + 60 * MINUTE_MS, ...change });
}
