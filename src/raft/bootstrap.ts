/** The two ways in which a log begins otherwise than by a leader. */
import { invariant } from "../kernel/mod.ts";
import type { Membership } from "./messages.ts";
import type { StoreChange, StoredState } from "./store.ts";

/**
 * What a cluster's first voters save before they start, all the same. Every later member starts with an empty store.
 */
export function firstChange(membership: Membership): StoreChange {
  invariant(membership.voters.length > 0, "a cluster without voters");
  return {
    hardState: { term: 1, vote: null, commit: 1 },
    entries: [{ kind: "membership", index: 1, term: 1, membership }],
  };
}

/**
 * What a node saves to go on alone after the majority of voters is gone for good. Takes as committed what this node has; what
 * only the others had is lost, and none of them may ever come back with its old store.
 */
export function recoveryChange({ hardState, lastIndex }: StoredState, membership: Membership): StoreChange {
  const term = (hardState?.term ?? 0) + 1;
  return {
    hardState: { term, vote: null, commit: hardState?.commit ?? 0 },
    entries: [{ kind: "membership", index: lastIndex + 1, term, membership }],
  };
}
