import type { PeerId } from "../kernel/mod.ts";
import type { PeerProgress } from "../raft/mod.ts";
import type { Gossip } from "./gossip.ts";

/** Voters that could lead next, those with most of the log first. Empty at a node that does not lead. */
export function successors(progress: readonly PeerProgress[], gossip: Gossip): PeerId[] {
  return progress
    .filter(({ peer, isVoter }) => isVoter && gossip.member(peer)?.health === "alive")
    .sort((a, b) => b.match - a.match)
    .map(({ peer }) => peer);
}
