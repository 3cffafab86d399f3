/**
 * How a member that was taken out of the cluster goes. The others may need its vote until they have changed who votes: so
 * long it stays and is heard, or a majority could be gone before it can be made smaller.
 */
import { isRevocation } from "../cluster/mod.ts";
import type { Clock, PeerId } from "../kernel/mod.ts";

export interface DepartureOptions {
  readonly clock: Clock;
  readonly self: PeerId;
  /** As the log has it now. */
  readonly voters: () => readonly PeerId[];
  /** This node was taken out, and nobody needs it any more. */
  readonly out: () => void;
}

/** A member that was taken out and hears nothing more ends after this. */
const REMOVED_MS_MAX = 30_000;
/** Whoever lost its vote is to hear of that before it is sent away. */
export const LAST_WORDS_MS = 1_000;

export class Departure {
  readonly #options: DepartureOptions;
  /** When this node learned that it was taken out. */
  #removedMs: number | null = null;
  #voters: readonly PeerId[] = [];
  /** Until when those who lost their vote are still heard. */
  readonly #lastWords = new Map<PeerId, number>();

  constructor(options: DepartureOptions) {
    this.#options = options;
  }

  /** Someone lost its vote of late. */
  get isAnyoneLeaving(): boolean {
    return this.#lastWords.size > 0;
  }

  votes(peer: PeerId): boolean {
    return this.#options.voters().includes(peer);
  }

  /** Whether one that is no member any more is still to be heard. */
  isHeard(peer: PeerId): boolean {
    this.look();
    return this.votes(peer) || (this.#lastWords.get(peer) ?? 0) > this.#options.clock.nowMs();
  }

  removed(): void {
    this.#removedMs ??= this.#options.clock.nowMs();
    this.look();
  }

  /** A peer does not let this node in. One that was away while it was taken out learns it no other way. */
  turnedAway(peer: PeerId, reason: string): void {
    if (this.votes(peer) && isRevocation(reason)) this.#options.clock.soon(this.#options.out);
  }

  /** To be called when who votes may have changed, and now and then. */
  look(): void {
    const { clock, self, out } = this.#options;
    const nowMs = clock.nowMs();
    this.#noteVoters(nowMs);
    if (this.#removedMs === null) return;
    const isLate = nowMs - this.#removedMs > REMOVED_MS_MAX;
    if (isLate || !this.votes(self)) clock.soon(out);
  }

  #noteVoters(nowMs: number): void {
    const voters = this.#options.voters();
    if (voters === this.#voters) return;
    for (const [peer, untilMs] of this.#lastWords) if (untilMs <= nowMs) this.#lastWords.delete(peer);
    for (const peer of this.#voters) if (!voters.includes(peer)) this.#lastWords.set(peer, nowMs + LAST_WORDS_MS);
    this.#voters = voters;
  }
}
