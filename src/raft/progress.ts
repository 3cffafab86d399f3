/**
 * What a leader knows of one follower's log, and how much it may send now.
 *
 * - probe: where the logs agree is not known; one message at a time.
 * - replicate: they agree; messages are sent ahead of the answers, up to the in-flight limits.
 * - snapshot: what the follower needs is compacted; it gets chunks of the snapshot until it answers from the log.
 *
 * Always match < next. In flight are only messages sent in "replicate".
 */
import { invariant } from "../kernel/mod.ts";
import { INFLIGHT_BYTES_MAX, INFLIGHT_MESSAGES_MAX } from "./limits.ts";
import type { SnapshotMeta } from "./messages.ts";

export type ProgressState = "probe" | "replicate" | "snapshot";

export type SnapshotTransfer = {
  readonly meta: SnapshotMeta;
  /** The follower has all bytes before this one. */
  acked: number;
  /** Next byte to send; the last chunk is sent when it is `meta.bytes` and `isEndSent`. */
  sent: number;
  isEndSent: boolean;
  /** `acked` at the last heartbeat: no advance since then means that chunks were lost. */
  ackedAtBeat: number;
};

export class Progress {
  state: ProgressState = "probe";
  match = 0;
  next: number;
  /** Of the last message from it. */
  heardMs: number;
  /** Latest heartbeat round it answered. */
  round = 0;
  /** Commit index last told. */
  sentCommit = 0;
  /** A probe is on its way. */
  isProbing = false;
  /** Wants a message even when there is nothing new: what was sent may be lost. */
  isPingWanted = false;
  /** Index of the membership that leaves it out; it is told of the commit and then forgotten. */
  leavingIndex: number | null = null;
  transfer: SnapshotTransfer | null = null;
  #inflight: { readonly lastIndex: number; readonly bytes: number }[] = [];
  #inflightBytes = 0;

  constructor(next: number, nowMs: number) {
    this.next = next;
    this.heardMs = nowMs;
  }

  get inflightCount(): number {
    return this.#inflight.length;
  }

  get isPaused(): boolean {
    switch (this.state) {
      case "probe":
        return this.isProbing;
      case "replicate":
        return this.#inflight.length >= INFLIGHT_MESSAGES_MAX || this.#inflightBytes >= INFLIGHT_BYTES_MAX;
      case "snapshot":
        return true;
    }
  }

  #become(state: ProgressState): void {
    this.state = state;
    this.isProbing = false;
    this.isPingWanted = false;
    this.#inflight = [];
    this.#inflightBytes = 0;
    this.transfer = null;
  }

  probe(): void {
    this.next = this.state === "snapshot" ? Math.max(this.match, this.transfer?.meta.index ?? 0) + 1 : this.match + 1;
    this.#become("probe");
  }

  replicate(): void {
    this.#become("replicate");
    this.next = this.match + 1;
  }

  startSnapshot(meta: SnapshotMeta): void {
    this.#become("snapshot");
    this.next = meta.index + 1;
    this.transfer = { meta, acked: 0, sent: 0, isEndSent: false, ackedAtBeat: -1 };
  }

  /** An append with entries up to `lastIndex` is on its way; `bytes` 0 and `lastIndex` next-1 for an empty one. */
  sent(lastIndex: number, bytes: number): void {
    invariant(lastIndex >= this.next - 1, "sent backwards");
    this.isPingWanted = false;
    if (this.state === "probe") {
      this.isProbing = true;
      return;
    }
    if (lastIndex < this.next) return;
    this.next = lastIndex + 1;
    this.#inflight.push({ lastIndex, bytes });
    this.#inflightBytes += bytes;
  }

  /** The follower's log is the leader's up to `index`. True when that is news. */
  accepted(index: number): boolean {
    const isNews = index > this.match;
    if (isNews) this.match = index;
    this.next = Math.max(this.next, this.match + 1);
    let count = 0;
    while ((this.#inflight[count]?.lastIndex ?? Number.POSITIVE_INFINITY) <= index) {
      this.#inflightBytes -= this.#inflight[count]?.bytes ?? 0;
      count++;
    }
    if (count > 0) this.#inflight.splice(0, count);
    return isNews;
  }

  /**
   * The follower refused entries after `refused`; it may match at `hint`. False when the answer is old.
   */
  rejected(refused: number, hint: number): boolean {
    if (this.state === "replicate") {
      if (refused <= this.match || refused >= this.next) return false;
      this.probe();
      return true;
    }
    if (this.state === "snapshot" || refused !== this.next - 1) return false;
    this.next = Math.max(Math.min(refused, hint + 1), this.match + 1);
    this.isProbing = false;
    return true;
  }

  /** The follower lives and hears the leader: lost messages may be sent again. */
  beat(): void {
    this.isProbing = false;
    this.isPingWanted = true;
    if (!this.isPaused || this.state !== "replicate") return;
    const oldest = this.#inflight.shift();
    this.#inflightBytes -= oldest?.bytes ?? 0;
  }
}
