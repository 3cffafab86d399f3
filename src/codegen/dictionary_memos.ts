import type { Address, Arena, OwnerId } from "../arrow/mod.ts";
import type { DictionaryMemo, ProgramResources } from "./program.ts";

interface Block {
  address: Address;
  bytes: number;
}

/** The host's side of remembered dictionary results: one zeroed block for each memo of a module. */
export class DictionaryMemos {
  readonly #arena: Arena;
  readonly #owner: OwnerId;
  readonly #memos: readonly DictionaryMemo[];
  readonly #blocks: Block[];

  constructor(deps: { readonly arena: Arena; readonly owner: OwnerId; readonly resources: ProgramResources }) {
    this.#arena = deps.arena;
    this.#owner = deps.owner;
    this.#memos = deps.resources.memos;
    this.#blocks = this.#memos.map(() => ({ address: 0, bytes: 0 }));
  }

  /** Forgets everything and makes room for the dictionaries of the columns that are bound now. */
  bind(
    ctx: Address,
    find: (word: string) => number | undefined,
    dictionaryLength: (inputColumn: number) => number | null,
  ): void {
    this.#memos.forEach((memo, i) => {
      const offset = find(memo.word);
      if (offset === undefined) return;
      const length = dictionaryLength(memo.inputColumn);
      const address = length === null ? 0 : this.#zeroed(i, length * memo.entryBytes);
      this.#arena.u32[(ctx + offset) >>> 2] = address;
    });
  }

  release(): void {
    for (const block of this.#blocks) {
      if (block.address !== 0) this.#arena.release(block.address);
      block.address = 0;
      block.bytes = 0;
    }
  }

  #zeroed(index: number, bytes: number): Address {
    const block = this.#blocks[index] as Block;
    if (block.bytes < bytes) {
      if (block.address !== 0) this.#arena.release(block.address);
      block.address = 0;
      block.address = this.#arena.allocate(bytes, this.#owner);
      block.bytes = bytes;
    }
    this.#arena.u8.fill(0, block.address, block.address + bytes);
    return block.address;
  }
}
