import type { Keys } from "../../kernel/mod.ts";

/** Name of a cluster key: the first half of its SHA-256, so that a token, which has it, proves the key to a joiner. */
export function keyIdOf(sha256: Keys["sha256"], publicKey: Uint8Array): string {
  return sha256(publicKey).slice(0, 32);
}
