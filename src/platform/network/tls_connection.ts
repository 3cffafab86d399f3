/**
 * A TLS socket as a libp2p connection. Frames of one turn leave in one write; nothing is kept that the socket takes.
 */
import type { TLSSocket } from "node:tls";
import type { AbortOptions, Logger } from "@libp2p/interface";
import { AbstractMultiaddrConnection } from "@libp2p/utils";
import type { Multiaddr } from "@multiformats/multiaddr";
import { KEEP_ALIVE_MS, SILENCE_MS_MAX, STOP_GRACE_MS } from "./limits.ts";

/** Written at once, and joined up to it: a write costs more than copying so much. */
const JOINED_BYTES = 256 << 10;
/** Buffers for that are used again: fresh memory costs more than the copy. */
const SPARE_BUFFERS_MAX = 8;
/** Less than this is joined in the runtime's own pool of small buffers. */
const SMALL_BYTES_MAX = 4 << 10;

const spareBuffers: Uint8Array[] = [];

/** Memory that this much arrived in is worth being given back at once. */
const GIVEN_BACK_BYTES_MIN = 16 << 10;
const isBun = "Bun" in globalThis;

/** `Uint8Array` or libp2p's list of them. */
type Bytes = Parameters<AbstractMultiaddrConnection["send"]>[0];

export interface TlsConnectionOptions {
  readonly socket: TLSSocket;
  readonly direction: "inbound" | "outbound";
  readonly remoteAddr: Multiaddr;
  readonly log: Logger;
  /** Bytes that the other side may send until `trust` is called. */
  readonly bytesMax: number;
  /** It sent more; the connection is aborted. */
  readonly overspent: () => void;
}

export class TlsConnection extends AbstractMultiaddrConnection {
  /** Takes what arrives, once there is a muxer, without libp2p's events; true when nothing refers to it any more. */
  takeBytes: ((bytes: Uint8Array) => boolean) | null = null;
  private readonly socket: TLSSocket;
  private readonly pulse: ReturnType<typeof setInterval>;
  /** Not given to the socket yet; of the first one it has `headTaken` bytes. */
  private queue: Uint8Array[] = [];
  private queuedBytes = 0;
  private headTaken = 0;
  /** The socket wants no more until it says so. */
  private isFull = false;
  private lastHeardMs = performance.now();
  private socketError: Error | undefined;
  private bytesLeft: number;

  constructor({ socket, bytesMax, overspent, ...init }: TlsConnectionOptions) {
    super(init);
    this.socket = socket;
    this.bytesLeft = bytesMax;
    this.pulse = this.watchSilence();
    socket.setNoDelay(true);
    socket.on("data", (chunk: Buffer) => {
      this.lastHeardMs = performance.now();
      this.bytesLeft -= chunk.byteLength;
      if (this.bytesLeft < 0) {
        if (this.status !== "open") return;
        overspent();
        return this.abort(new Error("it sent too much before it was admitted"));
      }
      // A plain array: `slice` of a Buffer would not copy.
      const bytes = new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
      const { takeBytes } = this;
      const isDirect = takeBytes !== null && this.readStatus === "readable" && this.readBufferLength === 0;
      if (!isDirect) this.onData(bytes);
      else if (takeBytes(bytes)) giveBack(chunk);
    });
    socket.on("drain", () => {
      this.isFull = false;
      this.flush();
      if (!this.isFull) this.safeDispatchEvent("drain");
    });
    socket.on("end", () => socket.end());
    socket.on("error", (error) => {
      this.socketError = error;
    });
    socket.on("close", () => {
      clearInterval(this.pulse);
      this.onTransportClosed(this.socketError);
    });
  }

  /** The other side may send whatever it likes from now on. */
  trust(): void {
    this.bytesLeft = Number.POSITIVE_INFINITY;
  }

  /** Aborts when nothing is heard for too long. A process that was itself stopped first listens. */
  private watchSilence(): ReturnType<typeof setInterval> {
    let lastRunMs = performance.now();
    const timer = setInterval(() => {
      const nowMs = performance.now();
      const wasStopped = nowMs - lastRunMs > 2 * KEEP_ALIVE_MS;
      lastRunMs = nowMs;
      if (wasStopped || nowMs - this.lastHeardMs < SILENCE_MS_MAX) return;
      this.abort(new Error(`nothing was heard for ${SILENCE_MS_MAX / 1000} s`));
    }, KEEP_ALIVE_MS);
    timer.unref?.();
    return timer;
  }

  /** Never throws: the muxer sends from callbacks in which nobody would catch it. */
  override send(data: Bytes): boolean {
    if (this.writeStatus === "closed" || this.socket.destroyed) return false;
    if (this.queue.length === 0) queueMicrotask(() => this.flush());
    if (data instanceof Uint8Array) this.queue.push(data);
    else for (const chunk of data) this.queue.push(chunk);
    this.queuedBytes += data.byteLength;
    if (this.queuedBytes >= JOINED_BYTES) this.flush();
    return !this.writableNeedsDrain;
  }

  /**
   * Gives the socket as much as it takes at once. More would be joined and copied by the runtime again and again, all that
   * waits for each part of it that leaves.
   */
  private flush(): void {
    while (this.queuedBytes > 0 && !this.isFull) this.writeNext();
  }

  /** Gives it all, to be closed after that. */
  private flushAll(): void {
    while (this.queuedBytes > 0) this.writeNext();
  }

  private writeNext(): void {
    const [first] = this.queue;
    if (first !== undefined && first.length - this.headTaken >= JOINED_BYTES)
      return this.write(this.take(JOINED_BYTES));
    const isSmall = this.queuedBytes <= SMALL_BYTES_MAX;
    const joined = isSmall
      ? Buffer.allocUnsafe(this.queuedBytes)
      : (spareBuffers.pop() ?? new Uint8Array(JOINED_BYTES));
    let size = 0;
    while (this.queuedBytes > 0 && size < joined.length) {
      const piece = this.take(joined.length - size);
      joined.set(piece, size);
      size += piece.length;
    }
    if (isSmall) return this.write(joined);
    this.write(joined.subarray(0, size), () => {
      if (spareBuffers.length < SPARE_BUFFERS_MAX) spareBuffers.push(joined);
    });
  }

  /** At most `bytesMax` of the first piece that waits. */
  private take(bytesMax: number): Uint8Array {
    const piece = this.queue[0] as Uint8Array;
    const start = this.headTaken;
    const end = Math.min(piece.length, start + bytesMax);
    this.queuedBytes -= end - start;
    this.headTaken = end;
    if (end === piece.length) {
      this.queue.shift();
      this.headTaken = 0;
    }
    return start === 0 && end === piece.length ? piece : piece.subarray(start, end);
  }

  private write(bytes: Uint8Array, written?: () => void): void {
    if (this.socket.destroyed || this.socket.write(bytes, written)) return;
    this.isFull = true;
    this.writableNeedsDrain = true;
  }

  override sendData(): { sentBytes: number; canSendMore: boolean } {
    return { sentBytes: 0, canSendMore: true }; // `send` goes its own way
  }

  override sendReset(): void {
    clearInterval(this.pulse);
    this.flushAll();
    // What was sent before still leaves, unless the other side does not take it.
    const timer = setTimeout(() => this.socket.destroy(), STOP_GRACE_MS);
    this.socket.once("close", () => clearTimeout(timer));
    this.socket.destroySoon();
  }

  override sendPause(): void {
    this.socket.pause();
  }

  override sendResume(): void {
    this.socket.resume();
  }

  override async sendClose(options?: AbortOptions): Promise<void> {
    this.flushAll();
    if (this.socket.destroyed) return;
    const closed = new Promise<void>((resolve) => this.socket.once("close", () => resolve()));
    const timer = setTimeout(() => this.socket.destroy(), STOP_GRACE_MS);
    options?.signal?.addEventListener("abort", () => this.socket.destroy(), { once: true });
    this.socket.end();
    await closed;
    clearTimeout(timer);
  }
}

/**
 * Bun allocates what is read anew each time. Left to the garbage collector, that is memory which the system clears page by
 * page, and costs a reader as much as decrypting does; given back at once, the next read gets the same again.
 */
function giveBack({ buffer, byteLength }: Buffer): void {
  if (!isBun || byteLength < GIVEN_BACK_BYTES_MIN || byteLength !== buffer.byteLength) return;
  if (buffer instanceof ArrayBuffer) buffer.transfer(0);
}
