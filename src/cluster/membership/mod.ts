export { Membership } from "./membership.ts";
export { DEFAULT_TIMINGS, MEMBERS_MAX, type MembershipTimings } from "./timings.ts";
export type { Health, MembershipAction, MembershipOptions, MemberView, SelfFacts } from "./types.ts";
