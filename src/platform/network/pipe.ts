/**
 * A libp2p stream as callbacks: order kept, half-closing, pressure both ways, and an end that is told exactly once.
 *
 * libp2p's streams tell their state by events that come in several orders, and drop their error when the connection
 * below closes; here every event only notes a fact, and `settle` says what follows from the facts.
 */
import type { Stream } from "@libp2p/interface";
import { type ChannelHandlers, TransportError } from "../../kernel/mod.ts";
import type { FedStream } from "./frame_feed.ts";

export class Pipe {
  /** Called when bytes go through, for idle detection. */
  onTraffic: (() => void) | null = null;
  private readonly stream: Stream;
  private handlers: ChannelHandlers | null = null;
  private isListening = false;
  /** Arrived and not delivered. */
  private waiting: Uint8Array[] = [];
  private isPaused = false;
  private isDelivering = false;
  private wantsDrain = false;
  private hasEnded = false;
  private hasRemoteEnded: boolean;
  private isEndTold = false;
  private isStreamClosed = false;
  private failure: Error | null = null;
  private isClosedTold = false;

  constructor(stream: Stream) {
    this.stream = stream;
    this.hasRemoteEnded = stream.remoteWriteStatus === "closed" && stream.status === "open";
    stream.addEventListener("remoteCloseWrite", () => {
      this.hasRemoteEnded = true;
      this.settleSoon();
    });
    stream.addEventListener("end", () => this.settleSoon());
    stream.addEventListener("drain", () => queueMicrotask(() => this.drain()));
    stream.addEventListener("idle", () => queueMicrotask(() => this.drain()));
    stream.addEventListener("close", (event) => this.streamClosed(event.error));
    if (stream.status !== "open") this.streamClosed(new TransportError("aborted", "The channel broke while opening."));
  }

  get isOpen(): boolean {
    return !this.isStreamClosed;
  }

  get hasRoom(): boolean {
    return !this.wantsDrain && !this.isStreamClosed && !this.hasEnded;
  }

  /** May be called again to hand what follows to others. */
  receive(handlers: ChannelHandlers): void {
    this.handlers = handlers;
    this.settleSoon();
    if (this.isListening) {
      queueMicrotask(() => this.deliver());
      return;
    }
    this.isListening = true;
    this.stream.addEventListener("message", (event) => {
      this.onTraffic?.();
      if (event.data instanceof Uint8Array) this.waiting.push(event.data);
      else for (const chunk of event.data) this.waiting.push(chunk);
      this.deliver();
    });
    (this.stream as Stream & Partial<FedStream>).takeBytes = (bytes) => {
      this.onTraffic?.();
      this.waiting.push(bytes);
      this.deliver();
      return this.waiting.length === 0;
    };
  }

  /** Keeps what comes until `receive` is called again. */
  detach(): void {
    this.handlers = null;
  }

  /** Gives back what was delivered too much; comes first again. Only from within `data`. */
  unread(bytes: Uint8Array): void {
    if (bytes.length > 0) this.waiting.unshift(bytes);
  }

  send(bytes: Uint8Array): boolean {
    if (this.hasEnded || this.isStreamClosed) return false;
    if (bytes.length === 0) return !this.wantsDrain;
    this.onTraffic?.();
    try {
      const hasRoom = this.stream.send(bytes);
      if (!hasRoom) this.wantsDrain = true;
      return hasRoom;
    } catch {
      return false; // closed by the other side; `closed` tells
    }
  }

  pause(): void {
    this.isPaused = true;
    if (this.stream.readStatus === "readable") this.stream.pause();
  }

  resume(): void {
    if (!this.isPaused) return;
    this.isPaused = false;
    queueMicrotask(() => {
      this.deliver();
      if (!this.isPaused && this.stream.readStatus === "paused") this.stream.resume();
    });
  }

  end(): void {
    if (this.hasEnded || this.isStreamClosed) return;
    this.hasEnded = true;
    // A failure to close is a closed stream, which `closed` tells.
    this.stream.close().then(
      () => this.settle(),
      () => undefined,
    );
  }

  abort(reason: string): void {
    if (this.isStreamClosed) return;
    this.stream.abort(new TransportError("aborted", reason));
  }

  private deliver(): void {
    if (this.isDelivering) return;
    this.isDelivering = true;
    try {
      while (!this.isPaused && !this.isClosedTold && this.handlers !== null) {
        const bytes = this.waiting.shift();
        if (bytes === undefined) break;
        this.handlers.data(bytes);
      }
    } finally {
      this.isDelivering = false;
    }
    this.settleSoon();
  }

  private drain(): void {
    if (!this.wantsDrain || this.isStreamClosed) return;
    if (this.stream.writeBufferLength > 0 || this.stream.writableNeedsDrain) return;
    this.wantsDrain = false;
    this.handlers?.drain?.();
  }

  private streamClosed(error: Error | undefined): void {
    this.isStreamClosed = true;
    const isComplete = this.hasEnded && this.hasRemoteEnded && this.stream.writeBufferLength === 0;
    if (error !== undefined) this.failure = asTransportError(error);
    else if (!isComplete) this.failure = new TransportError("aborted", "The connection closed below the channel.");
    this.settleSoon();
  }

  private settleSoon(): void {
    if (this.hasRemoteEnded || this.isStreamClosed) queueMicrotask(() => this.settle());
  }

  private settle(): void {
    const { handlers } = this;
    if (handlers === null || this.isClosedTold || this.isDelivering) return;
    const hasAll = this.waiting.length === 0 && this.stream.readBufferLength === 0;
    if (this.hasRemoteEnded && hasAll && !this.isEndTold && this.isListening) {
      this.isEndTold = true;
      handlers.end?.();
    }
    if (!this.isStreamClosed || (this.failure === null && !this.isEndTold)) return;
    this.isClosedTold = true;
    this.waiting = [];
    handlers.closed(this.failure);
  }
}

function asTransportError(error: Error): TransportError {
  if (error instanceof TransportError) return error;
  const isReset = error.name === "StreamResetError";
  const message = isReset ? "The other side aborted the channel." : `The channel broke: ${error.message}`;
  return new TransportError("aborted", message, { cause: error });
}
