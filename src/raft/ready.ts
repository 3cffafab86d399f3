/** What the machine wants done. The order of the fields is the order of doing. */
import type { PeerId } from "../kernel/mod.ts";
import type { ForwardedOutcome, ReadOutcome } from "./core.ts";
import type { Entry, Envelope, HardState, Membership, Snapshot } from "./messages.ts";
import type { ProgressState } from "./progress.ts";
import type { Role } from "./rules.ts";
import type { StoreChange } from "./store.ts";

export type RoleChange = { readonly role: Role; readonly term: number; readonly leader: PeerId | null };

export type Ready = {
  /** To be saved, in one transaction, before anything else: see `changeOf`. */
  readonly hardState: HardState | null;
  readonly snapshot: Snapshot | null;
  readonly entries: readonly Entry[];
  /** To be sent after saving. Any of them may get lost. */
  readonly messages: readonly Envelope[];
  /** What is new of role, term or leader. */
  readonly role: RoleChange | null;
  /** To be applied: first `snapshot`, which replaces the whole state, then these. */
  readonly committed: readonly Entry[];
  /** To be served after applying. */
  readonly reads: readonly ReadOutcome[];
  /** Answers to proposals that were passed on to the leader. */
  readonly outcomes: readonly ForwardedOutcome[];
};

/** What to save of a Ready; null when there is nothing. */
export function changeOf({ hardState, snapshot, entries }: Ready): StoreChange | null {
  if (hardState === null && snapshot === null && entries.length === 0) return null;
  return {
    ...(hardState === null ? {} : { hardState }),
    ...(snapshot === null ? {} : { snapshot }),
    ...(entries.length === 0 ? {} : { entries }),
  };
}

export type RaftStatus = RoleChange & {
  readonly id: PeerId;
  readonly firstIndex: number;
  readonly lastIndex: number;
  readonly commit: number;
  readonly applied: number;
  /** 0: no snapshot. */
  readonly snapshotIndex: number;
  readonly membership: Membership;
  /** The membership in effect is not known to be committed. */
  readonly isMembershipPending: boolean;
  /** The leader may serve reads alone for so long; 0 elsewhere. Infinite for a single voter. */
  readonly leaseLeftMs: number;
  readonly transferTo: PeerId | null;
};

/** One follower as its leader sees it. */
export type PeerProgress = {
  readonly peer: PeerId;
  readonly isVoter: boolean;
  readonly state: ProgressState;
  /** It has the log up to here. */
  readonly match: number;
  readonly next: number;
  readonly lagEntries: number;
  /** Since its last message. */
  readonly silentMs: number;
  readonly inflightCount: number;
};
