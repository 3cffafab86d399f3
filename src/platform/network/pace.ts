/** How often a host may begin a handshake: each costs this node more than the one who begins it. */

/** Hosts whose beginnings are counted at once. */
const HOSTS_MAX = 4_096;
/** A host that has begun nothing for so long is not counted any more. */
const QUIET_MS = 10_000;
/** A host from which somebody was admitted is known for so long after the last of them has gone. */
const KNOWN_MS = 600_000;

export interface PaceLimits {
  /** Of one host. */
  readonly atOnce: number;
  readonly perSecond: number;
  /** Of all hosts; those that begin handshakes at the time share it, so that many cannot keep one out. */
  readonly allAtOnce: number;
  readonly allPerSecond: number;
}

interface Bucket {
  left: number;
  atMs: number;
}

export class Pace {
  private readonly limits: PaceLimits;
  private readonly nowMs: () => number;
  /** The one not heard of for longest is first. */
  private readonly buckets = new Map<string, Bucket>();

  constructor(limits: PaceLimits, nowMs: () => number) {
    this.limits = limits;
    this.nowMs = nowMs;
  }

  /** False when `host` has begun too many a moment ago. */
  take(host: string): boolean {
    const nowMs = this.nowMs();
    const key = networkOf(host);
    const known = this.buckets.get(key);
    this.buckets.delete(key);
    this.forget(nowMs);
    const hosts = this.buckets.size + 1;
    const atOnce = Math.max(1, Math.min(this.limits.atOnce, this.limits.allAtOnce / hosts));
    const perMs = Math.min(this.limits.perSecond, this.limits.allPerSecond / hosts) / 1_000;
    const left = known === undefined ? atOnce : Math.min(atOnce, known.left + (nowMs - known.atMs) * perMs);
    this.buckets.set(key, { left: left < 1 ? left : left - 1, atMs: nowMs });
    return left >= 1;
  }

  private forget(nowMs: number): void {
    for (const [host, { atMs }] of this.buckets) {
      if (nowMs - atMs < QUIET_MS && this.buckets.size < HOSTS_MAX) return;
      this.buckets.delete(host);
    }
  }
}

/** What one owner has many addresses of counts as one: a /64 of IPv6. */
function networkOf(host: string): string {
  if (!host.includes(":") || host.includes(".")) return host;
  const [head = "", tail] = host.split("::");
  const groups = head === "" ? [] : head.split(":");
  const missing = tail === undefined ? 0 : 8 - groups.length - (tail === "" ? 0 : tail.split(":").length);
  const full = [...groups, ...Array<string>(missing).fill("0"), ...(tail ?? "").split(":")];
  return full.slice(0, 4).join(":");
}

/** Hosts of members, and those from which someone is or was admitted: they are not to be slowed down with strangers. */
export class KnownHosts {
  private readonly nowMs: () => number;
  private readonly counts = new Map<string, number>();
  /** Until when the others are known, the next to be forgotten first. */
  private readonly left = new Map<string, number>();

  constructor(nowMs: () => number) {
    this.nowMs = nowMs;
  }

  has(host: string): boolean {
    return this.counts.has(host) || (this.left.get(host) ?? 0) > this.nowMs();
  }

  add(host: string): void {
    this.counts.set(host, (this.counts.get(host) ?? 0) + 1);
  }

  delete(host: string): void {
    const count = (this.counts.get(host) ?? 0) - 1;
    if (count > 0) {
      this.counts.set(host, count);
      return;
    }
    this.counts.delete(host);
    this.left.delete(host);
    this.left.set(host, this.nowMs() + KNOWN_MS);
    const [oldest] = this.left.size > HOSTS_MAX ? this.left.keys() : [];
    if (oldest !== undefined) this.left.delete(oldest);
  }
}
