import type { Address, Arena, OwnerId } from "./arena.ts";

/** A buffer in the arena that grows: doubles, moves, keeps its contents. Has no block until the first `reserve`. */
export class Growing {
  readonly arena: Arena;
  readonly owner: OwnerId;
  address: Address = 0;
  /** Bytes that may be written. */
  bytes = 0;

  constructor(arena: Arena, owner: OwnerId) {
    this.arena = arena;
    this.owner = owner;
  }

  /** Room for `bytes` in all, of which the first `used` are kept. */
  reserve(bytes: number, used: number): void {
    if (bytes <= this.bytes) return;
    const next = this.arena.allocate(Math.max(bytes, 2 * used), this.owner);
    if (this.address !== 0) {
      this.arena.u8.copyWithin(next, this.address, this.address + used);
      this.arena.release(this.address);
    }
    this.address = next;
    this.bytes = this.arena.blockBytes(next) - 64; // the slack stays slack
  }

  /** The block, cut to `bytes`, now the caller's. */
  take(bytes: number): Address {
    if (this.address === 0) this.reserve(Math.max(bytes, 1), 0);
    else this.arena.shrink(this.address, bytes);
    const { address } = this;
    this.address = 0;
    this.bytes = 0;
    return address;
  }

  free(): void {
    if (this.address !== 0) this.arena.release(this.address);
    this.address = 0;
    this.bytes = 0;
  }
}
