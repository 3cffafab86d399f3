import type { Address, Arena, OwnerId } from "../arrow/mod.ts";
import { Header } from "./context.ts";
import type { TextResult } from "./host_format.ts";

const SCRATCH_BYTES_MIN = 1 << 16;

const encoder = new TextEncoder();

/**
 * Memory for strings of the row being computed. The row loop empties it after each row; a region that is too small is
 * replaced by one of twice the size, and the old one lives on until `release`, because the row may still point into it.
 */
export class Scratch {
  readonly #arena: Arena;
  readonly #owner: OwnerId;
  readonly #blocks: Address[] = [];
  #bytes = 0;

  constructor(arena: Arena, owner: OwnerId) {
    this.#arena = arena;
    this.#owner = owner;
  }

  /** Gives the context block at `ctx` its region. */
  attach(ctx: Address): void {
    this.#replace(ctx, SCRATCH_BYTES_MIN);
  }

  /** Address of `bytes` bytes in a new, larger region. */
  grow(ctx: Address, bytes: number): Address {
    this.#replace(ctx, Math.max(this.#bytes * 2, bytes + SCRATCH_BYTES_MIN));
    return this.allocate(ctx, bytes);
  }

  allocate(ctx: Address, bytes: number): Address {
    const words = this.#arena.u32;
    const top = words[(ctx + Header.scratchTop) >>> 2] as number;
    const end = top + Math.ceil(bytes / 8) * 8;
    if (end > (words[(ctx + Header.scratchEnd) >>> 2] as number)) return this.grow(ctx, bytes);
    words[(ctx + Header.scratchTop) >>> 2] = end;
    return top;
  }

  /** Text as UTF-8 in scratch: address in the high, bytes in the low half. */
  write(ctx: Address, text: TextResult): bigint {
    const bytes = encoder.encode(text);
    const address = this.allocate(ctx >>> 0, bytes.length);
    this.#arena.u8.set(bytes, address);
    return (BigInt(address) << 32n) | BigInt(bytes.length);
  }

  release(): void {
    for (const block of this.#blocks.splice(0)) this.#arena.release(block);
    this.#bytes = 0;
  }

  #replace(ctx: Address, bytes: number): void {
    const address = this.#arena.allocate(bytes, this.#owner);
    this.#blocks.push(address);
    this.#bytes = bytes;
    const words = this.#arena.u32;
    words[(ctx + Header.scratchTop) >>> 2] = address;
    words[(ctx + Header.scratchBase) >>> 2] = address;
    words[(ctx + Header.scratchEnd) >>> 2] = address + bytes;
  }
}
