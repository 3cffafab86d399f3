/**
 * Who belongs, and how that changes: one node at a time, in effect from the moment the entry is in the log.
 *
 * Why when appended and not when applied: it is the rule of the dissertation (Ongaro 2014, 4.1) whose proof is known, the
 * log alone says which membership holds (no state machine needed), and a node that was removed sees so in its own log.
 * The price is that a cut log takes the older membership back, so the history is kept. Two memberships that follow one
 * another differ by at most one voter, hence share a member in every pair of majorities; and a leader starts a
 * change only after it committed an entry of its own term (the correction of 2015) and the change before.
 */
import { invariant, type PeerId, unreachable } from "../kernel/mod.ts";
import { MEMBERS_MAX, VOTERS_MAX } from "./limits.ts";
import type { Membership } from "./messages.ts";
import type { StoredState } from "./store.ts";

export type MembershipChange = {
  /** "demote" makes a voter a learner. */
  readonly kind: "addLearner" | "promote" | "demote" | "remove";
  readonly peer: PeerId;
  /** More learners to add with the first: they decide nothing, so any number may come at once. */
  readonly others?: readonly PeerId[];
};

export type MembershipRefusal =
  | "not-leader"
  /** A change is not committed yet, or the leader has not committed an entry of its term yet. */
  | "pending"
  | "transferring"
  | "already-member"
  | "not-member"
  | "not-learner"
  | "not-voter"
  | "last-voter"
  | "not-caught-up"
  | "full";

export const NO_MEMBERS: Membership = { voters: [], learners: [] };

/** Membership after `change`, or why it is refused. */
export function changedMembership(
  { voters, learners }: Membership,
  change: MembershipChange,
): Membership | MembershipRefusal {
  const { kind, peer, others = [] } = change;
  const isVoter = voters.includes(peer);
  const isLearner = learners.includes(peer);
  switch (kind) {
    case "addLearner":
      if (isVoter || isLearner) return "already-member";
      if (voters.length + learners.length + others.length >= MEMBERS_MAX) return "full";
      return {
        voters,
        learners: [...new Set([...learners, peer, ...others])].filter((one) => !voters.includes(one)).sort(),
      };
    case "promote":
      if (!isLearner) return "not-learner";
      if (voters.length >= VOTERS_MAX) return "full";
      return { voters: withPeer(voters, peer), learners: without(learners, peer) };
    case "demote":
      if (!isVoter) return "not-voter";
      if (voters.length === 1) return "last-voter";
      return { voters: without(voters, peer), learners: withPeer(learners, peer) };
    case "remove":
      if (!isVoter && !isLearner) return "not-member";
      if (isVoter && voters.length === 1) return "last-voter";
      return { voters: without(voters, peer), learners: without(learners, peer) };
    default:
      return unreachable(kind);
  }
}

const withPeer = (peers: readonly PeerId[], peer: PeerId): PeerId[] => [...peers, peer].sort();
const without = (peers: readonly PeerId[], peer: PeerId): PeerId[] => peers.filter((one) => one !== peer);

type Since = { readonly index: number; readonly membership: Membership };

/** Every membership that the log or its snapshot knows, by the index from which it holds. */
export class MembershipHistory {
  #known: Since[] = [];

  constructor({ snapshot, memberships }: StoredState) {
    this.#known.push(snapshot ?? { index: 0, membership: NO_MEMBERS });
    for (const { index, membership } of memberships) {
      if (index > this.#latest.index) this.#known.push({ index, membership });
    }
  }

  get #latest(): Since {
    const latest = this.#known.at(-1);
    invariant(latest !== undefined, "no membership is known");
    return latest;
  }

  get current(): Membership {
    return this.#latest.membership;
  }

  /** Of the entry that set `current`, or of the snapshot. */
  get index(): number {
    return this.#latest.index;
  }

  at(index: number): Membership {
    const found = this.#known.findLast((since) => since.index <= index);
    invariant(found !== undefined, "asked for a membership that is compacted");
    return found.membership;
  }

  add(index: number, membership: Membership): void {
    invariant(index > this.index, "memberships out of order");
    this.#known.push({ index, membership });
  }

  /** The log was cut: entries from `index` on are gone. */
  cutFrom(index: number): void {
    while (this.#known.length > 1 && this.index >= index) this.#known.pop();
    invariant(this.index < index, "the membership of a snapshot was cut");
  }

  /** Memberships that held only before `index` are needed no more. */
  compactTo(index: number): void {
    const at = this.#known.findLastIndex((since) => since.index <= index);
    if (at > 0) this.#known.splice(0, at);
  }

  reset(index: number, membership: Membership): void {
    this.#known = [{ index, membership }];
  }
}
