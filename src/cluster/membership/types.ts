import type { PeerId } from "../../kernel/mod.ts";
import type { GossipMessage, MemberRecord, SignedRecord } from "../../protocol/mod.ts";
import type { MembershipTimings } from "./timings.ts";

/**
 * `suspect`: silent, not (yet) confirmed by others. `dead`: silent to three nodes, or to all there are.
 * `leaving` and `left` are what a member says of itself.
 */
export type Health = "alive" | "suspect" | "dead" | "leaving" | "left";

export interface MemberView {
  readonly peer: PeerId;
  readonly record: MemberRecord;
  readonly health: Health;
  /** Since when this node has known it so. */
  readonly healthSinceMs: number;
  /** Suspicion from missing heartbeats; 0 for members that this node does not watch. */
  readonly phi: number;
  /** When any message came from the member itself; null before the first. */
  readonly lastHeardMs: number | null;
  /** Share of the slots in use; null when this node gets no heartbeats of the member. */
  readonly load: number | null;
}

/** What the core wants done; in order. */
export type MembershipAction =
  | { readonly kind: "send"; readonly to: PeerId; readonly message: GossipMessage }
  | { readonly kind: "changed"; readonly member: MemberView; readonly before: MemberView | null }
  /** No longer admitted, and no longer listed. */
  | { readonly kind: "forgotten"; readonly member: MemberView }
  /** A record about `peer` that `from` relayed has a wrong signature. */
  | { readonly kind: "refused"; readonly from: PeerId; readonly peer: PeerId };

/** What a node says of itself, besides incarnation and state. */
export type SelfFacts = Omit<MemberRecord, "incarnation" | "state">;

export interface MembershipOptions {
  readonly self: SelfFacts;
  /**
   * Of this start: larger than that of the last, such as the wall clock's milliseconds. When the cluster remembers a higher
   * one (the clock went back), this node raises its own above it as soon as it is told.
   */
  readonly incarnation: number;
  readonly nowMs: number;
  readonly sign: (record: MemberRecord) => SignedRecord;
  /** Whether `signature` is by `peer` over `bytes`. */
  readonly verify: (bytes: Uint8Array, signature: Uint8Array, peer: PeerId) => boolean;
  /** Whether `peer` is admitted to the cluster. Asked again every second for each member. */
  readonly allow: (peer: PeerId) => boolean;
  /**
   * How many peers are admitted, this node among them. A node that knows fewer members than that (just started, or
   * cut off since) does not judge as if it were one of few. Without it only known members count.
   */
  readonly admittedCount?: () => number;
  /** 0 ≤ x < 1. */
  readonly random: () => number;
  readonly timings?: Partial<MembershipTimings>;
}
