import type { PeerId } from "../../kernel/mod.ts";
import {
  type GossipMessage,
  type GossipUpdates,
  NO_UPDATES,
  type SignedRecord,
  type Verdict,
} from "../../protocol/mod.ts";
import { updatesAbout } from "./exchange.ts";
import type { Member, Table } from "./table.ts";
import { MEMBERS_MAX, type MembershipTimings, SUSPICION_MS, WAITING_MAX, WAITING_MS } from "./timings.ts";

export interface LearningPorts {
  readonly self: PeerId;
  readonly table: Table;
  readonly timings: MembershipTimings;
  readonly allow: (peer: PeerId) => boolean;
  readonly verify: (signed: SignedRecord) => boolean;
  readonly send: (to: PeerId, message: GossipMessage) => void;
  /** Passes on to others. */
  readonly spread: (signed: SignedRecord | null, verdict: Verdict | null) => void;
  /** The table has a new record of it. */
  readonly accepted: (member: Member) => void;
  readonly refused: (from: PeerId, peer: PeerId) => void;
  /** Somebody holds `incarnation` of this very node, or a verdict on it: to be gone beyond. */
  readonly surpass: (incarnation: number) => void;
}

export interface Source {
  readonly from: PeerId;
  /** Came by gossip: to be passed on. */
  readonly isNews: boolean;
  readonly nowMs: number;
}

interface Waiting {
  readonly source: Source;
  readonly signed: SignedRecord;
}

/** What becomes of records and verdicts that others send. */
export class Learning {
  readonly #ports: LearningPorts;
  /** Records of peers that are not admitted yet, as far as this node knows. */
  readonly #waiting = new Map<PeerId, Waiting>();
  /** When suspicions that others were told of lapse. */
  readonly #suspicions = new Map<Member, number>();

  constructor(ports: LearningPorts) {
    this.#ports = ports;
  }

  /** Takes over what is new; gives how many records were. */
  learn(updates: GossipUpdates, source: Source): number {
    if (updates.records.length === 0 && updates.verdicts.length === 0) return 0;
    let count = 0;
    const verdicts = new Map(updates.verdicts.map((verdict) => [verdict.peer, verdict]));
    for (const signed of updates.records) {
      const verdict = verdicts.get(signed.record.peer);
      const isAbout = verdict?.incarnation === signed.record.incarnation && signed.record.state !== "left";
      if (this.#record(signed, isAbout ? verdict : null, source)) count++;
    }
    const unknown = updates.verdicts.filter((verdict) => this.#verdict(verdict, source)).map(({ peer }) => peer);
    if (unknown.length > 0 && source.isNews) this.want(source.from, unknown);
    return count;
  }

  /** A verdict of this node's own. */
  publish(verdict: Verdict, nowMs: number): void {
    const { table, spread } = this.#ports;
    const member = table.get(verdict.peer);
    if (member === undefined || !table.judge(verdict)) return;
    this.#remember(member, verdict, nowMs);
    spread(null, verdict);
    this.#accuse(verdict);
  }

  want(from: PeerId, wanted: readonly PeerId[]): void {
    this.#ports.send(from, { kind: "digest-reply", updates: NO_UPDATES, wanted });
  }

  /** Looks whether those that wait are admitted by now. */
  retry(nowMs: number): void {
    for (const [peer, { signed, source }] of this.#waiting) {
      if (this.#ports.allow(peer)) this.#accept(signed, null, { from: source.from, isNews: true, nowMs });
      else if (nowMs < source.nowMs + WAITING_MS) continue;
      this.#waiting.delete(peer);
    }
  }

  /** Ends suspicions that nobody followed up. */
  lapse(nowMs: number): void {
    for (const [member, untilMs] of this.#suspicions) {
      if (member.verdict?.state === "suspect" && nowMs < untilMs) continue;
      this.#suspicions.delete(member);
      this.#ports.table.acquit(member);
    }
  }

  #record(signed: SignedRecord, verdict: Verdict | null, source: Source): boolean {
    const { self, table, allow, send } = this.#ports;
    const { peer, incarnation } = signed.record;
    const known = table.get(peer);
    if (known !== undefined && incarnation <= known.signed.record.incarnation) {
      if (peer === self) this.#ownRecord(known, signed);
      const isBehind = source.from === peer && incarnation < known.signed.record.incarnation;
      if (isBehind) send(peer, { kind: "news", updates: updatesAbout([known], 0) });
      return false;
    }
    if (peer === self) {
      if (this.#ports.verify(signed)) this.#ports.surpass(incarnation);
      return false;
    }
    if (known === undefined && table.size >= MEMBERS_MAX) return false;
    if (allow(peer)) return this.#accept(signed, verdict, source);
    this.#wait(signed, source);
    return false;
  }

  /** A record of this node's incarnation that is not its own work of now: from a last run with the same clock. */
  #ownRecord(own: Member, signed: SignedRecord): void {
    const { incarnation } = signed.record;
    if (incarnation < own.signed.record.incarnation || areEqual(signed.bytes, own.signed.bytes)) return;
    if (this.#ports.verify(signed)) this.#ports.surpass(incarnation);
  }

  #accept(signed: SignedRecord, verdict: Verdict | null, source: Source): boolean {
    const { table, verify, refused, accepted, spread } = this.#ports;
    const { peer } = signed.record;
    if (!verify(signed)) {
      refused(source.from, peer);
      return false;
    }
    const member = table.put(signed, verdict);
    if (member === null) return false;
    if (source.from === peer) member.heardMs = source.nowMs;
    if (verdict !== null) this.#remember(member, verdict, source.nowMs);
    accepted(member);
    if (source.isNews) spread(signed, verdict);
    return true;
  }

  /** Verified before, so that nobody's forgery takes the place of the true one. */
  #wait(signed: SignedRecord, source: Source): void {
    const { peer, incarnation } = signed.record;
    const waiting = this.#waiting.get(peer);
    if (waiting !== undefined && waiting.signed.record.incarnation >= incarnation) return;
    if (waiting === undefined && this.#waiting.size >= WAITING_MAX) return;
    if (this.#ports.verify(signed)) this.#waiting.set(peer, { signed, source });
    else this.#ports.refused(source.from, peer);
  }

  /** True when the record that it is about must be had first. */
  #verdict(verdict: Verdict, source: Source): boolean {
    const { self, table, timings, allow, surpass, spread } = this.#ports;
    const member = table.get(verdict.peer);
    const known = member?.signed.record.incarnation ?? -1;
    if (verdict.peer === self) {
      if (verdict.incarnation === known) surpass(known);
      return false;
    }
    if (verdict.incarnation > known) return allow(verdict.peer);
    if (member === undefined || !table.judge(verdict)) return false;
    this.#remember(member, verdict, source.nowMs);
    if (source.isNews) spread(null, verdict);
    const isHeard = member.heardMs !== null && source.nowMs - member.heardMs < timings.heartbeatMs * 2;
    if (isHeard) this.#accuse(verdict);
    return false;
  }

  #remember(member: Member, { state }: Verdict, nowMs: number): void {
    if (state === "suspect") this.#suspicions.set(member, nowMs + SUSPICION_MS);
  }

  /** Lets the subject know what is said of it. */
  #accuse(verdict: Verdict): void {
    this.#ports.send(verdict.peer, { kind: "news", updates: { records: [], verdicts: [verdict] } });
  }
}

function areEqual(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, at) => byte === other[at]);
}
