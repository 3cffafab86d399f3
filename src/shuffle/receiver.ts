/**
 * The reading side of one partition, across connections: puts messages into the arena, checks them, decodes them, and
 * grants as much as has been taken.
 */
import { type Address, type Arena, type Batch, type OwnerId, releaseBatch, type Schema } from "../arrow/mod.ts";
import type { Channel, Clock, Compression } from "../kernel/mod.ts";
import { invariant } from "../kernel/mod.ts";
import { ShuffleError } from "./error.ts";
import { StreamDecoder } from "./stream_decoder.ts";
import { retyped } from "./wide_indices.ts";
import { type Control, encodeControl, errorOf } from "./wire/control.ts";
import { type MessageHandlers, type MessageHead, MessageReader } from "./wire/message_frames.ts";

/** Acknowledged at the latest after so many bytes, such a share of the window, or this time: each is a write of a socket. */
const ACK_BYTES_MAX = 2 << 20;
const ACK_WINDOWS = 1 / 4;
const ACK_DELAY_MS = 10;

export interface ReceiverOptions {
  readonly arena: Arena;
  readonly owner: OwnerId;
  readonly compression: Compression;
  readonly clock: Clock;
  /** The exchange's, where it is known: batches have its types. Default: as they are sent. */
  readonly schema?: Schema;
  /** Bytes of messages that may be under way or not taken yet. */
  readonly windowBytes: number;
}

export interface Received {
  readonly batch: Batch;
  readonly epoch: number;
}

interface Waiting extends Received {
  readonly bytes: number;
}

export class Receiver {
  readonly #options: ReceiverOptions;
  readonly #decoder: StreamDecoder;
  readonly #changed: () => void;
  #queue: Waiting[] = [];
  #nextSequence = 0;
  /** Number of messages in all, once known. */
  #total: number | null = null;
  #failure: Error | null = null;
  #isClosed = false;
  #channel: Channel | null = null;
  #reader: MessageReader | null = null;
  /** On this channel: bytes of messages begun, and granted. */
  #begunBytes = 0;
  #grantedBytes = 0;
  /** Bytes of batches that wait, and of the message that arrives. */
  #heldBytes = 0;
  #unacknowledgedBytes = 0;
  #cancelAck: (() => void) | null = null;
  #arriving: { readonly head: MessageHead; readonly block: Address; received: number } | null = null;

  /** @param changed called when there is more to take, or the end */
  constructor(options: ReceiverOptions, changed: () => void) {
    this.#options = options;
    this.#changed = changed;
    this.#decoder = new StreamDecoder(options.arena, options);
  }

  get failure(): Error | null {
    return this.#failure;
  }

  /** Whether all messages have come. */
  get isComplete(): boolean {
    return this.#total !== null && this.#nextSequence === this.#total;
  }

  get isOver(): boolean {
    return this.isComplete || this.#failure !== null || this.#isClosed;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Where to go on after a connection was lost. */
  get fromSequence(): number {
    return this.#nextSequence;
  }

  /** Reads from a new channel; gives what it may send at first. */
  attach(channel: Channel): { readonly fromSequence: number; readonly limitBytes: number } {
    this.detach();
    this.#channel = channel;
    this.#begunBytes = 0;
    this.#grantedBytes = Math.max(this.#options.windowBytes - this.#heldBytes, 1);
    const handlers: MessageHandlers = {
      control: (message) => this.#control(message),
      begin: (head) => this.#begin(head),
      piece: (bytes) => this.#piece(bytes),
      complete: () => this.#complete(),
    };
    this.#reader = new MessageReader(handlers);
    return { fromSequence: this.#nextSequence, limitBytes: this.#grantedBytes };
  }

  /** Bytes of the attached channel. Breaks of the rules end the exchange. */
  push(bytes: Uint8Array): void {
    if (this.isOver) return;
    try {
      this.#reader?.push(bytes);
    } catch (error) {
      this.fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** The channel is gone: what arrived of a message is dropped. */
  detach(): void {
    this.#channel = null;
    this.#reader = null;
    this.#cancelAck?.();
    this.#cancelAck = null;
    this.#dropArriving();
  }

  /** The next batch, which is then the caller's; null when none waits. */
  take(): Received | null {
    const next = this.#queue.shift();
    if (next === undefined) return null;
    this.#heldBytes -= next.bytes;
    this.#grant();
    return { batch: next.batch, epoch: next.epoch };
  }

  /** Ends the exchange with an error. */
  fail(error: Error): void {
    if (this.isOver) return;
    this.#failure = error;
    const channel = this.#channel;
    this.detach();
    channel?.abort(error.message);
    this.#changed();
  }

  /** Frees what waits. Idempotent. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const channel = this.#channel;
    this.detach();
    if (channel !== null && !this.isComplete && this.#failure === null) sayClose(channel);
    for (const { batch } of this.#queue) releaseBatch(this.#options.arena, batch);
    this.#queue = [];
    this.#heldBytes = 0;
    this.#decoder.close();
  }

  #control(message: Control): void {
    if (message.kind === "fail") throw errorOf(message);
    if (message.kind !== "end") throw new ShuffleError("protocol", `The writer of an exchange sent "${message.kind}".`);
    if (message.sequence !== this.#nextSequence) {
      throw new ShuffleError(
        "protocol",
        `The writer of an exchange ended after ${message.sequence} messages, but ${this.#nextSequence} came.`,
      );
    }
    this.#total = message.sequence;
    this.#acknowledge();
    if (this.#channel !== null) sayClose(this.#channel);
    this.#changed();
  }

  #begin(head: MessageHead): void {
    if (head.sequence !== this.#nextSequence) {
      throw new ShuffleError("protocol", `Message ${head.sequence} came instead of ${this.#nextSequence}.`);
    }
    if (this.#begunBytes >= this.#grantedBytes) {
      throw new ShuffleError(
        "protocol",
        `Message ${head.sequence} came beyond the ${this.#grantedBytes} bytes granted.`,
      );
    }
    const block = this.#options.arena.allocate(head.bytes, this.#options.owner);
    this.#begunBytes += head.bytes;
    this.#heldBytes += head.bytes;
    this.#arriving = { head, block, received: 0 };
  }

  #piece(bytes: Uint8Array): void {
    const arriving = this.#arriving;
    invariant(arriving !== null, "a piece belongs to a message");
    this.#options.arena.u8.set(bytes, arriving.block + arriving.received);
    arriving.received += bytes.length;
  }

  #complete(): void {
    const arriving = this.#arriving;
    invariant(arriving !== null, "a message was begun");
    const { head, block } = arriving;
    const { arena, compression, schema } = this.#options;
    let batch: Batch | null = null;
    try {
      const crc32 = compression.crc32(arena.u8.subarray(block, block + head.bytes));
      if (crc32 !== head.crc32) {
        throw new ShuffleError(
          "corrupt",
          `Message ${head.sequence} of an exchange is damaged: its checksum is ${hex(crc32)}, the writer says ${hex(head.crc32)}.`,
        );
      }
      batch = this.#decoder.take(block, head.bytes);
      if (batch !== null && schema !== undefined) batch = retyped(batch, schema);
    } finally {
      this.#dropArriving();
    }
    this.#nextSequence++;
    if (batch === null) this.#grant();
    else {
      this.#heldBytes += head.bytes;
      this.#queue.push({ batch, epoch: head.epoch, bytes: head.bytes });
      this.#changed();
    }
    this.#acknowledgeSoon(head.bytes);
  }

  #dropArriving(): void {
    if (this.#arriving === null) return;
    this.#heldBytes -= this.#arriving.head.bytes;
    this.#options.arena.release(this.#arriving.block);
    this.#arriving = null;
  }

  /** Grants what has been taken, once it is worth a message. */
  #grant(): void {
    const granted = this.#begunBytes + this.#options.windowBytes - this.#heldBytes;
    if (granted - this.#grantedBytes < this.#options.windowBytes / 4) return;
    this.#grantedBytes = granted;
    this.#acknowledge();
  }

  #acknowledgeSoon(bytes: number): void {
    this.#unacknowledgedBytes += bytes;
    const { windowBytes } = this.#options;
    if (this.#unacknowledgedBytes >= Math.min(ACK_BYTES_MAX, windowBytes * ACK_WINDOWS)) this.#acknowledge();
    else this.#cancelAck ??= this.#options.clock.wake(ACK_DELAY_MS, () => this.#acknowledge());
  }

  #acknowledge(): void {
    this.#cancelAck?.();
    this.#cancelAck = null;
    this.#unacknowledgedBytes = 0;
    const message = { kind: "ack", sequence: this.#nextSequence, limitBytes: this.#grantedBytes } as const;
    this.#channel?.send(encodeControl(message));
  }
}

function sayClose(channel: Channel): void {
  channel.send(encodeControl({ kind: "close" }));
  channel.end();
}

function hex(value: number): string {
  return value.toString(16).padStart(8, "0");
}
