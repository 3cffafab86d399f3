import type { PeerId } from "../../kernel/mod.ts";
import {
  type GossipMessage,
  NO_UPDATES,
  type ProbeRequest,
  type ProbeResult,
  type Verdict,
} from "../../protocol/mod.ts";
import { Helps } from "./helps.ts";
import { Intervals } from "./phi.ts";
import type { Member, Table } from "./table.ts";
import type { MembershipTimings } from "./timings.ts";

/** What the detector needs of the node around it. */
export interface DetectorPorts {
  readonly self: PeerId;
  readonly table: Table;
  readonly timings: MembershipTimings;
  readonly admittedCount: () => number;
  readonly random: () => number;
  readonly send: (to: PeerId, message: GossipMessage) => void;
  /** Takes the verdict for true and tells others, its subject first. */
  readonly publish: (verdict: Verdict) => void;
}

/** One member that this node watches. */
interface Watch {
  readonly member: Member;
  readonly intervals: Intervals;
  sequence: number;
  /** Of the last heartbeat; null before the first. */
  beatMs: number | null;
  /** Of the last sign of life of any kind. */
  aliveMs: number;
  /** No verification begins before. */
  holdUntilMs: number;
  holdCount: number;
}

interface Helper {
  readonly peer: PeerId;
  readonly askedMs: number;
  againMs: number;
  state: "asked" | "in-vain" | "silent";
}

/** The verification of one suspect by one watcher: own probes, those of two others, time to refute. */
interface Case {
  readonly member: Member;
  readonly incarnation: number;
  readonly probe: number;
  readonly isUrgent: boolean;
  startMs: number;
  nextTryMs: number;
  tryCount: number;
  readonly helpers: Helper[];
  /** Set once others confirmed: dead at this time unless it refutes. */
  deadMs: number | null;
}

const CONFIRMERS = 2;
/** Own tries before others are asked. */
const TRIES_ALONE = 2;
const HELPERS_MAX = 6;
/** Members looked at to find a helper. */
const CHOICES_MAX = 16;
const HOLD_DOUBLINGS = 3.6;
const PENALTY_MAX = 4;
const PENALTY_MS = 10_000;
/** A watcher has this long to be found by who it watches. */
const GRACE_MS = 1_000;
/** With nobody else to ask, a node probes this much longer. */
const LONE_FACTOR = 3;

/**
 * Decides which of the watched members are dead.
 *
 * Phi only opens a case; a case ends at the first sign of life, when a helper reaches the suspect, or with a verdict when
 * this node and as many others as needed probed in vain and the suspect did not refute in time. Who was stopped or loses
 * its own probes while others succeed becomes slower to judge (Dadgar, Phillips, Currey: *Lifeguard*, 2017).
 */
export class Detector {
  readonly #ports: DetectorPorts;
  readonly #watches = new Map<PeerId, Watch>();
  readonly #cases = new Map<PeerId, Case>();
  readonly #helps: Helps;
  #ringVersion = -1;
  /** From a random start: helpers may remember questions of this node's last run. */
  #probes: number;
  #penalty = 0;
  #penaltyEndMs = 0;

  constructor(ports: DetectorPorts) {
    this.#ports = ports;
    this.#helps = new Helps(ports);
    this.#probes = Math.floor(ports.random() * 2 ** 31);
  }

  /** Health of this node itself: timings are stretched by it. 1 when all is well. */
  get factor(): number {
    return 1 + this.#penalty;
  }

  /** Others that must have probed in vain: two, or all there should be besides this node and the suspect. */
  get #confirmersNeeded(): number {
    const { table, admittedCount } = this.#ports;
    const liveCount = Math.max(table.ring.size, admittedCount() - table.goneCount);
    return Math.max(0, Math.min(CONFIRMERS, liveCount - 2));
  }

  phi(peer: PeerId, nowMs: number): number {
    const watch = this.#watches.get(peer);
    if (watch === undefined) return 0;
    return watch.intervals.phi(nowMs - watch.aliveMs, this.#ports.timings.pauseMs * this.factor);
  }

  /** This process was stopped: what it did not hear meanwhile says nothing of others. */
  stalled(nowMs: number): void {
    this.#punish(nowMs);
    for (const watch of this.#watches.values()) {
      watch.aliveMs = Math.max(watch.aliveMs, nowMs);
      watch.beatMs = null;
    }
    for (const open of this.#cases.values()) this.#close(open);
    this.#helps.restart(nowMs);
  }

  beat(peer: PeerId, sequence: number, nowMs: number): void {
    const watch = this.#watches.get(peer);
    if (watch === undefined || sequence <= watch.sequence) return;
    watch.sequence = sequence;
    if (watch.beatMs !== null) watch.intervals.add(nowMs - watch.beatMs);
    watch.beatMs = nowMs;
    watch.holdCount = 0;
  }

  /** Any message from `peer` itself. */
  heard(peer: PeerId, nowMs: number): void {
    const watch = this.#watches.get(peer);
    if (watch !== undefined) {
      watch.aliveMs = Math.max(watch.aliveMs, nowMs);
      this.#ports.table.doubt(watch.member, false);
    }
    const open = this.#cases.get(peer);
    if (open !== undefined) this.#close(open);
    this.#helps.heard(peer, nowMs);
  }

  /** The last connection to `peer` broke: worth a probe at once, when it is ours to watch. */
  disconnected(peer: PeerId, nowMs: number): void {
    const watch = this.#watches.get(peer);
    if (watch !== undefined && nowMs >= watch.holdUntilMs) this.#open(watch, true, nowMs);
  }

  asked(from: PeerId, request: ProbeRequest, nowMs: number): void {
    this.#helps.asked(from, request, nowMs);
  }

  result(from: PeerId, result: ProbeResult, nowMs: number): void {
    const open = this.#cases.get(result.target);
    if (open === undefined || open.probe !== result.probe) return;
    const helper = open.helpers.find(({ peer }) => peer === from);
    if (helper === undefined) return;
    if (!result.isReachable) {
      helper.state = "in-vain";
      return;
    }
    const watch = this.#watches.get(result.target);
    if (watch !== undefined) {
      watch.holdUntilMs = nowMs + this.#ports.timings.holdMs * 2 ** Math.min(watch.holdCount, HOLD_DOUBLINGS);
      watch.holdCount++;
    }
    this.#punish(nowMs);
    this.#close(open);
  }

  tick(nowMs: number): void {
    if (this.#penalty > 0 && nowMs >= this.#penaltyEndMs) {
      this.#penalty--;
      this.#penaltyEndMs = nowMs + PENALTY_MS;
    }
    this.#watch(nowMs);
    for (const watch of this.#watches.values()) {
      if (nowMs < watch.holdUntilMs || this.#cases.has(watch.member.peer)) continue;
      if (this.phi(watch.member.peer, nowMs) >= this.#ports.timings.phiThreshold) this.#open(watch, false, nowMs);
    }
    for (const open of this.#cases.values()) this.#advance(open, nowMs);
    this.#helps.tick(nowMs, this.factor);
  }

  /** When `tick` has something to do at the latest. */
  dueMs(nowMs: number): number {
    const { probeEveryMs, gossipMs } = this.#ports.timings;
    return nowMs + (this.#cases.size > 0 || this.#helps.isBusy ? probeEveryMs / 5 : gossipMs);
  }

  /** Follows the ring: watches the predecessors, and nobody else. */
  #watch(nowMs: number): void {
    const { table, timings, self } = this.#ports;
    if (this.#ringVersion === table.ring.version) return;
    this.#ringVersion = table.ring.version;
    const own = table.get(self);
    const watched = own === undefined ? [] : table.ring.predecessors(own, timings.watcherCount);
    const peers = new Set(watched.map(({ peer }) => peer));
    for (const [peer, { member }] of this.#watches) {
      if (peers.has(peer)) continue;
      this.#watches.delete(peer);
      const open = this.#cases.get(peer);
      if (open !== undefined) this.#close(open);
      else table.doubt(member, false);
      member.load = null;
    }
    for (const member of watched)
      if (!this.#watches.has(member.peer)) this.#watches.set(member.peer, this.#begin(member, nowMs));
  }

  #begin(member: Member, nowMs: number): Watch {
    return {
      member,
      intervals: new Intervals(this.#ports.timings.heartbeatMs),
      sequence: -1,
      beatMs: null,
      aliveMs: nowMs + GRACE_MS,
      holdUntilMs: 0,
      holdCount: 0,
    };
  }

  /** `member` has a new record: counts as a sign of life, and its heartbeats may count anew. */
  renewed(member: Member, nowMs: number): void {
    const watch = this.#watches.get(member.peer);
    if (watch === undefined) return;
    watch.sequence = -1;
    watch.aliveMs = Math.max(watch.aliveMs, nowMs);
    const open = this.#cases.get(member.peer);
    if (open !== undefined) this.#close(open);
  }

  #open(watch: Watch, isUrgent: boolean, nowMs: number): void {
    const { member } = watch;
    if (this.#cases.has(member.peer)) return;
    this.#cases.set(member.peer, {
      member,
      incarnation: member.signed.record.incarnation,
      probe: this.#probes++,
      isUrgent,
      startMs: nowMs,
      nextTryMs: nowMs,
      tryCount: 0,
      helpers: [],
      deadMs: null,
    });
  }

  #close(open: Case): void {
    this.#cases.delete(open.member.peer);
    this.#ports.table.doubt(open.member, false);
  }

  #advance(open: Case, nowMs: number): void {
    const { timings, table } = this.#ports;
    if (open.member.goneMs !== null || open.member.signed.record.incarnation !== open.incarnation) {
      this.#close(open);
      return;
    }
    this.#probe(open, nowMs);
    const needed = this.#confirmersNeeded;
    if (open.deadMs !== null) {
      if (nowMs < open.deadMs) return;
      const inVain = open.helpers.filter(({ state }) => state === "in-vain");
      this.#cases.delete(open.member.peer);
      this.#ports.publish(this.#verdict(open, "dead", inVain));
      return;
    }
    if (needed > 0 && (open.isUrgent || open.tryCount >= TRIES_ALONE)) this.#ask(open, needed, nowMs);
    const patienceMs = timings.probeMs * this.factor * (needed === 0 ? LONE_FACTOR : 1);
    if (nowMs < open.startMs + patienceMs) return;
    table.doubt(open.member, true);
    const inVain = open.helpers.filter(({ state }) => state === "in-vain");
    if (inVain.length >= needed) {
      open.deadMs = nowMs + timings.refuteMs * this.factor * Math.max(1, Math.log10(table.ring.size));
      this.#ports.publish(this.#verdict(open, "suspect", inVain));
    } else if (nowMs >= open.startMs + timings.caseMs * this.factor) {
      this.#giveUp(open, nowMs);
    }
  }

  /** Nobody could judge, perhaps because it is this node that is cut off: stays a suspect here, to be tried again. */
  #giveUp(open: Case, nowMs: number): void {
    this.#cases.delete(open.member.peer);
    const watch = this.#watches.get(open.member.peer);
    if (watch !== undefined) watch.holdUntilMs = nowMs + this.#ports.timings.retryMs;
  }

  #probe(open: Case, nowMs: number): void {
    const { timings, random } = this.#ports;
    if (nowMs < open.nextTryMs) return;
    const isEnough = open.tryCount >= timings.probeTries && open.deadMs === null && this.#confirmersNeeded > 0;
    if (isEnough) return;
    open.tryCount++;
    open.nextTryMs = nowMs + timings.probeEveryMs * this.factor * (0.8 + 0.4 * random());
    const { verdict } = open.member;
    const updates = verdict === null ? NO_UPDATES : { records: [], verdicts: [verdict] };
    this.#ports.send(open.member.peer, { kind: "probe", probe: open.probe, target: open.member.peer, updates });
  }

  /** Keeps `needed` helpers at work: asks again who did not answer, and somebody else after a while. */
  #ask(open: Case, needed: number, nowMs: number): void {
    const { timings } = this.#ports;
    for (const helper of open.helpers) {
      if (helper.state !== "asked") continue;
      if (nowMs >= helper.askedMs + timings.confirmMs * this.factor) helper.state = "silent";
      else if (nowMs >= helper.againMs) this.#request(open, helper, nowMs);
    }
    const working = open.helpers.filter(({ state }) => state !== "silent").length;
    for (let missing = needed - working; missing > 0 && open.helpers.length < HELPERS_MAX; missing--) {
      const peer = this.#choose(open);
      if (peer === null) return;
      const helper: Helper = { peer, askedMs: nowMs, againMs: nowMs, state: "asked" };
      open.helpers.push(helper);
      this.#request(open, helper, nowMs);
    }
  }

  #request(open: Case, helper: Helper, nowMs: number): void {
    helper.againMs = nowMs + this.#ports.timings.probeEveryMs * 2;
    const { probe, incarnation } = open;
    this.#ports.send(helper.peer, { kind: "probe-request", probe, target: open.member.peer, incarnation });
  }

  /** A member that seems well and was not asked yet. */
  #choose(open: Case): PeerId | null {
    const { ring } = this.#ports.table;
    const start = this.#ports.random();
    for (let step = 0; step < Math.min(ring.size, CHOICES_MAX); step++) {
      const chance = ring.size <= CHOICES_MAX ? start + step / ring.size : start + this.#ports.random();
      const { peer, health } = ring.at(Math.floor((chance % 1) * ring.size));
      if (peer === this.#ports.self || peer === open.member.peer || health === "suspect") continue;
      if (!open.helpers.some((helper) => helper.peer === peer)) return peer;
    }
    return null;
  }

  #verdict(open: Case, state: Verdict["state"], inVain: readonly Helper[]): Verdict {
    const confirmedBy = inVain.map(({ peer }) => peer);
    return { peer: open.member.peer, incarnation: open.incarnation, state, by: this.#ports.self, confirmedBy };
  }

  #punish(nowMs: number): void {
    this.#penalty = Math.min(PENALTY_MAX, this.#penalty + 1);
    this.#penaltyEndMs = nowMs + PENALTY_MS;
  }
}
