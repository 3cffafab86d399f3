import type { Address, Arena, OwnerId } from "../../arrow/mod.ts";

/** Kernels may read and write so far past what they are given. */
const SLACK_BYTES = 64;

/** A block of the arena that is used again and again. */
export class Scratch {
  private block: Address = 0;
  private readonly arena: Arena;
  private readonly owner: OwnerId;

  constructor(arena: Arena, owner: OwnerId) {
    this.arena = arena;
    this.owner = owner;
  }

  /** At least `bytes`, with slack after them; what was there is lost. */
  take(bytes: number): Address {
    if (this.block !== 0 && this.arena.blockBytes(this.block) >= bytes + SLACK_BYTES) return this.block;
    this.close();
    this.block = this.arena.allocate(bytes + SLACK_BYTES, this.owner);
    return this.block;
  }

  view(bytes: number): Uint8Array {
    return new Uint8Array(this.arena.buffer, this.block, bytes);
  }

  close(): void {
    if (this.block !== 0) this.arena.release(this.block);
    this.block = 0;
  }
}
