import type { ClusterId, KeyPair, Keys, Random } from "../../kernel/mod.ts";
import { keyIdOf } from "./key_id.ts";

/** A key of the cluster: who holds it can let others in. It lives in the replicated state, so every node holds it. */
export interface ClusterKey extends KeyPair {
  readonly keyId: string;
}

/** The half that everyone may know. */
export interface PublicClusterKey {
  readonly keyId: string;
  readonly publicKey: Uint8Array;
}

function hex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function createClusterKey(keys: Keys): ClusterKey {
  const { publicKey, privateKey } = keys.create();
  return { keyId: keyIdOf((bytes) => keys.sha256(bytes), publicKey), publicKey, privateKey };
}

export function createClusterId(random: Random): ClusterId {
  return hex(random.bytes(16)) as ClusterId; // 32 digits are what a ClusterId is
}

export function createTokenId(random: Random): string {
  return hex(random.bytes(8));
}
