/** Times and limits of membership; the defaults are what the figures in the README are for. */
export interface MembershipTimings {
  readonly heartbeatMs: number;
  /** How many successors on the ring watch a node. */
  readonly watcherCount: number;
  /** Phi at which a watcher begins to probe. */
  readonly phiThreshold: number;
  /** Silence beyond the expected interval that phi does not count. */
  readonly pauseMs: number;
  /** Between two tries of a probe, and how long its answer is waited for in all. */
  readonly probeEveryMs: number;
  readonly probeMs: number;
  readonly probeTries: number;
  /** How long one helper's answer is waited for, and a whole verification at most. */
  readonly confirmMs: number;
  readonly caseMs: number;
  /** Pause before a suspect that nobody could judge is verified again. */
  readonly retryMs: number;
  /** How long a member that only others reach is left alone; doubles up to twelve times this. */
  readonly holdMs: number;
  /** Time a suspect has to refute; times log10 of the members. */
  readonly refuteMs: number;
  readonly gossipMs: number;
  readonly gossipFanout: number;
  readonly pushPullMs: number;
  /** An input later than announced by this much means that this process was stopped. */
  readonly stallMs: number;
  /** How long dead and left members are listed after their admission ended. */
  readonly tombstoneMs: number;
}

export const DEFAULT_TIMINGS: MembershipTimings = Object.freeze({
  heartbeatMs: 500,
  watcherCount: 4,
  phiThreshold: 8,
  pauseMs: 1_000,
  probeEveryMs: 250,
  probeMs: 1_500,
  probeTries: 5,
  confirmMs: 3_000,
  caseMs: 8_000,
  retryMs: 3_000,
  holdMs: 5_000,
  refuteMs: 1_000,
  gossipMs: 200,
  gossipFanout: 3,
  pushPullMs: 4_000,
  stallMs: 1_000,
  tombstoneMs: 600_000,
});

/** Members of a cluster. */
export const MEMBERS_MAX = 10_000;
/** Bytes of news in one message: usually, and while much is waiting or two nodes compare. */
export const NEWS_BYTES = 1_000;
export const NEWS_BYTES_MAX = 16_384;
/** Records kept for peers that are not admitted yet, and for how long. */
export const WAITING_MAX = 1_024;
export const WAITING_MS = 30_000;
/** Probes that one node makes for others at a time. */
export const HELPS_MAX = 256;
/** Peers to join through. */
export const SEEDS_MAX = 64;
/** A suspicion that nobody follows up lapses. */
export const SUSPICION_MS = 20_000;
