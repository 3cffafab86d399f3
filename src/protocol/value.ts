/**
 * Values as msgpack: null, booleans, numbers, bigints of 64 bits, text, bytes, lists, and objects. Nothing else crosses.
 *
 * Numbers stay numbers and bigints stay bigints: whole numbers beyond 32 bits travel as float64, bigints as int64. Only
 * -0 becomes 0.
 */
import { Packr, RESET_BUFFER_MODE, REUSE_BUFFER_MODE } from "msgpackr/pack";
import { ProtocolError } from "./error.ts";
import { checkValue } from "./value_check.ts";

const packr = new Packr({
  useRecords: false,
  mapsAsObjects: true,
  variableMapSize: true,
  encodeUndefinedAsNil: true,
  // Decoded bytes are the reader's own: what they came in is reused by the transport.
  copyBuffers: true,
});

/** Where the packer left its bytes; valid until the next packing. */
type Packed = Uint8Array & { readonly start: number; readonly end: number };

/** Bytes that a grown scratch may keep, so that one large message does not stay in memory. */
const SCRATCH_BYTES_KEPT = 1 << 16;

function pack(value: unknown): Packed {
  // The declared type lacks the two marks that this mode sets.
  return packr.pack(value, REUSE_BUFFER_MODE | RESET_BUFFER_MODE) as unknown as Packed;
}

/** Written to again and again. The packer makes it itself: it must be of the kind that it calls methods of. */
const scratch = pack(null);

/** A place to write encoded bytes to. */
export interface ValueSink {
  /** Copies `bytes[start, end)`. */
  write(bytes: Uint8Array, start: number, end: number): void;
}

/** Encodes without making anything that outlives the call. */
export function encodeValueTo(value: unknown, sink: ValueSink): void {
  const packed = pack(value);
  try {
    sink.write(packed, packed.start, packed.end);
  } finally {
    // The declared type wants a Buffer, where there may be none.
    if (packed.length > SCRATCH_BYTES_KEPT) packr.useBuffer(scratch as Parameters<typeof packr.useBuffer>[0]);
  }
}

/** The same bytes as a `Uint8Array` proper: what a `Buffer` is cut into are `Buffer`s, which behave differently. */
export function plain(bytes: Uint8Array): Uint8Array {
  if (bytes.constructor === Uint8Array) return bytes;
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

class Copy implements ValueSink {
  bytes = new Uint8Array(0);
  write(bytes: Uint8Array, start: number, end: number): void {
    this.bytes = plain(bytes).slice(start, end);
  }
}
const copy = new Copy();

/** The value as bytes of its own. */
export function encodeValue(value: unknown): Uint8Array {
  encodeValueTo(value, copy);
  return copy.bytes;
}

/**
 * The value in `bytes[start, end)`; nothing of it refers to `bytes`.
 *
 * @throws {ProtocolError} malformed, too-large
 */
export function decodeValue(bytes: Uint8Array, start = 0, end = bytes.length): unknown {
  checkValue(bytes, start, end);
  try {
    // A view of its own: the decoder leaves a mark on what it is given, and `bytes` may be kept, or be a Buffer.
    const value: unknown = packr.unpack(new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start));
    return value;
  } catch (cause) {
    throw new ProtocolError("malformed", "Cannot decode a message: it is not valid msgpack.", { cause });
  }
}
