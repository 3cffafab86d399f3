import type { Channel, Clock } from "../../kernel/mod.ts";
import { checkFrameSize, FRAME_HEADER_BYTES, type FrameKind, writeFrameHeader } from "../frame.ts";
import { encodeValue, encodeValueTo, type ValueSink } from "../value.ts";

/** Streams wait while more than this is unsent. */
export const QUEUE_BYTES_ROOMY = 1 << 18;
/** New calls are refused while more than this is unsent. */
export const QUEUE_BYTES_FULL = 1 << 25;
/** Beyond this the other side does not read: the session ends. */
export const QUEUE_BYTES_MAX = 1 << 27;

const BATCH_BYTES_MIN = 1 << 10;
const BATCH_BYTES_MAX = 1 << 16;
/** Longer frames go on their own, so that they are copied once only. */
const BATCHED_FRAME_BYTES_MAX = 1 << 14;

/**
 * Frames on their way out. Those of one turn leave as one piece: a call costs a copy into the batch, not a write.
 *
 * Closed at first: until the other side has said which versions it speaks, only the greeting leaves.
 */
export class Outbox implements ValueSink {
  private readonly channel: Channel;
  private readonly clock: Clock;
  private batch = new Uint8Array(BATCH_BYTES_MIN);
  private batchUsed = 0;
  private queue: Uint8Array[] = [];
  private queueBytes = 0;
  private isOpen = false;
  private isWritable = true;
  private isFlushing = false;
  private isStopped = false;
  private waiting: (() => void)[] = [];
  /** Where the frame being written lies: the batch, or its own bytes. */
  private target = this.batch;
  private readonly overflowed: () => void;

  /** `overflowed` is called once when the other side does not read what it is sent; nothing is sent any more then. */
  constructor(channel: Channel, options: { readonly clock: Clock; readonly overflowed: () => void }) {
    this.channel = channel;
    this.clock = options.clock;
    this.overflowed = options.overflowed;
  }

  get unsentBytes(): number {
    return this.queueBytes + this.batchUsed;
  }

  /** The greeting leaves at once. */
  hello(value: unknown): void {
    const body = encodeValue(value);
    const frame = new Uint8Array(FRAME_HEADER_BYTES + body.length);
    writeFrameHeader(frame, 0, { kind: "hello", bodyBytes: body.length });
    frame.set(body, FRAME_HEADER_BYTES);
    this.isWritable = this.channel.send(frame);
  }

  open(): void {
    this.isOpen = true;
    this.flush();
  }

  /** @throws {ProtocolError} too-large: nothing was queued */
  message(value: unknown): void {
    if (this.takesMore()) encodeValueTo(value, this);
  }

  /** An item of bytes. @throws {ProtocolError} too-large: nothing was queued */
  data(id: number, bytes: Uint8Array): void {
    if (!this.takesMore()) return;
    const at = this.begin("data", 4 + bytes.length);
    const { target } = this;
    target[at] = id & 0xff;
    target[at + 1] = (id >>> 8) & 0xff;
    target[at + 2] = (id >>> 16) & 0xff;
    target[at + 3] = id >>> 24;
    target.set(bytes, at + 4);
    this.finish(at + 4 + bytes.length);
  }

  write(bytes: Uint8Array, start: number, end: number): void {
    const at = this.begin("message", end - start);
    this.target.set(bytes.subarray(start, end), at);
    this.finish(at + end - start);
  }

  private takesMore(): boolean {
    if (this.isStopped) return false;
    if (this.unsentBytes <= QUEUE_BYTES_MAX) return true;
    this.stop();
    this.clock.soon(this.overflowed);
    return false;
  }

  /** Finds room for a frame as `target`, writes its header, and gives where its body goes. */
  private begin(kind: FrameKind, bodyBytes: number): number {
    checkFrameSize(kind, bodyBytes);
    const size = FRAME_HEADER_BYTES + bodyBytes;
    const isLong = size > BATCHED_FRAME_BYTES_MAX;
    if (isLong || this.batchUsed + size > BATCH_BYTES_MAX) this.seal();
    if (isLong) this.target = new Uint8Array(size);
    else {
      if (this.batchUsed + size > this.batch.length) this.growBatch(size);
      this.target = this.batch;
    }
    writeFrameHeader(this.target, this.batchUsed, { kind, bodyBytes });
    return this.batchUsed + FRAME_HEADER_BYTES;
  }

  private growBatch(extraBytes: number): void {
    let capacity = this.batch.length;
    while (capacity < this.batchUsed + extraBytes) capacity *= 2;
    const grown = new Uint8Array(capacity);
    grown.set(this.batch.subarray(0, this.batchUsed));
    this.batch = grown;
  }

  private finish(end: number): void {
    if (this.target === this.batch) this.batchUsed = end;
    else this.push(this.target);
    this.target = this.batch;
    if (this.isFlushing || !this.isOpen || !this.isWritable) return;
    this.isFlushing = true;
    this.clock.soon(() => {
      this.isFlushing = false;
      this.flush();
    });
  }

  /** Puts what is batched into the queue, as bytes of their own: the channel keeps what it is given. */
  private seal(): void {
    if (this.batchUsed === 0) return;
    this.push(this.batch.slice(0, this.batchUsed));
    this.batchUsed = 0;
  }

  private push(bytes: Uint8Array): void {
    this.queue.push(bytes);
    this.queueBytes += bytes.length;
  }

  /** Sends what the channel takes now. */
  flush(): void {
    if (!this.isOpen || this.isStopped) return;
    this.seal();
    let sent = 0;
    while (this.isWritable && sent < this.queue.length) {
      const bytes = this.queue[sent++] as Uint8Array;
      this.queueBytes -= bytes.length;
      this.isWritable = this.channel.send(bytes);
    }
    this.queue.splice(0, sent);
    if (this.waiting.length === 0 || this.unsentBytes > QUEUE_BYTES_ROOMY) return;
    const waiting = this.waiting;
    this.waiting = [];
    for (const run of waiting) run();
  }

  drained(): void {
    this.isWritable = true;
    this.flush();
  }

  /** Ends when a stream may send an item: at once, or after the other side has read. */
  roomy(): Promise<void> | null {
    if (this.unsentBytes <= QUEUE_BYTES_ROOMY || this.isStopped) return null;
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  /** Takes and sends nothing more. */
  stop(): void {
    this.isStopped = true;
    this.queue = [];
    this.queueBytes = 0;
    this.batchUsed = 0;
    const waiting = this.waiting;
    this.waiting = [];
    for (const run of waiting) run();
  }
}
