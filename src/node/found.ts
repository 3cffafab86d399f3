import type { Address, PeerId, Transport } from "../kernel/mod.ts";
import type { ClusterNode } from "./node.ts";

const ADDRESSES_MAX = 16;

/**
 * A peer was seen on the local network, where anyone can claim anything. Only a member is worth a try, besides the addresses
 * that it has told itself: all of the cluster's hosts may have got new ones. The connection proves who is there.
 */
export function memberFound(
  node: ClusterNode,
  transport: Transport,
  { peer, addresses }: { readonly peer: PeerId; readonly addresses: readonly Address[] },
): void {
  const member = node.replica.state.members.get(peer);
  if (member === undefined || peer === node.self) return;
  const told = node.members().find((view) => view.peer === peer)?.record.addresses ?? member.info.addresses;
  transport.know(peer, [...new Set([...told, ...addresses])].slice(0, ADDRESSES_MAX));
}
