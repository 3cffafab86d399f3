import { type Address, type Arena, type Batch, blockAt, type Column, type OwnerId } from "../../arrow/mod.ts";
import { type MemoKey, memoSizeWord, StateWord } from "../../codegen/mod.ts";
import { invariant } from "../../kernel/mod.ts";

/** Combinations of keys that an array is kept for: 512 KiB. */
const PLACES_MAX = 1 << 17;

/** The array of entries by key combination behind `StateWord.memo`, valid for the dictionaries it was filled with. */
export class Memo {
  readonly #arena: Arena;
  readonly #owner: OwnerId;
  readonly #block: Address;
  #places: Address = 0;
  #capacity = 0;
  /** Held, so that another dictionary cannot come to lie at the same address. */
  #held: Address[] = [];
  #identity = "";

  constructor(arena: Arena, options: { readonly owner: OwnerId; readonly block: Address }) {
    this.#arena = arena;
    this.#owner = options.owner;
    this.#block = options.block;
  }

  /** Before code with these keys sees rows of `batch`. */
  prepare(keys: readonly MemoKey[], batch: Batch): void {
    const dictionaries = keys.map((key) => (key.kind === "dictionary" ? dictionaryOf(batch, key.inputColumn) : null));
    const sizes = keys.map((key, i) => 1 + (key.kind === "values" ? key.count : (dictionaries[i]?.length ?? 0)));
    const places = sizes.reduce((product, size) => product * size, 1);
    const blocks = dictionaries.map((column) =>
      column === null ? null : blockAt(this.#arena, batch.blocks, column.data),
    );
    if (places > PLACES_MAX || blocks.includes(0)) {
      this.#set(StateWord.memo, 0);
      return;
    }
    const identity = JSON.stringify([sizes, dictionaries.map((dictionary) => dictionary?.data ?? null)]);
    if (identity !== this.#identity) {
      this.#clear(places);
      this.#hold(blocks.filter((block) => block !== null));
      this.#identity = identity;
      sizes.forEach((size, index) => this.#set(memoSizeWord(index), size));
    }
    this.#set(StateWord.memo, this.#places);
  }

  /** Entries have moved. */
  forget(): void {
    this.#arena.u32.fill(0, this.#places >>> 2, (this.#places >>> 2) + this.#capacity);
  }

  dispose(): void {
    this.#hold([]);
    if (this.#places !== 0) this.#arena.release(this.#places);
    this.#places = 0;
    this.#capacity = 0;
    this.#identity = "";
  }

  #clear(places: number): void {
    if (places > this.#capacity) {
      this.dispose();
      this.#places = this.#arena.allocateZeroed(places * 4, this.#owner);
      this.#capacity = places;
    } else this.#arena.u32.fill(0, this.#places >>> 2, (this.#places >>> 2) + places);
  }

  #hold(blocks: Address[]): void {
    for (const block of blocks) this.#arena.retain(block);
    for (const block of this.#held) this.#arena.release(block);
    this.#held = blocks;
  }

  #set(offset: number, value: number): void {
    this.#arena.u32[(this.#block + offset) >>> 2] = value;
  }
}

function dictionaryOf(batch: Batch, inputColumn: number): Column {
  const dictionary = batch.columns[inputColumn]?.dictionary;
  invariant(dictionary, "the column has a dictionary, as when the code was generated");
  return dictionary;
}
