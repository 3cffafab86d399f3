/** Pushes a partition to the process that reads it (put); connects again when the connection is lost. */
import type { Channel, Clock, Random } from "../kernel/mod.ts";
import { ShuffleError } from "./error.ts";
import type { PartitionLog } from "./partition_log.ts";
import { controlReader, type ServedChannel } from "./served_channel.ts";
import type { ShuffleServer } from "./server.ts";
import { keyText } from "./ticket.ts";
import { type Control, encodeControl, errorOf } from "./wire/control.ts";

const RETRY_MS_MIN = 50;
const RETRY_MS_MAX = 2_000;
const AWAY_MS_MAX = 30_000;

export interface PushOptions {
  readonly server: ShuffleServer;
  readonly log: PartitionLog;
  readonly connect: () => Promise<Channel>;
  readonly clock: Clock;
  readonly random: Random;
  /** How long the reader may be away; default 30 s. */
  readonly awayMsMax?: number;
}

/**
 * Settles when the reader has all, or needs no more.
 *
 * @throws {ShuffleError} unreachable; what the reader refuses with
 */
export function pushPartition(options: PushOptions): Promise<void> {
  return new Promise((resolve, reject) => new Push(options, resolve, reject).connect());
}

class Push {
  readonly #options: PushOptions;
  readonly #resolve: () => void;
  readonly #reject: (error: Error) => void;
  #failures = 0;
  #endAway: (() => void) | null = null;
  #isOver = false;

  constructor(options: PushOptions, resolve: () => void, reject: (error: Error) => void) {
    this.#options = options;
    this.#resolve = resolve;
    this.#reject = reject;
    options.log.onClose(() => this.#end(null));
    this.#away();
  }

  connect(): void {
    if (this.#isOver) return;
    this.#options.connect().then(
      (channel) => this.#connected(channel),
      () => this.#retry(),
    );
  }

  #connected(channel: Channel): void {
    if (this.#isOver) return channel.abort("the writer has ended");
    const { log, server } = this.#options;
    let served: ServedChannel | null = null;
    const control = (message: Control): void => {
      if (served !== null) {
        served.control(message);
        if (message.kind === "close") this.#end(null);
      } else if (message.kind === "start") {
        this.#present();
        served = server.serve(channel, log, message);
        served.pump();
      } else if (message.kind === "fail") this.#refused(errorOf(message));
      else throw new ShuffleError("protocol", `The reader of an exchange began with "${message.kind}".`);
    };
    const reader = controlReader(control);
    channel.receive({
      data: (bytes) => {
        try {
          reader.push(bytes);
        } catch (error) {
          channel.abort(error instanceof Error ? error.message : String(error));
          this.#end(error instanceof Error ? error : new Error(String(error)));
        }
      },
      drain: () => served?.drained(),
      end: () => channel.end(),
      closed: () => {
        served?.closed();
        this.#retry();
      },
    });
    channel.send(encodeControl({ kind: "put", ...log.key }));
  }

  /** A reader that is not there yet may come. */
  #refused(error: ShuffleError): void {
    if (!error.retryable) this.#end(error);
  }

  #retry(): void {
    if (this.#isOver) return;
    this.#away();
    const delayMs = Math.min(RETRY_MS_MIN * 2 ** this.#failures++, RETRY_MS_MAX);
    this.#options.clock.wake(delayMs * (0.5 + this.#options.random.next()), () => this.connect());
  }

  #away(): void {
    const { clock, log, awayMsMax = AWAY_MS_MAX } = this.#options;
    this.#endAway ??= clock.wake(awayMsMax, () => {
      const text = `The reader of partition ${keyText(log.key)} could not be reached for ${awayMsMax / 1000} s.`;
      this.#end(new ShuffleError("unreachable", text));
    });
  }

  #present(): void {
    this.#failures = 0;
    this.#endAway?.();
    this.#endAway = null;
  }

  #end(error: Error | null): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#present();
    if (error === null) this.#resolve();
    else this.#reject(error);
  }
}
