/**
 * Messages of a partition as protocol frames. A message is cut into pieces, one `data` frame each:
 *
 *     u32 sequence · u32 offset of the piece · [u32 bytes · u32 crc32 · f64 epoch, with offset 0] · bytes
 *
 * The reader keeps no frame: bytes of a message go to where they are wanted as they arrive.
 */
import { invariant } from "../../kernel/mod.ts";
import { decodeValue, FRAME_HEADER_BYTES } from "../../protocol/mod.ts";
import { ShuffleError } from "../error.ts";
import type { Payload } from "../stream_encoder.ts";
import { type Control, parseControl } from "./control.ts";

/** Bytes of a message in one frame. */
const PIECE_BYTES_MAX = 1 << 20;
/** What is not longer is sent together with the head before it: each sending is a frame of the connection. */
const JOINED_BYTES_MAX = 8 << 10;
const PIECE_HEAD_BYTES = 8;
const MESSAGE_HEAD_BYTES = 24;
const CONTROL_BYTES_MAX = 1 << 15;
/** One Arrow message. */
export const MESSAGE_BYTES_MAX = 1 << 30;

const KIND_MESSAGE = 2;
const KIND_DATA = 3;

export interface MessageHead {
  readonly sequence: number;
  readonly epoch: number;
  readonly bytes: number;
  readonly crc32: number;
}

function pieceHead(size: number, of: MessageHead, offset: number): Uint8Array {
  const headBytes = offset === 0 ? MESSAGE_HEAD_BYTES : PIECE_HEAD_BYTES;
  const head = new Uint8Array(FRAME_HEADER_BYTES + headBytes);
  const view = new DataView(head.buffer);
  view.setUint32(0, headBytes + size, true);
  head[4] = KIND_DATA;
  view.setUint32(6, of.sequence, true);
  view.setUint32(10, offset, true);
  if (offset === 0) {
    view.setUint32(14, of.bytes, true);
    view.setUint32(18, of.crc32, true);
    view.setFloat64(22, of.epoch, true);
  }
  return head;
}

function joined(head: Uint8Array, bytes: Uint8Array): Uint8Array {
  const both = new Uint8Array(head.length + bytes.length);
  both.set(head);
  both.set(bytes, head.length);
  return both;
}

/** Hands the message's frames to `send`, in pieces that may be sent as they are. */
export function sendMessage(of: MessageHead, payload: Payload, send: (bytes: Uint8Array) => void): void {
  let offset = 0;
  let left = 0;
  for (const chunk of payload.chunks) {
    for (let at = 0; at < chunk.length; ) {
      let head: Uint8Array | null = null;
      if (left === 0) {
        left = Math.min(PIECE_BYTES_MAX, payload.bytes - offset);
        head = pieceHead(left, of, offset);
      }
      const take = Math.min(left, chunk.length - at);
      const bytes = at === 0 && take === chunk.length ? chunk : chunk.subarray(at, at + take);
      if (head !== null && take <= JOINED_BYTES_MAX) send(joined(head, bytes));
      else {
        if (head !== null) send(head);
        send(bytes);
      }
      at += take;
      left -= take;
      offset += take;
    }
  }
  invariant(left === 0 && offset === payload.bytes, "a message's chunks are as long as it says");
}

export interface MessageHandlers {
  control(message: Control): void;
  /** A message begins. */
  begin(head: MessageHead): void;
  /** Its next bytes; valid until this call returns. */
  piece(bytes: Uint8Array): void;
  /** All its bytes were given. */
  complete(): void;
}

/** Reads frames however they arrive. After an error it takes no more. */
export class MessageReader {
  readonly #handlers: MessageHandlers;
  readonly #head = new Uint8Array(FRAME_HEADER_BYTES + MESSAGE_HEAD_BYTES);
  readonly #view = new DataView(this.#head.buffer);
  #headCount = 0;
  #headBytes = FRAME_HEADER_BYTES;
  #control: Uint8Array | null = null;
  #controlCount = 0;
  /** Of the piece that is arriving. */
  #pieceLeft = 0;
  #message: { readonly sequence: number; readonly bytes: number; received: number } | null = null;
  #isBroken = false;

  constructor(handlers: MessageHandlers) {
    this.#handlers = handlers;
  }

  /** True between frames and messages: the stream may end here. */
  get isBetween(): boolean {
    return this.#headCount === 0 && this.#control === null && this.#message === null;
  }

  /**
   * Errors of the handlers pass through and end the reading too.
   *
   * @throws {ShuffleError} protocol
   * @throws {ProtocolError} malformed, schema
   */
  push(bytes: Uint8Array): void {
    if (this.#isBroken) return;
    let at = 0;
    try {
      while (at < bytes.length) at = this.#step(bytes, at);
    } catch (error) {
      this.#isBroken = true;
      throw error;
    }
  }

  #step(bytes: Uint8Array, at: number): number {
    if (this.#pieceLeft > 0) return this.#takePiece(bytes, at);
    if (this.#control !== null) return this.#takeControl(bytes, at, this.#control);
    const end = Math.min(bytes.length, at + this.#headBytes - this.#headCount);
    for (let i = at; i < end; i++) this.#head[this.#headCount++] = bytes[i] as number;
    if (this.#headCount === this.#headBytes) this.#headRead();
    return end;
  }

  #headRead(): void {
    const bodyBytes = this.#view.getUint32(0, true);
    const kind = this.#head[4];
    if (kind === KIND_MESSAGE) return this.#openControl(bodyBytes);
    if (kind !== KIND_DATA) throw broken(`a frame of kind ${kind}`);
    if (bodyBytes <= PIECE_HEAD_BYTES || bodyBytes > PIECE_BYTES_MAX + MESSAGE_HEAD_BYTES) {
      throw broken(`a data frame of ${bodyBytes} bytes`);
    }
    if (this.#headCount === FRAME_HEADER_BYTES) {
      this.#headBytes += PIECE_HEAD_BYTES;
      return;
    }
    const isFirst = this.#view.getUint32(10, true) === 0;
    if (isFirst && this.#headBytes === FRAME_HEADER_BYTES + PIECE_HEAD_BYTES) {
      if (bodyBytes <= MESSAGE_HEAD_BYTES) throw broken("a message without bytes");
      this.#headBytes = FRAME_HEADER_BYTES + MESSAGE_HEAD_BYTES;
      return;
    }
    this.#openPiece(bodyBytes - (this.#headBytes - FRAME_HEADER_BYTES), isFirst);
    this.#resetHead();
  }

  #resetHead(): void {
    this.#headCount = 0;
    this.#headBytes = FRAME_HEADER_BYTES;
  }

  #openControl(bodyBytes: number): void {
    if (bodyBytes === 0 || bodyBytes > CONTROL_BYTES_MAX) throw broken(`a control message of ${bodyBytes} bytes`);
    this.#control = new Uint8Array(bodyBytes);
    this.#controlCount = 0;
    this.#resetHead();
  }

  #takeControl(bytes: Uint8Array, at: number, into: Uint8Array): number {
    const end = Math.min(bytes.length, at + into.length - this.#controlCount);
    into.set(bytes.subarray(at, end), this.#controlCount);
    this.#controlCount += end - at;
    if (this.#controlCount === into.length) {
      this.#control = null;
      this.#handlers.control(parseControl(decodeValue(into)));
    }
    return end;
  }

  #openPiece(size: number, isFirst: boolean): void {
    const sequence = this.#view.getUint32(6, true);
    const offset = this.#view.getUint32(10, true);
    if (isFirst) {
      if (this.#message !== null) throw broken(`message ${sequence} before message ${this.#message.sequence} is whole`);
      const bytes = this.#view.getUint32(14, true);
      if (bytes > MESSAGE_BYTES_MAX) throw broken(`a message of ${bytes} bytes (at most ${MESSAGE_BYTES_MAX})`);
      this.#message = { sequence, bytes, received: 0 };
      const epoch = this.#view.getFloat64(22, true);
      if (!Number.isSafeInteger(epoch) || epoch < 0) throw broken(`epoch ${epoch}`);
      this.#handlers.begin({ sequence, bytes, crc32: this.#view.getUint32(18, true), epoch });
    }
    const message = this.#message;
    if (message?.sequence !== sequence || message.received !== offset) {
      throw broken(`a piece of message ${sequence} at ${offset} that does not follow`);
    }
    if (offset + size > message.bytes)
      throw broken(`message ${sequence} longer than the ${message.bytes} bytes it said`);
    this.#pieceLeft = size;
  }

  #takePiece(bytes: Uint8Array, at: number): number {
    const end = Math.min(bytes.length, at + this.#pieceLeft);
    const message = this.#message;
    invariant(message !== null, "a piece belongs to a message");
    this.#handlers.piece(at === 0 && end === bytes.length ? bytes : bytes.subarray(at, end));
    this.#pieceLeft -= end - at;
    message.received += end - at;
    if (message.received === message.bytes) {
      this.#message = null;
      this.#handlers.complete();
    }
    return end;
  }
}

function broken(what: string): ShuffleError {
  return new ShuffleError("protocol", `Cannot read an exchange: the other side sent ${what}.`);
}
