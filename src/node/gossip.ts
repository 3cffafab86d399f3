/** Membership at work: its messages over the transport, its clock, and what it learns about addresses. */
import { type Health, Membership, type MemberView, type SelfFacts } from "../cluster/mod.ts";
import type { LogLevel, PeerId, TimerId, Timers } from "../kernel/mod.ts";
import { encodeMemberRecord, type GossipMessage, type MemberRecord, type SignedRecord } from "../protocol/mod.ts";
import type { NodePorts } from "./ports.ts";

export interface GossipOptions {
  readonly ports: NodePorts;
  readonly timers: Timers;
  readonly self: SelfFacts;
  readonly post: (to: PeerId, message: GossipMessage) => void;
  /** Whether `peer` belongs to the cluster. */
  readonly allow: (peer: PeerId) => boolean;
  /** How many belong to it. */
  readonly admittedCount: () => number;
  /** Null: forgotten. */
  readonly changed: (peer: PeerId, member: MemberView | null) => void;
}

/** Of a wait: how much longer it may last, to share a wake with others. */
const SLACK_SHARE = 0.5;

export class Gossip {
  readonly #options: GossipOptions;
  readonly #membership: Membership;
  readonly #startedMs: number;
  #timer: TimerId | null = null;
  #dueMs = Number.POSITIVE_INFINITY;

  constructor(options: GossipOptions) {
    const { clock, random, keys } = options.ports;
    this.#options = options;
    this.#startedMs = clock.nowMs();
    this.#membership = new Membership({
      self: options.self,
      incarnation: Math.max(1, Math.floor(clock.wallMs())),
      nowMs: clock.nowMs(),
      sign: (record) => this.#sign(record),
      verify: (bytes, signature, peer) => {
        const publicKey = keys.publicKeyOf(peer);
        return publicKey !== null && keys.verify(publicKey, bytes, signature);
      },
      allow: (peer) => options.allow(peer),
      admittedCount: () => options.admittedCount(),
      random: () => random.next(),
    });
    this.#act();
  }

  members(): readonly MemberView[] {
    return this.#membership.members();
  }

  member(peer: PeerId): MemberView | null {
    return this.#membership.member(peer);
  }

  /** When the member's health became what it is; for one that was never met, when this node started. */
  sinceMs(peer: PeerId): number {
    return this.#membership.member(peer)?.healthSinceMs ?? this.#startedMs;
  }

  receive(from: PeerId, message: GossipMessage): void {
    this.#membership.receive(from, message, this.#nowMs);
    this.#act();
  }

  join(peers: readonly PeerId[]): void {
    this.#membership.join(peers, this.#nowMs);
    this.#act();
  }

  connected(peer: PeerId): void {
    this.#membership.connected(peer, this.#nowMs);
    this.#act();
  }

  disconnected(peer: PeerId): void {
    this.#membership.disconnected(peer, this.#nowMs);
    this.#act();
  }

  /** About to go: gets no new work. */
  leave(): void {
    this.#membership.leave(this.#nowMs);
    this.#act();
  }

  /** The last word. */
  left(): void {
    this.#membership.left(this.#nowMs);
    this.#act();
  }

  get #nowMs(): number {
    return this.#options.ports.clock.nowMs();
  }

  #sign(record: MemberRecord): SignedRecord {
    const { keys, identity } = this.#options.ports;
    const bytes = encodeMemberRecord(record);
    return { record, bytes, signature: keys.sign(identity, bytes) };
  }

  #act(): void {
    for (const action of this.#membership.take()) {
      switch (action.kind) {
        case "send":
          this.#options.post(action.to, action.message);
          break;
        case "changed":
          this.#changed(action.member, action.before);
          break;
        case "forgotten":
          this.#options.changed(action.member.peer, null);
          break;
        case "refused":
          this.#options.ports.log.write("warn", "member record with a wrong signature", {
            from: action.from,
            peer: action.peer,
          });
          break;
      }
    }
    this.#arm();
  }

  #changed(member: MemberView, before: MemberView | null): void {
    const { transport, log } = this.#options.ports;
    const { peer, record, health } = member;
    if (peer !== transport.self && record !== before?.record) transport.know(peer, record.addresses);
    if (health !== before?.health) {
      log.write(levelOf(peer === transport.self, health), `member is ${health}`, { name: record.name, peer });
    }
    this.#options.changed(peer, member);
  }

  #arm(): void {
    const { timers } = this.#options;
    const dueMs = this.#membership.dueMs();
    if (this.#timer !== null && dueMs >= this.#dueMs) return;
    if (this.#timer !== null) timers.cancel(this.#timer);
    this.#dueMs = dueMs;
    const delayMs = Math.max(0, dueMs - this.#nowMs);
    const tick = (): void => {
      this.#timer = null;
      this.#membership.tick(this.#nowMs);
      this.#act();
    };
    this.#timer = timers.after(delayMs, tick, { slackMs: delayMs * SLACK_SHARE });
  }
}

/** What a node does itself it says elsewhere; a suspicion passes or is followed by a verdict. */
function levelOf(isSelf: boolean, health: Health): LogLevel {
  if (health === "dead") return "warn";
  return isSelf || health === "suspect" ? "debug" : "info";
}
