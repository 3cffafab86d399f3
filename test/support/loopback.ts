/** A pair of channels within this thread, and the machine's clock, for tests that need both without a network. */
import type { Channel, ChannelHandlers, Clock, PeerId } from "../../src/kernel/mod.ts";
import { TransportError } from "../../src/kernel/mod.ts";

export class RealClock implements Clock {
  nowMs(): number {
    return performance.now();
  }
  wallMs(): number {
    return Date.now();
  }
  wake(delayMs: number, run: () => void): () => void {
    const timer = setTimeout(run, delayMs);
    return () => clearTimeout(timer);
  }
  soon(run: () => void): void {
    setImmediate(run);
  }
}

/** Time that stands still until told; `soon` runs on the next turn all the same. */
export class ManualClock extends RealClock {
  private now = 1_000;
  private wakes: { atMs: number; run: () => void }[] = [];

  override nowMs(): number {
    return this.now;
  }
  override wake(delayMs: number, run: () => void): () => void {
    const wake = { atMs: this.now + delayMs, run };
    this.wakes.push(wake);
    return () => {
      this.wakes = this.wakes.filter((other) => other !== wake);
    };
  }
  get wakeCount(): number {
    return this.wakes.length;
  }
  advance(ms: number): void {
    this.now += ms;
    const due = this.wakes.filter(({ atMs }) => atMs <= this.now);
    this.wakes = this.wakes.filter(({ atMs }) => atMs > this.now);
    for (const { run } of due.sort((a, b) => a.atMs - b.atMs)) run();
  }
}

export interface LoopbackOptions {
  readonly protocol?: string;
  readonly peers?: readonly [string, string];
  /** 0 ≤ x < 1. Given, bytes are cut anywhere, and what was delivered is overwritten after the call. */
  readonly random?: () => number;
  /** `send` gives false above this; default 64 KiB. */
  readonly windowBytes?: number;
}

class LoopbackChannel implements Channel {
  readonly peer: PeerId;
  readonly protocol: string;
  other!: LoopbackChannel;
  private handlers: ChannelHandlers | null = null;
  private readonly options: LoopbackOptions;
  private readonly windowBytes: number;
  /** What the other side sent and this one has not taken. */
  private inbox: Uint8Array[] = [];
  private inboxBytes = 0;
  private isScheduled = false;
  private isPaused = false;
  private isFull = false;
  private hasEnded = false;
  private endCame = false;
  private endTold = false;
  private isClosed = false;

  constructor(peer: string, options: LoopbackOptions) {
    this.peer = peer as PeerId;
    this.protocol = options.protocol ?? "/sage/rpc/1";
    this.options = options;
    this.windowBytes = options.windowBytes ?? 1 << 16;
  }

  /** Bytes that this side sent and the other has not taken. */
  get unreadBytes(): number {
    return this.other.inboxBytes;
  }

  receive(handlers: ChannelHandlers): void {
    this.handlers = handlers;
    this.schedule();
  }

  send(bytes: Uint8Array): boolean {
    if (this.isClosed || this.hasEnded) return true;
    this.other.inbox.push(bytes);
    this.other.inboxBytes += bytes.length;
    this.other.schedule();
    this.isFull = this.other.inboxBytes > this.windowBytes;
    return !this.isFull;
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
    this.schedule();
  }

  end(): void {
    if (this.hasEnded || this.isClosed) return;
    this.hasEnded = true;
    this.other.endCame = true;
    this.other.schedule();
    this.schedule();
  }

  abort(reason: string): void {
    if (this.isClosed) return;
    const error = new TransportError("aborted", `Channel aborted: ${reason}`);
    this.close(error);
    setImmediate(() => this.other.close(error));
  }

  private close(error: Error | null): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.inbox = [];
    this.inboxBytes = 0;
    this.handlers?.closed(error);
  }

  private schedule(): void {
    if (this.isScheduled || this.isClosed) return;
    this.isScheduled = true;
    setImmediate(() => {
      this.isScheduled = false;
      this.deliver();
    });
  }

  private deliver(): void {
    if (this.handlers === null || this.isPaused || this.isClosed) return;
    const inbox = this.inbox;
    this.inbox = [];
    for (const [at, bytes] of inbox.entries()) {
      if (this.isPaused) {
        this.inbox = [...inbox.slice(at), ...this.inbox];
        return;
      }
      this.inboxBytes -= bytes.length;
      this.hand(bytes);
      if (this.isClosed) return;
    }
    const { other } = this;
    if (other.isFull && this.inboxBytes === 0) {
      other.isFull = false;
      other.handlers?.drain?.();
    }
    if (this.endCame && this.inbox.length === 0 && !this.endTold) {
      this.endTold = true;
      this.handlers.end?.();
    }
    if (this.endTold && this.hasEnded) this.close(null);
  }

  private hand(bytes: Uint8Array): void {
    const { random } = this.options;
    if (random === undefined) {
      this.handlers?.data(bytes);
      return;
    }
    for (let at = 0; at < bytes.length && !this.isClosed; ) {
      const size = random() < 0.5 ? 1 + Math.floor(random() * 8) : 1 + Math.floor(random() * 4_000);
      const piece = bytes.slice(at, at + size);
      at += size;
      this.handlers?.data(piece);
      piece.fill(0xa5);
    }
  }
}

export type { LoopbackChannel };

/** Two ends of one channel. What one sends the other gets on a later turn. */
export function loopback(options: LoopbackOptions = {}): [LoopbackChannel, LoopbackChannel] {
  const [a, b] = options.peers ?? ["peerA", "peerB"];
  // Each end's `peer` is who sits at the other.
  const left = new LoopbackChannel(b, options);
  const right = new LoopbackChannel(a, options);
  left.other = right;
  right.other = left;
  return [left, right];
}

/** Seeded 0 ≤ x < 1 (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}
