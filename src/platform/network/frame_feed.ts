/**
 * Yamux frames of data on a short way: what arrives of one is handed on at once, where libp2p's decoder collects the whole
 * frame in lists and passes it on as an event. All other frames go libp2p's way.
 */

const HEADER_BYTES = 12;
const TYPE_DATA = 0;
const FLAG_ACK = 2;

/** What a yamux stream has besides its public interface. */
export interface FedStream {
  streamId: number;
  recvWindowCapacity: number;
  readonly status: string;
  readonly readStatus: string;
  readonly readBufferLength: number;
  processFlags(flags: number): void;
  onData(bytes: Uint8Array): void;
  sendWindowUpdate(): void;
  /** A frame's data was all handed on: its window may grow again. */
  dataHandled(): void;
  /** Set by whoever takes the stream's bytes directly; true when nothing refers to them any more. */
  takeBytes?: (bytes: Uint8Array) => boolean;
}

/** What a yamux muxer has besides its public interface. */
export interface FedMuxer {
  readonly streams: readonly FedStream[];
  readonly decoder: { emitFrames(bytes: Uint8Array): Iterable<unknown> };
  handleFrame(frame: unknown): void;
}

export class FrameFeed {
  readonly #muxer: FedMuxer;
  readonly #head = new Uint8Array(HEADER_BYTES);
  readonly #view = new DataView(this.#head.buffer);
  #headCount = 0;
  /** Of the frame that is arriving: bytes to come, and whom they are for; null: libp2p's decoder. */
  #left = 0;
  #stream: FedStream | null = null;
  /** Whether somebody keeps some of the bytes that are being pushed. */
  #isKept = false;

  constructor(muxer: FedMuxer) {
    this.#muxer = muxer;
  }

  /**
   * The connection's next bytes; true when nothing refers to them any more.
   *
   * @throws what libp2p throws of wrong frames; the connection is then to be aborted
   */
  push(bytes: Uint8Array): boolean {
    this.#isKept = false;
    for (let at = 0; at < bytes.length; ) {
      if (this.#left === 0) {
        at = this.#takeHead(bytes, at);
        continue;
      }
      const end = Math.min(bytes.length, at + this.#left);
      this.#left -= end - at;
      this.#body(at === 0 && end === bytes.length ? bytes : bytes.subarray(at, end));
      at = end;
    }
    return !this.#isKept;
  }

  #takeHead(bytes: Uint8Array, at: number): number {
    const end = Math.min(bytes.length, at + HEADER_BYTES - this.#headCount);
    for (let i = at; i < end; i++) this.#head[this.#headCount++] = bytes[i] as number;
    if (this.#headCount === HEADER_BYTES) {
      this.#headCount = 0;
      this.#begin();
    }
    return end;
  }

  #begin(): void {
    const [version, type] = this.#head;
    const flags = this.#view.getUint16(2);
    const streamId = this.#view.getUint32(4);
    const length = this.#view.getUint32(8);
    const stream = this.#muxer.streams.find((each) => each.streamId === streamId);
    const isPlain = version === 0 && type === TYPE_DATA && (flags & ~FLAG_ACK) === 0 && length > 0;
    if (!isPlain || stream === undefined) return this.#toDecoder(length);
    if (stream.recvWindowCapacity < length) throw new Error(`a frame of ${length} bytes is beyond its stream's window`);
    stream.processFlags(flags);
    stream.recvWindowCapacity -= length;
    this.#stream = stream;
    this.#left = length;
  }

  #toDecoder(length: number): void {
    this.#stream = null;
    this.#left = this.#head[1] === TYPE_DATA ? length : 0;
    this.#decode(this.#head.slice());
  }

  #decode(bytes: Uint8Array): void {
    for (const frame of this.#muxer.decoder.emitFrames(bytes)) this.#muxer.handleFrame(frame);
  }

  #body(bytes: Uint8Array): void {
    const stream = this.#stream;
    if (stream === null) {
      this.#isKept = true;
      return this.#decode(bytes);
    }
    const { takeBytes } = stream;
    const isDirect = takeBytes !== undefined && stream.readStatus === "readable" && stream.readBufferLength === 0;
    if (!isDirect) stream.onData(bytes);
    if (!isDirect || !takeBytes(bytes)) this.#isKept = true;
    if (this.#left > 0) return;
    this.#stream = null;
    if (stream.status === "open") stream.dataHandled();
  }
}
