import type { Channel, ChannelHandlers, Random } from "../kernel/mod.ts";
import { ShuffleError } from "./error.ts";
import type { ExchangeInput } from "./input.ts";
import { type Received, Receiver, type ReceiverOptions } from "./receiver.ts";
import type { ShuffleServer } from "./server.ts";
import { keyText, type PartitionKey } from "./ticket.ts";
import { encodeControl } from "./wire/control.ts";

const RETRY_MS_MIN = 50;
const RETRY_MS_MAX = 2_000;
const CLOSE_TRIES_MAX = 3;
/** A connection that stays away for longer ends the exchange. */
export const AWAY_MS_MAX = 30_000;

export interface RemoteOptions extends ReceiverOptions {
  readonly random: Random;
  /** Default `AWAY_MS_MAX`. */
  readonly awayMsMax?: number;
}

/** What both ways of reading from another process share. */
abstract class RemoteBase implements ExchangeInput {
  readonly producer: number;
  protected readonly key: PartitionKey;
  protected readonly options: RemoteOptions;
  protected readonly receiver: Receiver;
  #changed: () => void = () => undefined;
  #endAway: (() => void) | null = null;
  protected isClosed = false;

  constructor(key: PartitionKey, options: RemoteOptions) {
    this.producer = key.producer;
    this.key = key;
    this.options = options;
    this.receiver = new Receiver(options, () => this.#changed());
  }

  protected abstract begin(): void;
  /** Tells the writer once more that nothing else is wanted. */
  protected abstract sayClose(): void;

  start(changed: () => void): void {
    this.#changed = changed;
    this.away();
    this.begin();
  }

  take(): Received | null | "end" {
    const next = this.receiver.take();
    if (next !== null) return next;
    if (this.receiver.failure !== null) throw this.receiver.failure;
    return this.receiver.isComplete ? "end" : null;
  }

  close(): void {
    this.isClosed = true;
    this.present();
    this.receiver.close();
  }

  /** There is no connection: it must come within the time allowed. */
  protected away(): void {
    const { clock, awayMsMax = AWAY_MS_MAX } = this.options;
    this.#endAway ??= clock.wake(awayMsMax, () => {
      const text = `The writer of partition ${keyText(this.key)} could not be reached for ${awayMsMax / 1000} s.`;
      this.receiver.fail(new ShuffleError("unreachable", text));
    });
  }

  protected present(): void {
    this.#endAway?.();
    this.#endAway = null;
  }

  /** What a channel of this partition does here. `lost` is called when it ended before all had come. */
  protected handlers(lost: () => void): ChannelHandlers {
    let isCurrent = true;
    return {
      data: (bytes) => {
        if (!isCurrent || this.isClosed) return;
        this.present();
        this.receiver.push(bytes);
      },
      closed: (error) => {
        if (!isCurrent) return;
        isCurrent = false;
        // The writer may not know that all has come.
        if (error !== null && this.receiver.isComplete) this.sayClose();
        if (this.isClosed || this.receiver.isOver) return;
        this.receiver.detach();
        this.away();
        lost();
      },
    };
  }
}

/** Reads a partition from the process that wrote it (get); connects again when the connection is lost. */
export class GetInput extends RemoteBase {
  readonly #connect: () => Promise<Channel>;
  #failures = 0;
  #closeTries = 0;
  #cancelRetry: () => void = () => undefined;

  constructor(key: PartitionKey, connect: () => Promise<Channel>, options: RemoteOptions) {
    super(key, options);
    this.#connect = connect;
  }

  override close(): void {
    super.close();
    this.#cancelRetry();
  }

  protected begin(): void {
    this.#connect().then(
      (channel) => this.#connected(channel),
      () => this.#retry(),
    );
  }

  #connected(channel: Channel): void {
    if (this.isClosed && !this.receiver.isComplete && this.receiver.failure === null) return this.#decline(channel);
    if (this.isClosed || this.receiver.isOver) return channel.abort("the reader needs no more");
    const before = this.receiver.fromSequence;
    channel.receive(
      this.handlers(() => {
        if (this.receiver.fromSequence > before) this.#failures = 0;
        this.#retry();
      }),
    );
    const { fromSequence, limitBytes } = this.receiver.attach(channel);
    channel.send(encodeControl({ kind: "get", ...this.key, fromSequence, limitBytes }));
  }

  protected sayClose(): void {
    if (this.#closeTries++ >= CLOSE_TRIES_MAX) return;
    this.#connect().then(
      (channel) => this.#decline(channel),
      // The writer frees it with its job.
      () => undefined,
    );
  }

  /** Over a channel of its own: the writer is not to wait for this reader. */
  #decline(channel: Channel): void {
    channel.receive({
      data: () => undefined,
      closed: (error) => {
        if (error !== null) this.sayClose();
      },
    });
    const { fromSequence } = this.receiver;
    channel.send(encodeControl({ kind: "get", ...this.key, fromSequence, limitBytes: 1 }));
    channel.send(encodeControl({ kind: "close" }));
    channel.end();
  }

  #retry(): void {
    if (this.isClosed || this.receiver.isOver) return;
    const delayMs = Math.min(RETRY_MS_MIN * 2 ** this.#failures++, RETRY_MS_MAX);
    this.#cancelRetry = this.options.clock.wake(delayMs * (0.5 + this.options.random.next()), () => this.begin());
  }
}

/** Takes a partition that its writer pushes (put) to this process's server. */
export class PutInput extends RemoteBase {
  readonly #server: ShuffleServer;
  #endExpect: () => void = () => undefined;

  constructor(key: PartitionKey, server: ShuffleServer, options: RemoteOptions) {
    super(key, options);
    this.#server = server;
  }

  override close(): void {
    super.close();
    this.#endExpect();
    if (this.receiver.isComplete) this.sayClose();
  }

  /** To the writer when it comes again. */
  protected sayClose(): void {
    this.#endExpect();
    const { fromSequence } = this.receiver;
    this.#endExpect = this.#server.expect(this.key, (channel) => {
      channel.send(encodeControl({ kind: "start", fromSequence, limitBytes: 0 }));
      channel.send(encodeControl({ kind: "close" }));
      channel.end();
      return { data: () => undefined, closed: () => undefined };
    });
  }

  protected begin(): void {
    this.#endExpect = this.#server.expect(this.key, (channel) => {
      this.present();
      const handlers = this.handlers(() => undefined);
      channel.send(encodeControl({ kind: "start", ...this.receiver.attach(channel) }));
      return handlers;
    });
  }
}
