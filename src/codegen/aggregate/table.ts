import { type Expr, i32, i64, kernel, type Local } from "../../wasm/mod.ts";
import type { RowScope } from "../scope.ts";
import { finishHash } from "./hash.ts";
import { hashKey, type KeyField, type KeyParts, keyEquals, loadKeyParts, storeKey } from "./key_field.ts";
import { growTable, newChunk, TableWord, tableGrown, tableOffset } from "./memory_layout.ts";

export interface TableShape {
  /** Position among the state's tables; 0 holds the groups. */
  readonly index: number;
  readonly keys: readonly KeyField[];
  readonly entryBytes: number;
  /**
   * Offset of the tag when entries are themselves the slots: their hash with the lowest bit set, 0 in an empty slot.
   * Saves a miss a row, but entries move when the table grows, so nothing may hold their addresses. Null otherwise.
   */
  readonly tagOffset: number | null;
  /** See `finishHash`. */
  readonly hasOtherHash: boolean;
}

/** Moves all entries of a table whose entries are its slots into its new array. */
const rehashInline = kernel(
  "rehashInline",
  { params: { table: "i32", entryBytes: "i32", tagOffset: "i32" }, results: [] },
  (f) => {
    const { table, entryBytes, tagOffset } = f.params;
    const [from, left, to, tag, shift, mask, moved] = (
      ["from", "left", "to", "tag", "shift", "mask", "moved"] as const
    ).map((name) => f.local("i32", name)) as [
      Local<"i32">,
      Local<"i32">,
      Local<"i32">,
      Local<"i32">,
      Local<"i32">,
      Local<"i32">,
      Local<"i32">,
    ];
    const at = f.local("i32", "at");
    const newSlots = f.local("i32", "newSlots");
    f.set(from, i32.load(table, TableWord.slots));
    f.set(left, i32.add(i32.load(table, TableWord.mask), 1));
    f.set(newSlots, i32.load(table, TableWord.newSlots));
    f.set(shift, i32.load(table, TableWord.newShift));
    f.set(mask, i32.load(table, TableWord.newMask));
    const place = () => f.set(at, i32.add(newSlots, i32.mul(to, entryBytes)));
    f.while(left, () => {
      f.set(tag, i32.load(i32.add(from, tagOffset)));
      f.if(tag, () => {
        f.set(to, i32.shr_u(tag, shift));
        place();
        f.while(i32.load(i32.add(at, tagOffset)), () => {
          f.set(to, i32.and(i32.add(to, 1), mask));
          place();
        });
        f.set(moved, 0);
        f.loop((again) => {
          f.emit(i64.store(i32.add(at, moved), i64.load(i32.add(from, moved))));
          f.set(moved, i32.add(moved, 8));
          f.brIf(again, i32.lt_u(moved, entryBytes));
        });
      });
      f.set(from, i32.add(from, entryBytes));
      f.set(left, i32.sub(left, 1));
    });
  },
);

/** Moves all slots of the table at `table` into its new slot array. */
const rehash = kernel("rehash", { params: { table: "i32" }, results: [] }, (f) => {
  const { table } = f.params;
  const word = (name: "slots" | "mask" | "newSlots" | "newShift" | "newMask") => {
    const local = f.local("i32", name);
    f.set(local, i32.load(table, TableWord[name]));
    return local;
  };
  const [slots, mask, newSlots, newShift, newMask] = [
    word("slots"),
    word("mask"),
    word("newSlots"),
    word("newShift"),
    word("newMask"),
  ];
  const from = f.local("i32", "from");
  const to = f.local("i32", "to");
  const slot = f.local("i64", "slot");
  const slotAt = (index: Expr<"i32">) => i32.add(newSlots, i32.shl(index, 3));
  f.while(i32.le_u(from, mask), () => {
    f.set(slot, i64.load(i32.add(slots, i32.shl(from, 3))));
    f.if(i64.ne(slot, 0n), () => {
      f.set(to, i32.shr_u(i32.wrap_i64(i64.shr_u(slot, 32n)), newShift));
      f.while(i64.ne(i64.load(slotAt(to)), 0n), () => f.set(to, i32.and(i32.add(to, 1), newMask)));
      f.emit(i64.store(slotAt(to), slot));
    });
    f.set(from, i32.add(from, 1));
  });
});

export interface WantedEntry {
  readonly keys: readonly KeyParts[];
  readonly hash: Local<"i32">;
  /**
   * How a new entry gets its keys, long strings among them: as copies (the default), shared with where they are now, or
   * not at all, as the caller fills them in.
   */
  readonly storing?: "copies" | "shared" | "nothing";
}

/** Code that finds and makes entries of one hash table. */
export class TableCode {
  readonly #scope: RowScope;
  readonly #shape: TableShape;
  readonly #state: Expr<"i32">;
  readonly #slots: Local<"i32">;
  readonly #shift: Local<"i32">;
  readonly #mask: Local<"i32">;

  /** Emits the loads of the table's words. `state` is the state block's address in a local. */
  constructor(scope: RowScope, shape: TableShape, state: Expr<"i32">) {
    this.#scope = scope;
    this.#shape = shape;
    this.#state = state;
    this.#slots = scope.f.local("i32", "slots");
    this.#shift = scope.f.local("i32", "shift");
    this.#mask = scope.f.local("i32", "mask");
    this.refresh();
  }

  refresh(): void {
    const { f } = this.#scope;
    f.set(this.#slots, this.#load("slots"));
    f.set(this.#shift, this.#load("shift"));
    f.set(this.#mask, this.#load("mask"));
  }

  /** The 32-bit hash of a key. */
  hash(keys: readonly KeyParts[]): Local<"i32"> {
    const { f } = this.#scope;
    const wide = f.local("i64", "hash64");
    const hash = f.local("i32", "hash");
    keys.forEach((key, index) => f.set(wide, hashKey(index === 0 ? null : wide, key)));
    f.set(hash, i32.wrap_i64(i64.shr_u(finishHash(wide, { isOther: this.#shape.hasOtherHash }), 32n)));
    return hash;
  }

  keysOf(entry: Expr<"i32">): KeyParts[] {
    return this.#shape.keys.map((field) => loadKeyParts(this.#scope, entry, field));
  }

  /** Emits the search for `keys` with their `hash`; a new entry gets its keys and then `onNew`'s code. */
  findOrInsert(entry: Local<"i32">, wanted: WantedEntry, onNew: (entry: Local<"i32">) => void): void {
    const { tagOffset } = this.#shape;
    if (tagOffset !== null) {
      this.#findInline(entry, { ...wanted, tagOffset }, onNew);
      return;
    }
    const { f } = this.#scope;
    const index = f.local("i32", "index");
    const slot = f.local("i64", "slot");
    const at = f.local("i32", "slotAt");
    const home = () => f.set(index, i32.shr_u(wanted.hash, this.#shift));
    home();
    f.block((found) => {
      f.loop((probe) => {
        f.set(at, i32.add(this.#slots, i32.shl(index, 3)));
        f.set(slot, i64.load(at));
        f.set(entry, i32.wrap_i64(slot));
        f.if(i32.eqz(entry), () => {
          this.#growIfFull(() => {
            home();
            f.br(probe);
          });
          this.#insert(entry, { ...wanted, at });
          this.#scope.branch(() => onNew(entry));
          f.br(found);
        });
        f.if(i32.eq(i32.wrap_i64(i64.shr_u(slot, 32n)), wanted.hash), () => {
          f.brIf(found, this.#equal(entry, wanted.keys));
        });
        f.set(index, i32.and(i32.add(index, 1), this.#mask));
        f.br(probe);
      }, "probe");
    }, "found");
  }

  #findInline(
    entry: Local<"i32">,
    wanted: WantedEntry & { readonly tagOffset: number },
    onNew: (entry: Local<"i32">) => void,
  ): void {
    const { f } = this.#scope;
    const { tagOffset } = wanted;
    const index = f.local("i32", "index");
    const tag = f.local("i32", "tag");
    const found = f.local("i32", "found");
    f.set(tag, i32.or(wanted.hash, 1));
    const home = () => f.set(index, i32.shr_u(tag, this.#shift));
    home();
    f.block((done) => {
      f.loop((probe) => {
        f.set(entry, this.#slotAt(index));
        f.set(found, i32.load(entry, tagOffset));
        f.if(i32.eqz(found), () => {
          this.#growIfFull(() => {
            home();
            f.br(probe);
          });
          f.emit(i32.store(entry, tag, tagOffset));
          this.#storeWord("count", i32.add(this.#load("count"), 1));
          this.#storeKeys(entry, wanted);
          this.#scope.branch(() => onNew(entry));
          f.br(done);
        });
        f.if(i32.eq(found, tag), () => f.brIf(done, this.#equal(entry, wanted.keys)));
        f.set(index, i32.and(i32.add(index, 1), this.#mask));
        f.br(probe);
      }, "probe");
    }, "found");
  }

  #slotAt(index: Expr<"i32">): Expr<"i32"> {
    const { tagOffset, entryBytes } = this.#shape;
    const offset = tagOffset === null ? i32.shl(index, 3) : i32.mul(index, entryBytes);
    return i32.add(this.#slots, offset);
  }

  #equal(entry: Expr<"i32">, keys: readonly KeyParts[]): Expr<"i32"> {
    const equal = this.#shape.keys.map((field, i) => keyEquals(entry, field, keys[i] as KeyParts));
    return equal.reduce((a, b) => i32.and(a, b));
  }

  #growIfFull(retry: () => void): void {
    const { f } = this.#scope;
    const { index } = this.#shape;
    f.if(i32.ge_u(this.#load("count"), this.#load("limit")), () => {
      f.emit(growTable.call(index));
      const table = i32.add(this.#state, tableOffset(index));
      const { entryBytes, tagOffset } = this.#shape;
      f.emit(tagOffset === null ? rehash.call(table) : rehashInline.call(table, entryBytes, tagOffset));
      f.emit(tableGrown.call(index));
      this.refresh();
      retry();
    });
  }

  #insert(entry: Local<"i32">, key: WantedEntry & { readonly at: Local<"i32"> }): void {
    const { f } = this.#scope;
    const { entryBytes } = this.#shape;
    newEntry(this.#scope, entry, { state: this.#state, index: this.#shape.index, entryBytes });
    f.emit(i32.store(key.at, entry));
    f.emit(i32.store(key.at, key.hash, 4));
    this.#storeKeys(entry, key);
  }

  #storeKeys(entry: Local<"i32">, key: WantedEntry): void {
    if (key.storing === "nothing") return;
    const shares = key.storing === "shared";
    this.#shape.keys.forEach((field, i) =>
      storeKey(this.#scope, { entry, field, state: this.#state, shares }, key.keys[i] as KeyParts),
    );
  }

  #storeWord(word: keyof typeof TableWord, value: Expr<"i32">): void {
    this.#scope.f.emit(i32.store(this.#state, value, tableOffset(this.#shape.index) + TableWord[word]));
  }

  #load(word: keyof typeof TableWord): Expr<"i32"> {
    return i32.load(this.#state, tableOffset(this.#shape.index) + TableWord[word]);
  }
}

/** Emits the making of a zeroed entry that is in no slot yet. */
export function newEntry(
  scope: RowScope,
  entry: Local<"i32">,
  options: { readonly state: Expr<"i32">; readonly index: number; readonly entryBytes: number },
): void {
  const { f } = scope;
  const { state, index, entryBytes } = options;
  const word = (name: keyof typeof TableWord) => tableOffset(index) + TableWord[name];
  f.set(entry, i32.load(state, word("chunkNext")));
  f.if(i32.ge_u(entry, i32.load(state, word("chunkEnd"))), () => {
    f.emit(newChunk.call(index));
    f.set(entry, i32.load(state, word("chunkNext")));
  });
  f.emit(i32.store(state, i32.add(entry, entryBytes), word("chunkNext")));
  f.emit(i32.store(state, i32.add(i32.load(state, word("count")), 1), word("count")));
}
