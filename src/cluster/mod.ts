export * from "./admission/mod.ts";
export {
  Consensus,
  ConsensusError,
  type ConsensusErrorCode,
  type ConsensusOptions,
  Lanes,
  type Machine,
  Proposer,
  type ProposerOptions,
  type SnapshotPolicy,
} from "./consensus/mod.ts";
export * from "./contact/mod.ts";
export type { MemberInfo } from "./fields.ts";
export {
  DEFAULT_TIMINGS,
  type Health,
  MEMBERS_MAX,
  Membership,
  type MembershipAction,
  type MembershipOptions,
  type MembershipTimings,
  type MemberView,
  type SelfFacts,
} from "./membership/mod.ts";
export * from "./state/mod.ts";
export {
  DROP_AFTER_MS,
  REPLACE_AFTER_MS,
  VOTERS_WANTED_MAX,
  type VoterCandidate,
  type VoterChange,
  type VoterFacts,
  voterChange,
} from "./voters.ts";
