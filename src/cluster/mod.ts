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
