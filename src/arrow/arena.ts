import { invariant } from "../kernel/mod.ts";
import { MemoryLimitError } from "./error.ts";
import { Heap } from "./heap.ts";

/** Byte offset in the arena, 0 … 2^32 − 1; 0 means "none". */
export type Address = number;

/** Who an allocation is counted for: an operator's id in the running job, 0 for the engine itself. */
export type OwnerId = number;

/** Owners that one arena counts for. */
export const OWNER_COUNT_MAX = 1024;

/** In WebAssembly pages of 64 KiB: 4 GiB and 64 MiB. */
const ARENA_PAGES_MAX = 65_536;
const ARENA_PAGES_MIN = 1_024;

/** Address space for an arena: reserved, not committed. Half of it each time the system refuses. */
function reserve(): WebAssembly.Memory {
  for (let pages = ARENA_PAGES_MAX; ; pages >>= 1) {
    try {
      return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
    } catch (cause) {
      if (pages <= ARENA_PAGES_MIN) throw cause;
    }
  }
}

/**
 * The executor's one shared memory: every column of every batch is in it, all threads see the same bytes.
 *
 * Blocks are reference-counted, aligned to 64 bytes and followed by at least 64 bytes that belong to the block, so that
 * SIMD code may run past the end. All state is inside the memory: a worker attaches to the `WebAssembly.Memory` it was
 * posted and shares the allocator. Every method may be called from any thread.
 *
 * ```ts
 * const arena = Arena.create({ limitBytes: 2 ** 30 });
 * const address = arena.allocate(800, 0);
 * arena.f64[address >>> 3] = 1.5;
 * arena.release(address);
 * ```
 */
export class Arena {
  readonly memory: WebAssembly.Memory;
  readonly buffer: SharedArrayBuffer;
  readonly i8: Int8Array<SharedArrayBuffer>;
  readonly u8: Uint8Array<SharedArrayBuffer>;
  readonly i16: Int16Array<SharedArrayBuffer>;
  readonly u16: Uint16Array<SharedArrayBuffer>;
  readonly i32: Int32Array<SharedArrayBuffer>;
  readonly u32: Uint32Array<SharedArrayBuffer>;
  readonly f32: Float32Array<SharedArrayBuffer>;
  readonly f64: Float64Array<SharedArrayBuffer>;
  readonly i64: BigInt64Array<SharedArrayBuffer>;
  readonly u64: BigUint64Array<SharedArrayBuffer>;
  readonly view: DataView<SharedArrayBuffer>;
  readonly #heap: Heap;

  private constructor(memory: WebAssembly.Memory, limitBytes: number | null) {
    const buffer = memory.buffer as unknown as SharedArrayBuffer; // the DOM types say ArrayBuffer; it is made shared
    this.memory = memory;
    this.buffer = buffer;
    this.i8 = new Int8Array(buffer);
    this.u8 = new Uint8Array(buffer);
    this.i16 = new Int16Array(buffer);
    this.u16 = new Uint16Array(buffer);
    this.i32 = new Int32Array(buffer);
    this.u32 = new Uint32Array(buffer);
    this.f32 = new Float32Array(buffer);
    this.f64 = new Float64Array(buffer);
    this.i64 = new BigInt64Array(buffer);
    this.u64 = new BigUint64Array(buffer);
    this.view = new DataView(buffer);
    this.#heap = limitBytes === null ? Heap.attach(this.i32) : Heap.create(this.i32, limitBytes);
  }

  /** `limitBytes`: what all blocks together may take, block headers included. */
  static create(options: { readonly limitBytes: number }): Arena {
    invariant(options.limitBytes > 0, `arena limit ${options.limitBytes} is not above 0`);
    return new Arena(reserve(), options.limitBytes);
  }

  /** In another thread: shares the arena that lives in `memory`. */
  static attach(memory: WebAssembly.Memory): Arena {
    return new Arena(memory, null);
  }

  /**
   * A block of at least `bytes` (0 is allowed) with one reference, contents undefined. Throws `MemoryLimitError` when
   * the limit or the address space is used up.
   */
  allocate(bytes: number, owner: OwnerId): Address {
    invariant(bytes >= 0, "allocation of less than 0 bytes");
    invariant(owner >= 0 && owner < OWNER_COUNT_MAX, "owner id out of range");
    const address = this.#heap.allocate(bytes, owner);
    if (address !== 0) return address;
    const { limitBytes } = this;
    const holder = this.#largestOwner();
    throw new MemoryLimitError({ owner, needBytes: bytes, limitBytes, inUseBytes: this.bytesInUse(), holder });
  }

  /** As `allocate`, filled with zeros (the slack too). Memory that was never used before is not written again. */
  allocateZeroed(bytes: number, owner: OwnerId): Address {
    const address = this.allocate(bytes, owner);
    const end = address + this.#heap.blockBytes(address);
    const zeroFrom = this.#heap.zeroFromAddress(address);
    this.u8.fill(0, address, Math.max(address, Math.min(end, zeroFrom)));
    return address;
  }

  /** One more reference to the block. */
  retain(address: Address): void {
    this.#heap.retain(address);
  }

  /** Gives a reference back; the last one frees the block. */
  release(address: Address): void {
    this.#heap.release(address);
  }

  /** Gives back the end of a block of which only the first `bytes` are needed. */
  shrink(address: Address, bytes: number): void {
    this.#heap.shrink(address, bytes);
  }

  /** Bytes that may be read and written from `address` on: what was asked for, rounded up, and the slack. */
  blockBytes(address: Address): number {
    return this.#heap.blockBytes(address);
  }

  /** Bytes in blocks now, headers and rounding included: of one owner, or of all. */
  bytesInUse(owner?: OwnerId): number {
    return owner === undefined ? this.#heap.inUseBytes() : this.#heap.ownerBytes(owner);
  }

  /** Highest `bytesInUse()` so far. */
  peakBytes(): number {
    return this.#heap.peakBytes();
  }

  /** Addresses below this were handed out at some time: an upper bound of what the arena adds to resident memory. */
  touchedBytes(): number {
    return this.#heap.untouchedAddress();
  }

  /** Changes the limit for all threads, at once. Below what is in use: nothing more is given until enough was freed. */
  limit(limitBytes: number): void {
    invariant(limitBytes > 0, `arena limit ${limitBytes} is not above 0`);
    this.#heap.limit(limitBytes);
  }

  get limitBytes(): number {
    return this.#heap.limitBytes();
  }

  #largestOwner(): OwnerId {
    let largest = 0;
    for (let owner = 1; owner < OWNER_COUNT_MAX; owner++) {
      if (this.bytesInUse(owner) > this.bytesInUse(largest)) largest = owner;
    }
    return largest;
  }
}
