/** Sends a partition's messages over one channel as far as the reader's credit and the channel's window go. */
import type { Channel } from "../kernel/mod.ts";
import { ShuffleError } from "./error.ts";
import type { OutgoingStream } from "./outgoing.ts";
import { type Control, encodeControl, failOf } from "./wire/control.ts";
import { MESSAGE_BYTES_MAX, sendMessage } from "./wire/message_frames.ts";

/** Bytes given to the channel at once: more rarely fit into what is left of its window. */
const SEND_BYTES_MAX = 256 << 10;

export class Sender {
  readonly #channel: Channel;
  readonly #stream: OutgoingStream;
  /** Bytes of messages that may be begun, and that were sent, on this channel. */
  #limitBytes: number;
  #sentBytes = 0;
  #hasRoom = true;
  #isOver = false;
  #endSent = false;

  constructor(channel: Channel, stream: OutgoingStream, start: { fromSequence: number; limitBytes: number }) {
    this.#channel = channel;
    this.#stream = stream;
    this.#limitBytes = start.limitBytes;
    stream.rewind(start.fromSequence);
    stream.log.listen(() => this.pump());
  }

  /** A control message of the reader. @throws {ShuffleError} protocol */
  control(message: Control): void {
    if (message.kind === "close") return this.#close();
    if (message.kind !== "ack")
      throw new ShuffleError("protocol", `A reader sent "${message.kind}" while it was served.`);
    this.#limitBytes = Math.max(this.#limitBytes, message.limitBytes);
    this.#stream.acknowledge(message.sequence);
    this.pump();
  }

  drained(): void {
    this.#hasRoom = true;
    this.pump();
  }

  /** Sends what may be sent. */
  pump(): void {
    if (this.#isOver) return;
    try {
      while (this.#hasRoom && this.#sentBytes < this.#limitBytes && this.#sendNext());
      this.#sendEnd();
    } catch (error) {
      this.fail(error);
    }
  }

  /** Tells the reader that there will be no more, and why. */
  fail(error: unknown): void {
    if (this.#isOver) return;
    this.stop();
    this.#channel.send(encodeControl(failOf(error)));
    this.#channel.end();
  }

  /** The channel is gone. Idempotent. */
  stop(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#stream.log.listen(null);
  }

  /** The reader needs no more. */
  #close(): void {
    if (this.#isOver) return;
    this.stop();
    this.#channel.end();
    const { log } = this.#stream;
    this.#stream.close();
    if (log.kind === "pipelined") log.close();
  }

  #sendNext(): boolean {
    const message = this.#stream.next();
    if (message === null) return false;
    const { sequence, epoch, payload } = message;
    if (payload.bytes > MESSAGE_BYTES_MAX) {
      const text = `Cannot send a batch of ${payload.bytes} bytes: a message has at most ${MESSAGE_BYTES_MAX}. Use smaller batches.`;
      throw new ShuffleError("limit", text);
    }
    this.#sentBytes += payload.bytes;
    sendMessage({ sequence, epoch, bytes: payload.bytes, crc32: payload.crc32 }, payload, (bytes) => {
      for (let at = 0; at < bytes.length; at += SEND_BYTES_MAX) {
        const isWhole = bytes.length <= SEND_BYTES_MAX;
        if (!this.#channel.send(isWhole ? bytes : bytes.subarray(at, at + SEND_BYTES_MAX))) this.#hasRoom = false;
      }
    });
    return true;
  }

  #sendEnd(): void {
    const { total } = this.#stream;
    if (total === null || this.#endSent || !this.#stream.isAllSent) return;
    this.#endSent = true;
    this.#channel.send(encodeControl({ kind: "end", sequence: total }));
  }
}
