/** How often one host may begin a handshake: each costs this node more than the one who begins it. */
import { HANDSHAKES_AT_ONCE_MAX, HANDSHAKES_PER_SECOND_MAX } from "./limits.ts";

/** Hosts whose beginnings are counted at once. */
const HOSTS_MAX = 4_096;

interface Bucket {
  left: number;
  atMs: number;
}

export class Pace {
  private readonly nowMs: () => number;
  private readonly buckets = new Map<string, Bucket>();

  constructor(nowMs: () => number) {
    this.nowMs = nowMs;
  }

  /** False when `host` has begun too many a moment ago. */
  take(host: string): boolean {
    const nowMs = this.nowMs();
    const known = this.buckets.get(host);
    const gainedMs = nowMs - (known?.atMs ?? nowMs);
    const left = Math.min(
      HANDSHAKES_AT_ONCE_MAX,
      (known?.left ?? HANDSHAKES_AT_ONCE_MAX) + (gainedMs * HANDSHAKES_PER_SECOND_MAX) / 1_000,
    );
    this.buckets.delete(host); // the one not heard of for longest is first
    const [oldest] = this.buckets.size < HOSTS_MAX ? [] : this.buckets.keys();
    if (oldest !== undefined) this.buckets.delete(oldest);
    this.buckets.set(host, { left: left < 1 ? left : left - 1, atMs: nowMs });
    return left >= 1;
  }
}

/** Hosts from which someone is admitted: they are not to be slowed down. */
export class KnownHosts {
  private readonly counts = new Map<string, number>();

  has(host: string): boolean {
    return this.counts.has(host);
  }

  add(host: string): void {
    this.counts.set(host, (this.counts.get(host) ?? 0) + 1);
  }

  delete(host: string): void {
    const count = (this.counts.get(host) ?? 0) - 1;
    if (count > 0) this.counts.set(host, count);
    else this.counts.delete(host);
  }
}
