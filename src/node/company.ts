/** The node among the others: whom it knows and where, how they are, and what it does for them while it leads. */
import { type Command, type MemberView, type Peers, peerOfAddress } from "../cluster/mod.ts";
import type { PeerId, Timers } from "../kernel/mod.ts";
import type { GossipMessage } from "../protocol/mod.ts";
import { BlobKeeper } from "./blob_keeper.ts";
import { Gossip } from "./gossip.ts";
import type { NodeParts } from "./parts.ts";
import { Steward } from "./steward.ts";

export interface CompanyOptions extends NodeParts {
  readonly timers: Timers;
  readonly peers: Peers;
  readonly post: (to: PeerId, message: GossipMessage) => void;
  /** In the name of this node; failures are logged and tried again later. */
  readonly propose: (command: Command) => void;
  /** Null: forgotten. */
  readonly changed: (peer: PeerId, member: MemberView | null) => void;
}

export class Company {
  readonly gossip: Gossip;
  readonly #options: CompanyOptions;
  readonly #blobs: BlobKeeper;
  /** Null while the parts are being made. */
  #steward: Steward | null = null;
  #isLookDue = false;

  /** Knows from then on where the members were last, and begins to talk to them. */
  constructor(options: CompanyOptions) {
    const { ports, replica, standing, peers, own, timers } = options;
    this.#options = options;
    this.gossip = new Gossip({
      ports,
      timers,
      self: own.facts(),
      post: options.post,
      allow: (peer) => this.#isAllowed(peer),
      admittedCount: () => Math.max(replica.state.members.size, standing.belonging?.members.length ?? 0),
      changed: (peer, member) => {
        this.lookSoon();
        options.changed(peer, member);
      },
    });
    this.#knowWhereToBegin();
    this.#steward = new Steward({ ports, replica, gossip: this.gossip, propose: options.propose });
    this.#blobs = new BlobKeeper({ ports, replica, peers });
    this.gossip.join(standing.knownPeers(replica));
  }

  /** The leader's care for the cluster; to be called now and then. */
  look(): void {
    this.#steward?.look();
  }

  /** What has just changed may be a reason to change who votes: not to wait for the next round. */
  lookSoon(): void {
    if (this.#isLookDue || this.#steward === null) return;
    this.#isLookDue = true;
    this.#options.ports.clock.soon(() => {
      this.#isLookDue = false;
      this.look();
    });
  }

  /** Content that a snapshot did not bring is fetched from those who vote. */
  fetchBlobs(): void {
    const { replica, own } = this.#options;
    this.#blobs.look([...replica.consensus.status().membership.voters].filter((peer) => peer !== own.peer));
  }

  /** Where members were when they last said so in the log; what they say of themselves by gossip is newer. */
  knowMembers(): void {
    const { ports, replica, own } = this.#options;
    for (const { info } of replica.state.members.values()) {
      const isHeard = this.gossip.member(info.peer) !== null;
      if (info.peer !== own.peer && !isHeard) ports.transport.know(info.peer, info.addresses);
    }
  }

  #knowWhereToBegin(): void {
    const { ports, options, standing, own } = this.#options;
    for (const { peer, addresses } of standing.belonging?.members ?? []) ports.transport.know(peer, addresses);
    this.knowMembers();
    for (const address of options.join?.addresses ?? []) {
      const peer = peerOfAddress(ports.keys, address);
      if (peer !== own.peer) ports.transport.know(peer, [address]);
    }
  }

  #isAllowed(peer: PeerId): boolean {
    const { replica, departure, level, standing } = this.#options;
    if (replica.state.members.has(peer) || departure.votes(peer)) return true;
    const isStale = level.atMs === null;
    return isStale && (standing.belonging?.members.some((member) => member.peer === peer) ?? false);
  }
}
