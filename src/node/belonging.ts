/** What a node must know of its cluster before it has any of the replicated state: which one, and whom to trust. */
import * as v from "valibot";
import { decodeCertificate, type PublicClusterKey } from "../cluster/mod.ts";
import type { Address, ClusterId, PeerId } from "../kernel/mod.ts";
import { address, bytes, clusterId, decodeValue, encodeValue, list, parse, peerId, text } from "../protocol/mod.ts";
import type { Keepsake } from "./ports.ts";

export interface Belonging {
  readonly cluster: ClusterId;
  /** This node's certificate; empty for a founder until its own command is applied. */
  readonly certificate: Uint8Array;
  readonly keys: readonly PublicClusterKey[];
  /** Members that were known last, and where. */
  readonly members: readonly { readonly peer: PeerId; readonly addresses: readonly Address[] }[];
}

/** Members written down; more than enough to find the others again. */
export const BELONGING_MEMBERS_MAX = 64;
const ADDRESSES_MAX = 16;
const KEYS_MAX = 8;

const SHAPE = v.object({
  version: v.literal(1),
  cluster: clusterId,
  certificate: bytes(4_096),
  keys: list(v.object({ keyId: text(64), publicKey: bytes(32) }), KEYS_MAX),
  members: list(v.object({ peer: peerId, addresses: list(address, ADDRESSES_MAX) }), BELONGING_MEMBERS_MAX),
});

/** Null for a node that has never belonged anywhere. @throws {ProtocolError} when the file is damaged */
export function loadBelonging(keepsake: Keepsake): Belonging | null {
  const saved = keepsake.load();
  return saved === null ? null : parse(SHAPE, decodeValue(saved), "what the node noted of its cluster");
}

/** What the node was called when it was last given a certificate; null for one that belongs nowhere. Errors as of `loadBelonging`. */
export function keptName(keepsake: Keepsake): string | null {
  const belonging = loadBelonging(keepsake);
  return belonging === null ? null : (decodeCertificate(belonging.certificate)?.name ?? null);
}

export function saveBelonging(keepsake: Keepsake, { cluster, certificate, keys, members }: Belonging): void {
  const noted = {
    version: 1,
    cluster,
    certificate,
    keys: keys.map(({ keyId, publicKey }) => ({ keyId, publicKey })),
    members: members.slice(0, BELONGING_MEMBERS_MAX),
  };
  keepsake.save(encodeValue(noted));
}
