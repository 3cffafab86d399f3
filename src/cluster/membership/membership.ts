import { type PeerId, unreachable } from "../../kernel/mod.ts";
import {
  type Digest,
  type DigestPart,
  type DigestReply,
  type GossipMessage,
  type GossipUpdates,
  type Heartbeat,
  type MemberRecord,
  NO_UPDATES,
  type SignedRecord,
  type Verdict,
} from "../../protocol/mod.ts";
import { Detector } from "./detector.ts";
import { answerDigest, answerPart, answerWanted, digestOf, updatesAbout } from "./exchange.ts";
import { Learning } from "./learning.ts";
import { News } from "./news.ts";
import { type Member, Table } from "./table.ts";
import { DEFAULT_TIMINGS, type MembershipTimings, NEWS_BYTES, NEWS_BYTES_MAX, SEEDS_MAX } from "./timings.ts";
import type { MembershipAction, MembershipOptions, MemberView, SelfFacts } from "./types.ts";

/** News waiting above which messages may grow from `NEWS_BYTES` to `NEWS_BYTES_MAX`. */
const BACKLOG = 24;
/** Each node sends each piece of news this often, and log2 of the members more. */
const SENDS_MIN = 4;
/** Records in one exchange above which they are no news to others but what this node missed. */
const EXCHANGE_NEWS_MAX = 8;
const SWEEP_MS = 1_000;
const SEED_EVERY_MS = 500;
const SEED_EVERY_MS_MAX = 10_000;
/** Seeds called at a time; the others wait for the next round, and mostly are known by then. */
const SEEDS_AT_ONCE = 8;
/** Digests that go with greetings within one interval of gossip: each can bring the whole table back. */
const GREETED_DIGESTS_MAX = 3;
/** Share of push-pulls that go to a dead member: it may be alive behind a healed partition. */
const DEAD_SHARE = 0.25;
const FAREWELLS = 8;

/**
 * Who is in the cluster and how they are, as one node sees it. Give it every input with the time, then do what `take`
 * says; call `tick` no later than `dueMs()`. Time is monotonic and never goes back.
 */
export class Membership {
  readonly #options: MembershipOptions;
  readonly #timings: MembershipTimings;
  readonly #self: PeerId;
  readonly #table: Table;
  readonly #detector: Detector;
  readonly #learning: Learning;
  readonly #news = new News();
  readonly #seeds = new Set<PeerId>();
  #actions: MembershipAction[] = [];
  #facts: SelfFacts;
  #state: MemberRecord["state"] = "alive";
  #incarnation: number;
  #load = 0;
  #sequence = 0;
  #nowMs: number;
  #heartbeatMs: number;
  #gossipMs: number;
  #pushPullMs: number;
  #sweepMs: number;
  #seedMs = Number.POSITIVE_INFINITY;
  #digestsMs = Number.NEGATIVE_INFINITY;
  #digestsLeft = 0;
  #seedEveryMs = SEED_EVERY_MS;

  constructor(options: MembershipOptions) {
    this.#options = options;
    this.#timings = { ...DEFAULT_TIMINGS, ...options.timings };
    this.#facts = options.self;
    this.#self = options.self.peer;
    this.#incarnation = options.incarnation;
    this.#nowMs = options.nowMs;
    this.#table = new Table({
      changed: (member, before) => this.#changed(member, before),
      forgotten: (member) => this.#actions.push({ kind: "forgotten", member: this.#table.view(member) }),
      phi: (member) => this.#detector.phi(member.peer, this.#nowMs),
    });
    this.#table.setNow(options.nowMs);
    this.#detector = new Detector({
      self: this.#self,
      table: this.#table,
      timings: this.#timings,
      admittedCount: () => options.admittedCount?.() ?? 0,
      random: () => options.random(),
      send: (to, message) => this.#send(to, message),
      publish: (verdict) => this.#learning.publish(verdict, this.#nowMs),
    });
    this.#learning = new Learning({
      self: this.#self,
      table: this.#table,
      timings: this.#timings,
      allow: (peer) => options.allow(peer),
      verify: (signed) => options.verify(signed.bytes, signed.signature, signed.record.peer),
      send: (to, message) => this.#send(to, message),
      spread: (signed, verdict) => this.#spread(signed, verdict),
      accepted: (member) => this.#accepted(member),
      refused: (from, peer) => this.#actions.push({ kind: "refused", from, peer }),
      surpass: (incarnation) => {
        this.#incarnation = Math.max(this.#incarnation, incarnation);
        this.#enter(this.#state);
      },
    });
    this.#heartbeatMs = options.nowMs;
    this.#gossipMs = options.nowMs;
    this.#pushPullMs = options.nowMs + this.#timings.pushPullMs * options.random();
    this.#sweepMs = options.nowMs + SWEEP_MS * options.random();
    this.#declare();
  }

  /** All members, this node among them. Costs time with their number. */
  members(): readonly MemberView[] {
    return Array.from(this.#table.values(), (member) => this.#table.view(member));
  }

  member(peer: PeerId): MemberView | null {
    const member = this.#table.get(peer);
    return member === undefined ? null : this.#table.view(member);
  }

  /** How many are neither dead nor left, this node among them. */
  get liveCount(): number {
    return this.#table.ring.size;
  }

  /** What is to be done since the last call, in order. */
  take(): MembershipAction[] {
    if (this.#actions.length === 0) return [];
    const actions = this.#actions;
    this.#actions = [];
    return actions;
  }

  dueMs(): number {
    if (this.#state === "left") return this.#nowMs + this.#timings.gossipMs;
    const gossipMs = this.#news.size > 0 ? this.#gossipMs : Number.POSITIVE_INFINITY;
    const detectorMs = this.#detector.dueMs(this.#nowMs);
    // Sweeps and push-pulls go along with the detector's looks, which are often enough for them.
    return Math.min(detectorMs, gossipMs, this.#heartbeatMs, this.#seedMs);
  }

  tick(nowMs: number): void {
    this.#observe(nowMs);
    if (this.#state === "left") return;
    if (nowMs >= this.#sweepMs) this.#sweep(nowMs);
    this.#detector.tick(nowMs);
    if (nowMs >= this.#heartbeatMs) this.#beat(nowMs);
    if (nowMs >= this.#gossipMs && this.#news.size > 0) this.#gossip(nowMs);
    if (nowMs >= this.#pushPullMs) this.#pushPull(nowMs);
    if (nowMs >= this.#seedMs) this.#callSeeds(nowMs);
  }

  /** Contacts `peers`, again and again until each has answered. Their addresses are the transport's affair. */
  join(peers: readonly PeerId[], nowMs: number): void {
    this.#observe(nowMs);
    for (const peer of peers) if (peer !== this.#self && this.#seeds.size < SEEDS_MAX) this.#seeds.add(peer);
    this.#seedEveryMs = SEED_EVERY_MS;
    this.#callSeeds(nowMs);
  }

  /** Tells others that this node is about to go: it stays watched, but should get no new work. */
  leave(nowMs: number): void {
    this.#observe(nowMs);
    if (this.#state === "alive") this.#enter("leaving");
  }

  /** The last word: tells some members directly, and is silent from then on. */
  left(nowMs: number): void {
    this.#observe(nowMs);
    if (this.#state === "left") return;
    const own = this.#table.get(this.#self) as Member;
    const hearers = new Set(this.#table.ring.successors(own, this.#timings.watcherCount).map(({ peer }) => peer));
    for (let left = FAREWELLS; left > 0 && this.#table.ring.size > 1; left--) hearers.add(this.#anyone().peer);
    hearers.delete(this.#self);
    this.#enter("left");
    const updates = updatesAbout([own], 0);
    for (const peer of hearers) this.#send(peer, { kind: "news", updates });
  }

  /** What changed about this node. A changed fact makes a new record; load only rides on heartbeats. */
  update(change: { readonly facts?: Partial<SelfFacts>; readonly load?: number }, nowMs: number): void {
    this.#observe(nowMs);
    if (change.load !== undefined) this.#load = change.load;
    (this.#table.get(this.#self) as Member).load = this.#load;
    if (change.facts === undefined) return;
    this.#facts = { ...this.#facts, ...change.facts, peer: this.#self };
    this.#enter(this.#state);
  }

  /** A hint: there is a connection to `peer`. One that was thought dead or is unknown is asked what it knows. */
  connected(peer: PeerId, nowMs: number): void {
    this.#observe(nowMs);
    if (peer === this.#self || this.#state === "left" || !this.#options.allow(peer)) return;
    const member = this.#table.get(peer);
    if (member === undefined || member.goneMs !== null) this.#greet(peer);
  }

  /** A hint: the last connection to `peer` broke. */
  disconnected(peer: PeerId, nowMs: number): void {
    this.#observe(nowMs);
    if (this.#state !== "left") this.#detector.disconnected(peer, nowMs);
  }

  /** A message that came over a connection of `from`, a member (not a client), well-formed. */
  receive(from: PeerId, message: GossipMessage, nowMs: number): void {
    this.#observe(nowMs);
    if (from === this.#self || this.#state === "left") return;
    const member = this.#table.get(from);
    if (member !== undefined) member.heardMs = nowMs;
    this.#seeds.delete(from);
    this.#detector.heard(from, nowMs);
    this.#handle(from, message);
  }

  #handle(from: PeerId, message: GossipMessage): void {
    switch (message.kind) {
      case "heartbeat":
        return this.#heartbeat(from, message);
      case "news":
        this.#learn(from, message.updates);
        return;
      case "probe":
        this.#learn(from, message.updates);
        if (message.target === this.#self) this.#acknowledge(from, message.probe);
        return;
      case "probe-ack":
        this.#learn(from, message.updates);
        return this.#compare(from, message.incarnation);
      case "probe-request":
        return this.#detector.asked(from, message, this.#nowMs);
      case "probe-result":
        return this.#detector.result(from, message, this.#nowMs);
      case "digest":
        return this.#answer(from, answerDigest(this.#table, message, this.#options.random()));
      case "digest-part":
        return this.#part(from, message);
      case "digest-reply":
        return this.#reply(from, message);
      default:
        return unreachable(message);
    }
  }

  #heartbeat(from: PeerId, message: Heartbeat): void {
    this.#learn(from, message.updates);
    const member = this.#table.get(from);
    if (member !== undefined) member.load = message.load;
    this.#detector.beat(from, message.sequence, this.#nowMs);
    this.#compare(from, message.incarnation);
  }

  /** `from` says which incarnation it is: whoever of us two is behind gets to know. */
  #compare(from: PeerId, incarnation: number): void {
    const member = this.#table.get(from);
    const known = member?.signed.record.incarnation ?? -1;
    if (incarnation > known) {
      if (this.#options.allow(from)) this.#learning.want(from, [from]);
    } else if (member !== undefined && (incarnation < known || member.verdict !== null)) {
      this.#send(from, { kind: "news", updates: updatesAbout([member], 0) });
    }
  }

  #acknowledge(to: PeerId, probe: number): void {
    const updates = this.#takeNews(NEWS_BYTES);
    this.#send(to, { kind: "probe-ack", probe, incarnation: this.#incarnation, updates });
  }

  #learn(from: PeerId, updates: GossipUpdates): void {
    this.#learning.learn(updates, { from, isNews: true, nowMs: this.#nowMs });
  }

  #accepted(member: Member): void {
    this.#detector.renewed(member, this.#nowMs);
    this.#news.drop(member.peer);
  }

  #part(from: PeerId, message: DigestPart): void {
    const { random, allow } = this.#options;
    this.#answer(from, answerPart(this.#table, message, { chance: random(), allow }));
  }

  #reply(from: PeerId, message: DigestReply): void {
    if (message.wanted.length > 0) this.#answer(from, answerWanted(this.#table, message.wanted));
    const { records } = message.updates;
    const isNews = records.length <= EXCHANGE_NEWS_MAX;
    const count = this.#learning.learn(message.updates, { from, isNews, nowMs: this.#nowMs });
    if (count > EXCHANGE_NEWS_MAX) this.#answer(from, digestOf(this.#table));
    else if (count > 0) this.#pushPullMs = Math.min(this.#pushPullMs, this.#nowMs + this.#timings.pushPullMs / 8);
  }

  #answer(to: PeerId, message: DigestPart | DigestReply | Digest | null): void {
    if (message !== null) this.#send(to, message);
  }

  /** Each input begins here: time goes on, and a leap says that this process was stopped. */
  #observe(nowMs: number): void {
    const gapMs = nowMs - this.#nowMs;
    this.#nowMs = nowMs;
    this.#table.setNow(nowMs);
    if (gapMs > this.#timings.stallMs + this.#timings.gossipMs) this.#detector.stalled(nowMs);
  }

  #beat(nowMs: number): void {
    const { heartbeatMs, watcherCount } = this.#timings;
    this.#heartbeatMs = nowMs + heartbeatMs * (0.9 + 0.2 * this.#options.random());
    this.#sequence++;
    const own = this.#table.get(this.#self) as Member;
    for (const { peer } of this.#table.ring.successors(own, watcherCount)) {
      const updates = this.#takeNews(NEWS_BYTES);
      const { sequence, incarnation, load } = {
        sequence: this.#sequence,
        incarnation: this.#incarnation,
        load: this.#load,
      };
      this.#send(peer, { kind: "heartbeat", sequence, incarnation, load, updates });
    }
    this.#learning.retry(nowMs);
  }

  #gossip(nowMs: number): void {
    const { gossipMs, gossipFanout } = this.#timings;
    this.#gossipMs = nowMs + gossipMs * (0.9 + 0.2 * this.#options.random());
    const size = this.#table.ring.size;
    if (size < 2) return;
    const hearers = new Set<PeerId>();
    const count = Math.min(gossipFanout, size - 1);
    for (let tries = count * 3; tries > 0 && hearers.size < count; tries--) {
      const { peer } = this.#anyone();
      if (peer !== this.#self) hearers.add(peer);
    }
    for (const peer of hearers) {
      const updates = this.#takeNews(this.#news.size > BACKLOG ? NEWS_BYTES_MAX : NEWS_BYTES);
      if (updates !== NO_UPDATES) this.#send(peer, { kind: "news", updates });
    }
  }

  #anyone(): Member {
    return this.#table.ring.at(Math.floor(this.#options.random() * this.#table.ring.size));
  }

  #pushPull(nowMs: number): void {
    const { random } = this.#options;
    this.#pushPullMs = nowMs + this.#timings.pushPullMs * (0.75 + 0.5 * random());
    const { ring, dead } = this.#table;
    if (dead.size > 0 && (ring.size < 2 || random() < DEAD_SHARE)) {
      const chosen = Array.from(dead)[Math.floor(random() * dead.size)];
      if (chosen !== undefined) this.#greet(chosen.peer);
      return;
    }
    const { peer } = this.#anyone();
    if (peer !== this.#self) this.#send(peer, digestOf(this.#table));
    else if (ring.size > 1) this.#pushPullMs = nowMs;
  }

  /** To one who may not know this node: the own record, what is held of it, and a digest. */
  #greet(peer: PeerId): void {
    const own = this.#table.get(this.#self) as Member;
    const other = this.#table.get(peer);
    const updates = updatesAbout(other === undefined ? [own] : [own, other], 0);
    this.#send(peer, { kind: "news", updates });
    if (this.#nowMs >= this.#digestsMs) {
      this.#digestsMs = this.#nowMs + this.#timings.gossipMs;
      this.#digestsLeft = GREETED_DIGESTS_MAX;
    }
    if (this.#digestsLeft-- > 0) this.#send(peer, digestOf(this.#table));
  }

  /** Whoever was called goes to the end of the row, so that the digests reach each in turn. */
  #callSeeds(nowMs: number): void {
    for (const peer of [...this.#seeds].slice(0, SEEDS_AT_ONCE)) {
      this.#seeds.delete(peer);
      this.#seeds.add(peer);
      this.#greet(peer);
    }
    this.#seedMs = this.#seeds.size === 0 ? Number.POSITIVE_INFINITY : nowMs + this.#seedEveryMs;
    this.#seedEveryMs = Math.min(SEED_EVERY_MS_MAX, this.#seedEveryMs * 1.5);
  }

  /** Once a second, over all members: whose admission ended, whose suspicion lapsed. */
  #sweep(nowMs: number): void {
    this.#sweepMs = nowMs + SWEEP_MS;
    for (const member of this.#table.values()) {
      if (member.peer === this.#self) continue;
      this.#table.allow(member, this.#options.allow(member.peer));
      if (member.isAllowed) continue;
      const isOver = member.goneMs === null || nowMs >= member.goneMs + this.#timings.tombstoneMs;
      this.#news.drop(member.peer);
      if (isOver) this.#table.forget(member);
    }
    this.#learning.lapse(nowMs);
  }

  /** The own state in a record of the next incarnation, told to others. */
  #enter(state: MemberRecord["state"]): void {
    this.#state = state;
    this.#incarnation++;
    this.#declare();
  }

  #declare(): void {
    const signed = this.#options.sign({ ...this.#facts, incarnation: this.#incarnation, state: this.#state });
    const own = this.#table.put(signed, null);
    if (own !== null) own.load = this.#load;
    this.#spread(signed, null);
  }

  #spread(signed: SignedRecord | null, verdict: Verdict | null): void {
    if (this.#news.size === 0) {
      const soonMs = this.#nowMs + (this.#timings.gossipMs / 4) * this.#options.random();
      this.#gossipMs = Math.max(this.#gossipMs, soonMs);
    }
    if (signed !== null) this.#news.addRecord(signed);
    if (verdict !== null) this.#news.addVerdict(verdict);
  }

  #takeNews(bytesMax: number): GossipUpdates {
    return this.#news.take(bytesMax, SENDS_MIN + Math.ceil(Math.log2(this.#table.ring.size + 1)));
  }

  #send(to: PeerId, message: GossipMessage): void {
    this.#actions.push({ kind: "send", to, message });
  }

  #changed(member: Member, before: MemberView | null): void {
    this.#actions.push({ kind: "changed", member: this.#table.view(member), before });
  }
}
