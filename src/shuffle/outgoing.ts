/**
 * The messages of one partition on their way to its reader: encoded when they can be sent, kept until acknowledged, sent
 * again from any of these after the connection was lost.
 */
import { type Arena, type Batch, releaseBatch, type Schema } from "../arrow/mod.ts";
import type { Compression } from "../kernel/mod.ts";
import { ipcCodec } from "./codec.ts";
import { ShuffleError } from "./error.ts";
import type { PartitionLog } from "./partition_log.ts";
import { type Payload, type ShuffleCodec, StreamEncoder } from "./stream_encoder.ts";
import { retyped, withWideIndices } from "./wide_indices.ts";

export interface OutgoingMessage {
  readonly sequence: number;
  readonly epoch: number;
  readonly payload: Payload;
}

interface Sent extends OutgoingMessage {
  /** The batch that this is the last message of, and the number after it in the log. */
  readonly held: { readonly batch: Batch; readonly nextIndex: number } | null;
}

export class OutgoingStream {
  readonly log: PartitionLog;
  readonly #arena: Arena;
  /** As it is sent. */
  readonly #schema: Schema;
  readonly #encoder: StreamEncoder;
  /** Not acknowledged, in order. */
  #messages: Sent[] = [];
  /** Sequence of `#messages[0]`, and number of messages made. */
  #firstSequence = 0;
  #madeCount = 0;
  /** Sequence of the message to be sent next. */
  #next = 0;
  #index: number;
  #isClosed = false;

  constructor(
    log: PartitionLog,
    options: { readonly arena: Arena; readonly compression: Compression; readonly codec: ShuffleCodec },
  ) {
    this.log = log;
    this.#arena = options.arena;
    const codec = ipcCodec(options.codec, options.compression);
    this.#schema = withWideIndices(log.schema);
    this.#encoder = new StreamEncoder(options.arena, this.#schema, {
      compression: options.compression,
      codec,
    });
    this.#index = log.firstIndex;
    this.#push(this.#encoder.schema(), 0, null);
  }

  /** Goes on with `sequence`. Everything before it counts as acknowledged. @throws {ShuffleError} gone */
  rewind(sequence: number): void {
    if (sequence < this.#firstSequence || sequence > this.#madeCount) {
      throw new ShuffleError(
        "gone",
        `Cannot go on with message ${sequence}: messages ${this.#firstSequence} to ${this.#madeCount} are here.`,
      );
    }
    this.#next = sequence;
    this.acknowledge(sequence);
  }

  /** The next message, null when there is none now. @throws the log's failure */
  next(): OutgoingMessage | null {
    if (this.#next === this.#madeCount && !this.#encodeNext()) return null;
    return this.#messages[this.#next++ - this.#firstSequence] ?? null;
  }

  /** Number of messages in all, when the writer has finished and all are made; otherwise null. */
  get total(): number | null {
    const { log } = this;
    return log.state === "finished" && this.#index === log.end ? this.#madeCount : null;
  }

  get isAllSent(): boolean {
    return this.#next === this.#madeCount;
  }

  /** The reader has all messages before `sequence`. @throws {ShuffleError} protocol */
  acknowledge(sequence: number): void {
    if (sequence > this.#next) {
      throw new ShuffleError("protocol", `Message ${sequence} was acknowledged, but ${this.#next} were sent.`);
    }
    const count = sequence - this.#firstSequence;
    if (count <= 0) return;
    this.#firstSequence = sequence;
    let forgotten = -1;
    for (const { held } of this.#messages.splice(0, count)) {
      if (held === null) continue;
      releaseBatch(this.#arena, held.batch);
      forgotten = held.nextIndex;
    }
    if (forgotten >= 0 && !this.#isClosed) this.log.forget(forgotten);
  }

  /** Idempotent. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const { held } of this.#messages) if (held !== null) releaseBatch(this.#arena, held.batch);
    this.#messages = [];
    this.#encoder.close();
  }

  #encodeNext(): boolean {
    const { log } = this;
    if (log.failure !== null) throw log.failure;
    if (log.state === "closed") throw new ShuffleError("closed", "The exchange was closed by its writer.");
    const item = log.item(this.#index);
    if (item === null) return false;
    const { batch, epoch } = item;
    let payloads: Payload[];
    try {
      payloads = this.#encoder.batch(this.#schema === this.log.schema ? batch : retyped(batch, this.#schema));
    } catch (error) {
      releaseBatch(this.#arena, batch);
      throw error;
    }
    this.#index++;
    payloads.forEach((payload, i) => {
      const isLast = i === payloads.length - 1;
      this.#push(payload, epoch, isLast ? { batch, nextIndex: this.#index } : null);
    });
    return true;
  }

  #push(payload: Payload, epoch: number, held: Sent["held"]): void {
    this.#messages.push({ sequence: this.#madeCount++, epoch, payload, held });
  }
}
