/**
 * Frames: how messages lie in a stream of bytes.
 *
 *     u32 length of the body (little endian) · u8 kind · u8 flags · body
 *
 * A reader trusts nothing: a length above its kind's limit is refused as soon as the header is there, and of a frame
 * that is still arriving at most twice what arrived is held, and never more than the frame.
 */
import { unreachable } from "../kernel/mod.ts";
import { ProtocolError } from "./error.ts";
import { plain } from "./value.ts";

export const FRAME_HEADER_BYTES = 6;

/** `hello`: version range. `message`: a msgpack value. `data`: u32 stream id and raw bytes, for Arrow and blobs. */
export type FrameKind = "hello" | "message" | "data";

export const FRAME_KINDS: readonly FrameKind[] = ["hello", "message", "data"];

/** Longest body. */
export const FRAME_BYTES_MAX: Readonly<Record<FrameKind, number>> = {
  hello: 1 << 12,
  message: 1 << 23,
  data: 1 << 24,
};

/** A received frame: its body is `bytes[start, end)`. Reused and overwritten: valid until the receiving call returns. */
export interface Frame {
  readonly kind: FrameKind;
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
}

export function frameCode(kind: FrameKind): number {
  switch (kind) {
    case "hello":
      return 1;
    case "message":
      return 2;
    case "data":
      return 3;
    default:
      return unreachable(kind);
  }
}

/** @throws {ProtocolError} too-large */
export function checkFrameSize(kind: FrameKind, bodyBytes: number, limit: number = FRAME_BYTES_MAX[kind]): void {
  if (bodyBytes <= limit) return;
  throw new ProtocolError(
    "too-large",
    `Frame of ${bodyBytes} bytes refused: a ${kind} frame holds at most ${limit} here. Send it in parts.`,
  );
}

/** Writes the six bytes before a body. */
export function writeFrameHeader(target: Uint8Array, at: number, frame: { kind: FrameKind; bodyBytes: number }): void {
  const { bodyBytes } = frame;
  target[at] = bodyBytes & 0xff;
  target[at + 1] = (bodyBytes >>> 8) & 0xff;
  target[at + 2] = (bodyBytes >>> 16) & 0xff;
  target[at + 3] = bodyBytes >>> 24;
  target[at + 4] = frameCode(frame.kind);
  target[at + 5] = 0;
}

/** @throws {ProtocolError} too-large */
export function encodeFrame(kind: FrameKind, body: Uint8Array): Uint8Array {
  checkFrameSize(kind, body.length);
  const frame = new Uint8Array(FRAME_HEADER_BYTES + body.length);
  writeFrameHeader(frame, 0, { kind, bodyBytes: body.length });
  frame.set(body, FRAME_HEADER_BYTES);
  return frame;
}

const HELD_BYTES_MIN = 64;
/** A buffer above this is dropped once its frame is done. */
const HELD_BYTES_KEPT = 1 << 14;

/** Cuts a stream of bytes into frames, however it arrives. After an error it takes no more. */
export class FrameReader {
  private readonly receive: (frame: Frame) => void;
  private readonly frame: { -readonly [Key in keyof Frame]: Frame[Key] };
  private held = new Uint8Array(0);
  private heldCount = 0;
  private failure: ProtocolError | null = null;
  private readonly bodyBytesMax: number;

  /** `bodyBytesMax` lowers the limit of every kind, for peers that are not trusted yet. */
  constructor(receive: (frame: Frame) => void, options: { readonly bodyBytesMax?: number } = {}) {
    this.receive = receive;
    this.bodyBytesMax = options.bodyBytesMax ?? Number.POSITIVE_INFINITY;
    this.frame = { kind: "message", bytes: this.held, start: 0, end: 0 };
  }

  /** Bytes reserved for a frame that is still arriving. */
  get heldBytes(): number {
    return this.held.length;
  }

  /** True between frames: the stream may end here. */
  get isBetweenFrames(): boolean {
    return this.heldCount === 0;
  }

  /**
   * Takes bytes and hands over each frame that they complete. An error of the receiver passes through.
   *
   * @throws {ProtocolError} too-large, malformed: the stream cannot be read any further
   */
  push(given: Uint8Array): void {
    if (this.failure !== null) throw this.failure;
    const bytes = plain(given);
    try {
      let at = this.heldCount === 0 ? 0 : this.complete(bytes);
      while (at >= 0 && at < bytes.length) at = this.next(bytes, at);
    } catch (error) {
      if (error instanceof ProtocolError) this.failure = error;
      throw error;
    }
  }

  /** Hands over the frame at `at` and gives where the next begins; holds back an incomplete one and gives -1. */
  private next(bytes: Uint8Array, at: number): number {
    const available = bytes.length - at;
    if (available >= FRAME_HEADER_BYTES) {
      const size = this.frameBytes(bytes, at);
      if (available >= size) {
        this.deliver(bytes, at, at + size);
        return at + size;
      }
    }
    this.hold(bytes, at, bytes.length);
    return -1;
  }

  /** Adds to the held frame what belongs to it; gives how many bytes that took, or -1 when it still lacks some. */
  private complete(bytes: Uint8Array): number {
    let at = 0;
    if (this.heldCount < FRAME_HEADER_BYTES) {
      at = Math.min(bytes.length, FRAME_HEADER_BYTES - this.heldCount);
      this.hold(bytes, 0, at);
      if (this.heldCount < FRAME_HEADER_BYTES) return -1;
    }
    const size = this.frameBytes(this.held, 0);
    const end = Math.min(bytes.length, at + size - this.heldCount);
    this.hold(bytes, at, end);
    if (this.heldCount < size) return -1;
    const held = this.held;
    this.heldCount = 0;
    if (held.length > HELD_BYTES_KEPT) this.held = new Uint8Array(0);
    this.deliver(held, 0, size);
    return end;
  }

  private hold(bytes: Uint8Array, start: number, end: number): void {
    const count = this.heldCount + end - start;
    if (count > this.held.length) {
      let capacity = Math.max(HELD_BYTES_MIN, 2 * this.held.length, count);
      if (this.heldCount >= FRAME_HEADER_BYTES) {
        capacity = Math.max(count, Math.min(capacity, this.frameBytes(this.held, 0)));
      }
      const grown = new Uint8Array(capacity);
      grown.set(this.held.subarray(0, this.heldCount));
      this.held = grown;
    }
    this.held.set(bytes.subarray(start, end), this.heldCount);
    this.heldCount = count;
  }

  /** Size of the frame at `at` with its header, checked against the limit. */
  private frameBytes(bytes: Uint8Array, at: number): number {
    const code = bytes[at + 4] as number;
    const kind = FRAME_KINDS[code - 1];
    if (kind === undefined) {
      throw new ProtocolError(
        "malformed",
        `Frame refused: kind ${code} is unknown. The other side may not speak SAGE.`,
      );
    }
    if (bytes[at + 5] !== 0) {
      throw new ProtocolError("malformed", `Frame refused: flags ${bytes[at + 5]} are unknown, 0 is expected.`);
    }
    const body =
      (bytes[at] as number) +
      (bytes[at + 1] as number) * 0x100 +
      (bytes[at + 2] as number) * 0x1_0000 +
      (bytes[at + 3] as number) * 0x100_0000;
    checkFrameSize(kind, body, Math.min(FRAME_BYTES_MAX[kind], this.bodyBytesMax));
    return FRAME_HEADER_BYTES + body;
  }

  private deliver(bytes: Uint8Array, start: number, end: number): void {
    const frame = this.frame;
    frame.kind = FRAME_KINDS[(bytes[start + 4] as number) - 1] as FrameKind;
    frame.bytes = bytes;
    frame.start = start + FRAME_HEADER_BYTES;
    frame.end = end;
    this.receive(frame);
  }
}
