/**
 * Values as msgpack: null, booleans, numbers, bigints of 64 bits, text, bytes, lists, and objects. Nothing else crosses.
 *
 * Numbers stay numbers and bigints stay bigints: whole numbers beyond 32 bits travel as float64, bigints as int64.
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

/** Written to again and again; kept small so that one large message does not stay in memory. */
const SCRATCH_BYTES = 1 << 16;

/** Where runtimes have `Buffer`, msgpackr calls this method of its buffers, also of those that it was given. */
class Scratch extends Uint8Array {
  static readonly #encoder = new TextEncoder();

  static override get [Symbol.species](): Uint8ArrayConstructor {
    return Uint8Array;
  }

  utf8Write(text: string, at: number): number {
    return Scratch.#encoder.encodeInto(text, this.subarray(at)).written;
  }
}
packr.useBuffer(new Scratch(SCRATCH_BYTES));

/** Where the packer left its bytes; valid until the next packing. */
type Packed = Uint8Array & { readonly start: number; readonly end: number };

/** A place to write encoded bytes to. */
export interface ValueSink {
  /** Copies `bytes[start, end)`. */
  write(bytes: Uint8Array, start: number, end: number): void;
}

/** Encodes without making anything that outlives the call. */
export function encodeValueTo(value: unknown, sink: ValueSink): void {
  // The declared type lacks the two marks that this mode sets.
  const packed = packr.pack(value, REUSE_BUFFER_MODE | RESET_BUFFER_MODE) as unknown as Packed;
  sink.write(packed, packed.start, packed.end);
  if (packed.length > SCRATCH_BYTES) packr.useBuffer(new Scratch(SCRATCH_BYTES));
}

class Copy implements ValueSink {
  bytes = new Uint8Array(0);
  write(bytes: Uint8Array, start: number, end: number): void {
    this.bytes = Uint8Array.prototype.slice.call(bytes, start, end);
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
    const value: unknown = packr.unpack(bytes, { start, end });
    return value;
  } catch (cause) {
    throw new ProtocolError("malformed", "Cannot decode a message: it is not valid msgpack.", { cause });
  }
}
