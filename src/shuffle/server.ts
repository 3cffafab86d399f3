/** Answers channels that other processes open: gives partitions that are asked for, and takes those that are pushed. */
import type { Channel, ChannelHandlers, Clock, PeerId } from "../kernel/mod.ts";
import { ShuffleError } from "./error.ts";
import { OutgoingStream } from "./outgoing.ts";
import type { PartitionLog } from "./partition_log.ts";
import type { PartitionStore } from "./partition_store.ts";
import { controlReader, refuse, ServedChannel } from "./served_channel.ts";
import type { ShuffleCodec } from "./stream_encoder.ts";
import { keyText, type PartitionKey } from "./ticket.ts";
import type { Control } from "./wire/control.ts";

/** A channel must say what it wants within this time. */
const OPENING_TIMEOUT_MS = 10_000;
/** How long a reader waits for a partition that is not written yet, before it is told to come again. */
const PARTITION_TIMEOUT_MS = 30_000;
/** Channels that have not said what they want, or wait for a partition. */
const WAITING_MAX = 16_384;

export interface ServerOptions {
  readonly store: PartitionStore;
  readonly clock: Clock;
  /** Of what is sent; default none. */
  readonly codec?: ShuffleCodec;
  /** Whether the peer may read (get) or write (put) the partition; default: every peer that could connect. */
  readonly allows?: (peer: PeerId, key: PartitionKey, how: "get" | "put") => boolean;
}

/** Who takes a channel over which a partition is pushed. */
export type PutAcceptor = (channel: Channel) => ChannelHandlers;

export class ShuffleServer {
  readonly #options: ServerOptions;
  readonly #streams = new Map<PartitionLog, { readonly stream: OutgoingStream; channel: ServedChannel | null }>();
  readonly #expected = new Map<string, PutAcceptor>();
  #waitingCount = 0;

  constructor(options: ServerOptions) {
    this.#options = options;
  }

  /** A channel of `SHUFFLE_PROTOCOL` that a peer opened; to be called in the turn in which it was had. */
  opened(channel: Channel): void {
    if (this.#waitingCount >= WAITING_MAX) return channel.abort(`more than ${WAITING_MAX} channels wait`);
    const opening = new Opening(channel, this);
    channel.receive({
      data: (bytes) => opening.data(bytes),
      drain: () => opening.drain(),
      end: () => opening.end(),
      closed: (error) => opening.closed(error),
    });
  }

  /** From now on the writer of this partition may push it here; gives a function that ends this. */
  expect(key: PartitionKey, accept: PutAcceptor): () => void {
    const text = keyText(key);
    this.#expected.set(text, accept);
    return () => {
      if (this.#expected.get(text) === accept) this.#expected.delete(text);
    };
  }

  /** Ends what is being served. */
  close(): void {
    for (const { stream, channel } of this.#streams.values()) {
      channel?.replace();
      stream.close();
    }
    this.#streams.clear();
  }

  /** @internal Counts a waiting channel, and calls `late` when it has waited too long; gives a function that ends both. */
  wait(timeoutMs: number, late: () => void): () => void {
    this.#waitingCount++;
    let isOver = false;
    const cancel = this.#options.clock.wake(timeoutMs, late);
    return () => {
      if (isOver) return;
      isOver = true;
      this.#waitingCount--;
      cancel();
    };
  }

  get store(): PartitionStore {
    return this.#options.store;
  }

  /** @throws {ShuffleError} forbidden, fenced */
  check(peer: PeerId, key: PartitionKey, how: "get" | "put"): void {
    const { store, allows } = this.#options;
    if (allows !== undefined && !allows(peer, key, how)) {
      throw new ShuffleError("forbidden", `${peer} may not ${how} partition ${keyText(key)}.`);
    }
    store.checkAttempt(key);
  }

  /** @throws {ShuffleError} gone */
  serve(channel: Channel, log: PartitionLog, start: { fromSequence: number; limitBytes: number }): ServedChannel {
    const known = this.#streams.get(log);
    known?.channel?.replace();
    const served = new ServedChannel(channel, this.stream(log, start.fromSequence), start);
    const entry = this.#streams.get(log);
    if (entry !== undefined) entry.channel = served;
    return served;
  }

  /** The messages of the partition: those that a reader goes on with, or new ones for a reader that starts. */
  stream(log: PartitionLog, fromSequence: number): OutgoingStream {
    const known = this.#streams.get(log);
    if (known !== undefined && (fromSequence > 0 || log.firstIndex > 0)) return known.stream;
    known?.stream.close();
    const { store, codec = "none" } = this.#options;
    const stream = new OutgoingStream(log, { arena: store.arena, compression: store.compression, codec });
    if (known === undefined) log.onClose(() => this.#forget(log));
    this.#streams.set(log, { stream, channel: null });
    return stream;
  }

  acceptorOf(key: PartitionKey): PutAcceptor {
    const accept = this.#expected.get(keyText(key));
    if (accept !== undefined) return accept;
    throw new ShuffleError("unknown-partition", `Nobody here reads partition ${keyText(key)} yet.`);
  }

  #forget(log: PartitionLog): void {
    this.#streams.get(log)?.stream.close();
    this.#streams.delete(log);
  }
}

/** A channel from its opening to its end. */
class Opening {
  readonly #channel: Channel;
  readonly #server: ShuffleServer;
  readonly #reader = controlReader((message) => this.#control(message));
  #endWait: () => void;
  #served: ServedChannel | null = null;
  /** Who took the channel over. */
  #taken: ChannelHandlers | null = null;
  #isOpen = true;
  #hasAsked = false;
  /** It needs nothing of a partition that is not there yet. */
  #hasDeclined = false;

  constructor(channel: Channel, server: ShuffleServer) {
    this.#channel = channel;
    this.#server = server;
    this.#endWait = server.wait(OPENING_TIMEOUT_MS, () => channel.abort("it did not say what it wants"));
  }

  data(bytes: Uint8Array): void {
    if (this.#taken !== null) return this.#taken.data(bytes);
    try {
      this.#reader.push(bytes);
    } catch (error) {
      this.#endWait();
      if (this.#served !== null) this.#served.fail(error);
      else refuse(this.#channel, error);
    }
  }

  drain(): void {
    this.#taken?.drain?.();
    this.#served?.drained();
  }

  end(): void {
    if (this.#taken !== null) this.#taken.end?.();
    else if (this.#served !== null) this.#served.readerEnded();
    else if (!this.#hasDeclined) this.#channel.end();
  }

  closed(error: Error | null): void {
    this.#isOpen = false;
    this.#endWait();
    this.#taken?.closed(error);
    this.#served?.closed();
  }

  #control(message: Control): void {
    if (this.#served !== null) return this.#served.control(message);
    if (this.#hasAsked && message.kind === "close") {
      this.#hasDeclined = true;
      return;
    }
    if (this.#hasAsked) throw new ShuffleError("protocol", `A channel that waits sent "${message.kind}".`);
    this.#hasAsked = true;
    this.#endWait();
    if (message.kind === "get") this.#get(message);
    else if (message.kind === "put") {
      this.#server.check(this.#channel.peer, message, "put");
      this.#taken = this.#server.acceptorOf(message)(this.#channel);
    } else throw new ShuffleError("protocol", `A channel began with "${message.kind}" instead of get or put.`);
  }

  #get(ticket: Extract<Control, { kind: "get" }>): void {
    this.#server.check(this.#channel.peer, ticket, "get");
    const log = this.#server.store.get(ticket);
    if (log !== null) {
      this.#served = this.#server.serve(this.#channel, log, ticket);
      if (this.#hasDeclined) this.#served.control({ kind: "close" });
      this.#served.pump();
      return;
    }
    const endAwait = this.#server.store.await(ticket, () => {
      this.#endWait();
      if (this.#isOpen) this.#retry(ticket);
    });
    const endTimer = this.#server.wait(PARTITION_TIMEOUT_MS, () => {
      this.#endWait();
      refuse(this.#channel, new ShuffleError("unknown-partition", `Partition ${keyText(ticket)} is not written here.`));
    });
    this.#endWait = () => {
      endAwait();
      endTimer();
    };
  }

  #retry(ticket: Extract<Control, { kind: "get" }>): void {
    try {
      this.#get(ticket);
    } catch (error) {
      refuse(this.#channel, error);
    }
  }
}
