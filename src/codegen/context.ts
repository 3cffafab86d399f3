import { invariant } from "../kernel/mod.ts";

/**
 * The context block: how the host hands addresses and counters to a generated function. It is one small block of
 * 32-bit words in the arena, one for each worker and pipeline; `ctx` is its address. The first words are fixed, the
 * rest is assigned by name while code is generated; the host finds a word again by the same name.
 */
export const Header = {
  /** Next free byte for strings that live until the row is done. */
  scratchTop: 0,
  scratchBase: 4,
  scratchEnd: 8,
  /** int64: position of the batch's row 0 in the input, for order-sensitive operators. */
  rowBase: 16,
  /** The host sets it to 1 when a batch is full: then the run ends with the current row (or block of rows). */
  isFull: 24,
  /** First row that the run did not get to. */
  nextRow: 28,
  /** Address of a word that is not 0 when the job was cancelled: then code that has long to go traps. */
  cancelFlag: 32,
  bytes: 64,
} as const;

/** Bytes; ample for thousands of columns. */
const CONTEXT_BYTES_MAX = 1 << 20;

export class ContextLayout {
  readonly #offsets = new Map<string, number>();
  #bytes: number = Header.bytes;

  /** Byte offset of the word called `name`, assigned on first use. */
  word(name: string): number {
    return this.#assign(name, 4);
  }

  /** Byte offset of an 8-byte aligned int64 or float64 called `name`. */
  wide(name: string): number {
    if (this.#bytes % 8 !== 0 && !this.#offsets.has(name)) this.#bytes += 4;
    return this.#assign(name, 8);
  }

  /** Byte offset of `bytes` bytes called `name`, 8-byte aligned: a small array that code keeps for itself. */
  region(name: string, bytes: number): number {
    if (this.#bytes % 8 !== 0 && !this.#offsets.has(name)) this.#bytes += 4;
    return this.#assign(name, bytes);
  }

  /** Offset of a word if code that uses it has been generated. */
  find(name: string): number | undefined {
    return this.#offsets.get(name);
  }

  /** Size of the whole block. */
  get bytes(): number {
    return this.#bytes;
  }

  #assign(name: string, bytes: number): number {
    const known = this.#offsets.get(name);
    if (known !== undefined) return known;
    const offset = this.#bytes;
    this.#bytes += bytes;
    invariant(this.#bytes <= CONTEXT_BYTES_MAX, "context block too large");
    this.#offsets.set(name, offset);
    return offset;
  }
}
