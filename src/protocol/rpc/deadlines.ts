import type { Clock } from "../../kernel/mod.ts";

interface Deadline {
  readonly atMs: number;
  readonly run: () => void;
}

/**
 * Deadlines of one session's calls, on one wake of the clock: the earliest. Calls nearly always end before, so adding
 * and removing are a map's work only, and due ones are looked for when the wake comes.
 */
export class Deadlines {
  private readonly clock: Clock;
  private readonly open = new Map<object, Deadline>();
  private wakeAtMs = Number.POSITIVE_INFINITY;
  private cancelWake: (() => void) | null = null;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** Calls `run` once the clock shows `atMs`, unless `owner` is removed before. One an owner. */
  add(owner: object, deadline: Deadline): void {
    this.open.set(owner, deadline);
    if (deadline.atMs < this.wakeAtMs) this.schedule(deadline.atMs);
  }

  remove(owner: object): void {
    this.open.delete(owner);
  }

  stop(): void {
    this.open.clear();
    this.cancelWake?.();
    this.cancelWake = null;
    this.wakeAtMs = Number.POSITIVE_INFINITY;
  }

  private schedule(atMs: number): void {
    this.cancelWake?.();
    this.wakeAtMs = atMs;
    this.cancelWake = this.clock.wake(Math.max(0, atMs - this.clock.nowMs()), () => this.woken());
  }

  private woken(): void {
    this.cancelWake = null;
    this.wakeAtMs = Number.POSITIVE_INFINITY;
    const nowMs = this.clock.nowMs();
    const due: Deadline[] = [];
    let nextMs = Number.POSITIVE_INFINITY;
    for (const [owner, deadline] of this.open) {
      if (deadline.atMs <= nowMs) {
        this.open.delete(owner);
        due.push(deadline);
      } else if (deadline.atMs < nextMs) nextMs = deadline.atMs;
    }
    if (nextMs < Number.POSITIVE_INFINITY) this.schedule(nextMs);
    for (const deadline of due) deadline.run();
  }
}
