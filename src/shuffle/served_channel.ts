/** The writing side of one channel: what the reader says, and messages. */
import type { Channel } from "../kernel/mod.ts";
import { ShuffleError } from "./error.ts";
import type { OutgoingStream } from "./outgoing.ts";
import { Sender } from "./sender.ts";
import { type Control, encodeControl, failOf } from "./wire/control.ts";
import { MessageReader } from "./wire/message_frames.ts";

/** Reads control messages of a channel on which no data may come. */
export function controlReader(control: (message: Control) => void): MessageReader {
  const refuse = (): never => {
    throw new ShuffleError("protocol", "The reader of an exchange sent data.");
  };
  return new MessageReader({ control, begin: refuse, piece: refuse, complete: refuse });
}

export class ServedChannel {
  readonly #channel: Channel;
  readonly #sender: Sender;

  constructor(channel: Channel, stream: OutgoingStream, start: { fromSequence: number; limitBytes: number }) {
    this.#channel = channel;
    this.#sender = new Sender(channel, stream, start);
  }

  pump(): void {
    this.#sender.pump();
  }

  control(message: Control): void {
    this.#sender.control(message);
  }

  drained(): void {
    this.#sender.drained();
  }

  fail(error: unknown): void {
    this.#sender.fail(error);
  }

  /** The reader has all it wants. */
  readerEnded(): void {
    this.#sender.stop();
    this.#channel.end();
  }

  closed(): void {
    this.#sender.stop();
  }

  /** Gives way to a newer channel. */
  replace(): void {
    this.#sender.stop();
    this.#channel.abort("the reader came again on another channel");
  }
}

/** Tells the other side why, and ends the channel. */
export function refuse(channel: Channel, error: unknown): void {
  channel.send(encodeControl(failOf(error)));
  channel.end();
}
