import { i32, i64, type Local, memory } from "../../wasm/mod.ts";
import type { RowScope } from "../scope.ts";
import type { EntryCode } from "./accumulator.ts";
import type { AggregateLayout } from "./layout.ts";
import { StateWord, stateWord } from "./memory_layout.ts";
import { newEntry, TableCode, type TableShape, type WantedEntry } from "./table.ts";

/** Code that works on the groups of one state block; made once a generated function, before its loop. */
export class GroupCode {
  readonly state: Local<"i32">;
  readonly layout: AggregateLayout;
  readonly table: TableCode | null;
  readonly #entry: Local<"i32">;

  constructor(scope: RowScope, layout: AggregateLayout) {
    const { f } = scope;
    this.layout = layout;
    this.state = f.local("i32", "state");
    this.#entry = f.local("i32", "entry");
    f.set(this.state, scope.contextWord(stateWord));
    if (layout.keys.length > 0) this.table = new TableCode(scope, this.#groups, this.state);
    else {
      this.table = null;
      this.#openSingle(scope);
    }
  }

  get entry(): Local<"i32"> {
    return this.#entry;
  }

  /** Emits the search for a group; a new one gets its start values. */
  find(scope: RowScope, key: WantedEntry): void {
    this.table?.findOrInsert(this.#entry, key, () => this.#init(scope));
  }

  code(scope: RowScope): EntryCode & { readonly entry: Local<"i32"> } {
    return { scope, entry: this.#entry, state: this.state };
  }

  /** Emits the copy of an entry of another worker into a new group. */
  adopt(scope: RowScope, from: Local<"i32">): void {
    const { tagOffset } = this.#groups;
    const { f } = scope;
    const tag = f.local("i32", "ownTag");
    // The tag is this table's own: the other's belongs to another part of the hash.
    if (tagOffset !== null) f.set(tag, i32.load(this.#entry, tagOffset));
    copyEntry(f, { to: this.#entry, from, bytes: this.layout.entryBytes });
    if (tagOffset !== null) f.emit(i32.store(this.#entry, tag, tagOffset));
    for (const { accumulator } of this.layout.accumulators) accumulator.adopt?.(this.code(scope), from);
  }

  merge(scope: RowScope, from: Local<"i32">): void {
    for (const { accumulator } of this.layout.accumulators) accumulator.merge(this.code(scope), from);
  }

  get #groups(): TableShape {
    return this.layout.tables[0] as TableShape;
  }

  #init(scope: RowScope): void {
    for (const { accumulator } of this.layout.accumulators) accumulator.init?.(this.code(scope));
  }

  /** Without keys there is one entry, made by whoever comes first. */
  #openSingle(scope: RowScope): void {
    const { f } = scope;
    f.set(this.#entry, i32.load(this.state, StateWord.single));
    f.if(i32.eqz(this.#entry), () => {
      newEntry(scope, this.#entry, { state: this.state, index: 0, entryBytes: this.layout.entryBytes });
      f.emit(i32.store(this.state, this.#entry, StateWord.single));
      scope.branch(() => this.#init(scope));
    });
  }
}

/** Entries up to this size are copied in place: `memory.copy` is a call out of the code. */
const UNROLLED_BYTES_MAX = 256;

function copyEntry(
  f: RowScope["f"],
  entry: { readonly to: Local<"i32">; readonly from: Local<"i32">; readonly bytes: number },
): void {
  const { to, from, bytes } = entry;
  if (bytes > UNROLLED_BYTES_MAX) f.emit(memory.copy(to, from, bytes));
  else for (let at = 0; at < bytes; at += 8) f.emit(i64.store(to, i64.load(from, at), at));
}
