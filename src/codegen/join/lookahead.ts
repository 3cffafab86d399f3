/**
 * Probing by blocks. The directory and the entries of a large table are far away, and a row that waits for its entry
 * before the next one asks for its own waits alone. So a block of rows first asks for slots, then for entries; none of
 * this branches on what comes back, so that the processor has many requests under way. Rows that surely have no match
 * are dropped on the way, where nothing comes out for them.
 */
import { invariant } from "../../kernel/mod.ts";
import { type Expr, i32, type Local } from "../../wasm/mod.ts";
import type { RowScope } from "../scope.ts";
import type { Lookahead } from "../steps.ts";
import { evaluateKeys, hashKeys } from "./entry.ts";
import { entryLayout, NEXT_OFFSET } from "./layout.ts";
import { findFirst, type ProbeStep, type TableLocals } from "./probe.ts";

/** A block's slots and entries fit in a core's first cache. */
const BLOCK_ROWS = 512;

/** What is kept of a gathered row. */
const Gathered = { row: 0, entry: 4, hash: 8, bytes: 16 } as const;
const GATHERED_SHIFT = 4;

export class ProbeLookahead implements Lookahead {
  readonly blockRows = BLOCK_ROWS;
  readonly #step: ProbeStep;
  readonly #table: () => TableLocals;
  #locals: { readonly next: Local<"i32">; readonly at: Local<"i32"> } | null = null;

  constructor(step: ProbeStep, table: () => TableLocals) {
    this.#step = step;
    this.#table = table;
  }

  get isOpen(): boolean {
    return this.#locals !== null;
  }

  open(scope: RowScope): void {
    const { f } = scope;
    this.#locals ??= { next: f.local("i32", "gathered"), at: f.local("i32", "gatheredAt") };
    f.set(this.#locals.next, this.#start(scope));
  }

  gather(outer: RowScope): void {
    const scope = outer.within(this.#step.operator);
    const { f } = scope;
    const { next } = this.#open;
    const { placement } = this.#step;
    const keys = evaluateKeys(scope, this.#step.keys);
    const hash = placement.kind === "hash" ? hashKeys(scope, keys.parts) : null;
    const entry = f.local("i32", "first");
    findFirst(scope, { placement, table: this.#table(), row: { keys, hash, entry } });
    f.emit(i32.store(next, scope.row, Gathered.row));
    f.emit(i32.store(next, entry, Gathered.entry));
    if (hash !== null) f.emit(i32.store(next, hash, Gathered.hash));
    const kept = this.#dropsMisses ? i32.shl(i32.ne(entry, 0), GATHERED_SHIFT) : i32.const(Gathered.bytes);
    f.set(next, i32.add(next, kept));
  }

  each(scope: RowScope, body: () => void): void {
    const { f } = scope;
    const { at } = this.#open;
    this.#fetch(scope);
    this.#eachGathered(scope, () => {
      f.set(scope.row, i32.load(at, Gathered.row));
      body();
    });
  }

  /** The gathered row's first entry. */
  entry(scope: RowScope): Local<"i32"> {
    return this.#kept(scope, Gathered.entry);
  }

  hash(scope: RowScope): Local<"i32"> | null {
    return this.#step.placement.kind === "hash" ? this.#kept(scope, Gathered.hash) : null;
  }

  get #open() {
    invariant(this.#locals !== null, "rows before the block was opened");
    return this.#locals;
  }

  /** Nothing comes out for a row without a match. */
  get #dropsMisses(): boolean {
    const { output } = this.#step;
    return output === "matches" || output === "exists" || output === "nothing";
  }

  #start(scope: RowScope): Expr<"i32"> {
    const name = `join${this.#step.operator}.gathered`;
    return i32.add(scope.ctx, scope.program.context.region(name, BLOCK_ROWS * Gathered.bytes + Gathered.bytes));
  }

  #kept(scope: RowScope, offset: number): Local<"i32"> {
    const local = scope.f.local("i32", "gatheredWord");
    scope.f.set(local, i32.load(this.#open.at, offset));
    return local;
  }

  #eachGathered(scope: RowScope, body: () => void): void {
    const { f } = scope;
    const { next, at } = this.#open;
    f.set(at, this.#start(scope));
    f.while(i32.lt_u(at, next), () => {
      body();
      f.set(at, i32.add(at, Gathered.bytes));
    });
  }

  /** Reads the first entries of the gathered rows, then their ends and the second entries of their chains. */
  #fetch(scope: RowScope): void {
    const { f } = scope;
    const { at } = this.#open;
    const touched = f.local("i32", "touched");
    const { kind } = this.#step.placement;
    if (this.#dropsMisses && kind === "hash") this.#dropOthers(scope);
    else this.#eachGathered(scope, () => f.set(touched, i32.xor(touched, firstNext(at))));
    const { entryBytes } = entryLayout(this.#step.shape);
    this.#eachGathered(scope, () => {
      // An entry may begin in one cache line and end in the next.
      const end = i32.load(i32.load(at, Gathered.entry), entryBytes - 4);
      f.set(touched, i32.xor(touched, i32.xor(end, i32.load(firstNext(at), NEXT_OFFSET))));
    });
    // The reads must not look useless.
    f.emit(i32.store(scope.ctx, touched, scope.program.context.word(`join${this.#step.operator}.touched`)));
  }

  /** Drops rows whose chain is one entry with another hash. */
  #dropOthers(scope: RowScope): void {
    const { f } = scope;
    const { next, at } = this.#open;
    const to = f.local("i32", "keptTo");
    const entry = f.local("i32", "first");
    const hash = f.local("i32", "gatheredHash");
    const { hashOffset } = entryLayout(this.#step.shape);
    invariant(hashOffset !== null, "entries with keys have a hash");
    f.set(to, this.#start(scope));
    this.#eachGathered(scope, () => {
      f.set(entry, i32.load(at, Gathered.entry));
      f.set(hash, i32.load(at, Gathered.hash));
      const isHit = i32.eq(i32.load(entry, hashOffset), hash);
      const goesOn = i32.ne(i32.load(entry, NEXT_OFFSET), 0);
      f.emit(i32.store(to, i32.load(at, Gathered.row), Gathered.row));
      f.emit(i32.store(to, entry, Gathered.entry));
      f.emit(i32.store(to, hash, Gathered.hash));
      f.set(to, i32.add(to, i32.shl(i32.or(isHit, goesOn), GATHERED_SHIFT)));
    });
    f.set(next, to);
  }
}

/** The second entry of the gathered row's chain; 0 where there is none. */
function firstNext(at: Expr<"i32">): Expr<"i32"> {
  return i32.load(i32.load(at, Gathered.entry), NEXT_OFFSET);
}
