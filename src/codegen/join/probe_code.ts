/** One step of the probe side's pipeline: for a row, walks the chain of entries that may match. */
import { invariant, unreachable } from "../../kernel/mod.ts";
import { type Expr, i32, type Label, type Local } from "../../wasm/mod.ts";
import { keyEquals } from "../aggregate/mod.ts";
import { Header } from "../context.ts";
import type { Binding, RowScope } from "../scope.ts";
import { isTrue, type StepCode } from "../steps.ts";
import { entryBindings, evaluateKeys, hashKeys, type RowKeys } from "./entry.ts";
import { comparesHashes, type EntryLayout, entryLayout, NEXT_OFFSET } from "./layout.ts";
import { ProbeLookahead } from "./lookahead.ts";
import { findFirst, loadAddresses, type ProbeStep, type TableLocals } from "./probe.ts";
import { Status } from "./shape.ts";

export function probeCode(step: ProbeStep): StepCode {
  let table: TableLocals | null = null;
  const lookahead = step.isFar ? new ProbeLookahead(step, () => tableOf(table)) : null;
  return {
    prologue(scope) {
      table = loadAddresses(scope, step);
    },
    row(scope, next) {
      // Only the first step of a pipeline that looks ahead may do so.
      const gathered = lookahead?.isOpen ? lookahead : null;
      new Probe({ step, scope: scope.within(step.operator), table: tableOf(table), lookahead: gathered }).emit(next);
    },
    ...(lookahead === null ? {} : { lookahead }),
  };
}

function tableOf(table: TableLocals | null): TableLocals {
  invariant(table !== null, "rows without prologue");
  return table;
}

/** Entries between two looks at whether the job was cancelled: about a millisecond. A power of two. */
const CHECK_ENTRIES = 1 << 18;

/** The code for one row. `next` is emitted once, so that code does not double with each join of a pipeline. */
class Probe {
  readonly #step: ProbeStep;
  readonly #scope: RowScope;
  readonly #table: TableLocals;
  readonly #layout: EntryLayout;
  readonly #entry: Local<"i32">;
  readonly #keys: RowKeys;
  readonly #hash: Local<"i32"> | null;
  readonly #lookahead: ProbeLookahead | null;
  readonly #visited: Local<"i32">;

  constructor(of: {
    readonly step: ProbeStep;
    readonly scope: RowScope;
    readonly table: TableLocals;
    readonly lookahead: ProbeLookahead | null;
  }) {
    const { step, scope } = of;
    this.#step = step;
    this.#table = of.table;
    this.#scope = scope;
    this.#lookahead = of.lookahead;
    this.#layout = entryLayout(step.shape);
    this.#entry = scope.f.local("i32", "match");
    this.#visited = scope.f.local("i32", "visited");
    this.#keys = evaluateKeys(scope, step.keys);
    if (of.lookahead !== null) this.#hash = comparesHashes(step.shape) ? of.lookahead.hash(scope) : null;
    else this.#hash = step.placement.kind === "hash" ? hashKeys(scope, this.#keys.parts) : null;
  }

  emit(next: (scope: RowScope) => void): void {
    const { output } = this.#step;
    switch (output) {
      case "matches":
        return this.#eachMatch((joined) => next(joined));
      case "nothing":
        return this.#eachMatch(() => {});
      case "matchesOrNull":
        return this.#eachMatchOrNull(next);
      case "exists":
        return this.#whenExists(next);
      case "absent":
        return this.#whenAbsent(next);
      default:
        return unreachable(output);
    }
  }

  #eachMatch(body: (joined: RowScope) => void): void {
    const { f } = this.#scope;
    const scratch = new ScratchMark(this.#scope);
    f.block((done) => {
      this.#findFirst();
      f.brIf(done, i32.eqz(this.#entry));
      f.loop((again) => {
        this.#scope.branch(() => {
          f.block((miss) => {
            const joined = this.#check(miss);
            this.#mark();
            body(joined);
          }, "miss");
        });
        scratch.restore();
        this.#advance();
        f.brIf(done, i32.eqz(this.#entry));
        this.#checkCancelled();
        f.br(again);
      }, "chain");
    }, "done");
  }

  #eachMatchOrNull(next: (scope: RowScope) => void): void {
    const { f } = this.#scope;
    const { nullEntry } = this.#table;
    invariant(nullEntry !== null, "an outer join has an entry of nulls");
    const found = f.local("i32", "found");
    const scratch = new ScratchMark(this.#scope);
    f.set(found, 0);
    f.block((done) => {
      this.#findFirst();
      f.loop((again) => {
        f.block((give) => {
          f.if(i32.eqz(this.#entry), () => {
            f.brIf(done, found);
            f.set(this.#entry, nullEntry);
            f.br(give);
          });
          f.block((miss) => {
            this.#scope.branch(() => {
              this.#check(miss);
              this.#mark();
            });
            f.br(give);
          }, "miss");
          scratch.restore();
          this.#advance();
          this.#checkCancelled();
          f.br(again);
        }, "give");
        f.set(found, 1);
        this.#scope.branch(() => next(this.#joined()));
        scratch.restore();
        // The chain behind the entry of nulls is empty: there it ends.
        this.#advance();
        f.brIf(done, i32.eqz(this.#entry));
        this.#checkCancelled();
        f.br(again);
      }, "chain");
    }, "done");
  }

  #whenExists(next: (scope: RowScope) => void): void {
    const { f } = this.#scope;
    f.block((done) => {
      f.block((found) => this.#search(() => f.br(found), done), "found");
      this.#scope.branch(() => next(this.#scope));
    }, "done");
  }

  #whenAbsent(next: (scope: RowScope) => void): void {
    const { f } = this.#scope;
    f.block((done) => {
      f.block((none) => this.#search(() => f.br(done), none), "none");
      this.#scope.branch(() => next(this.#scope));
    }, "done");
  }

  /** Walks the chain until a match, where `onMatch` must leave; to `none` at the end. */
  #search(onMatch: () => void, none: Label): void {
    const { f } = this.#scope;
    this.#findFirst();
    f.brIf(none, i32.eqz(this.#entry));
    f.loop((again) => {
      f.block((miss) => {
        this.#scope.branch(() => this.#check(miss));
        onMatch();
      }, "miss");
      this.#advance();
      f.brIf(none, i32.eqz(this.#entry));
      this.#checkCancelled();
      f.br(again);
    }, "chain");
  }

  /** Sets the entry to the first of the chain; 0 where there is none. */
  #findFirst(): void {
    if (this.#lookahead !== null) this.#scope.f.set(this.#entry, this.#lookahead.entry(this.#scope));
    else {
      const row = { keys: this.#keys, hash: this.#hash, entry: this.#entry };
      findFirst(this.#scope, { placement: this.#step.placement, table: this.#table, row });
    }
  }

  #advance(): void {
    this.#scope.f.set(this.#entry, i32.load(this.#entry, NEXT_OFFSET));
  }

  /**
   * A chain may be as long as the table, and a morsel have thousands: on the way it is asked whether the job still
   * runs. Stands where a chain goes on, which few do, and calls nothing, which would cost all of them registers.
   */
  #checkCancelled(): void {
    const { f, ctx } = this.#scope;
    f.set(this.#visited, i32.add(this.#visited, 1));
    f.if(i32.eqz(i32.and(this.#visited, CHECK_ENTRIES - 1)), () => {
      const flag = i32.load(ctx, Header.cancelFlag);
      f.if(i32.atomic_load(flag), () => f.unreachable());
    });
  }

  /** Emits a branch to `miss` where the entry does not match; the scope of both sides' columns. */
  #check(miss: Label): RowScope {
    const { f } = this.#scope;
    const unequal = this.#unequal();
    if (unequal !== null) f.brIf(miss, unequal);
    const joined = this.#joined();
    const { residual } = this.#step;
    if (residual !== null) f.brIf(miss, i32.eqz(isTrue(joined.evaluate(residual))));
    return joined;
  }

  #unequal(): Expr<"i32"> | null {
    const { f } = this.#scope;
    if (this.#step.placement.kind !== "hash") return null;
    const { keys } = this.#layout;
    const hashOffset = comparesHashes(this.#step.shape) ? this.#layout.hashOffset : null;
    const tests = keys.map((field, index) => {
      const part = this.#keys.parts[index];
      invariant(part !== undefined, "both sides have as many keys");
      return keyEquals(this.#entry, field, part);
    });
    const equal = f.local("i32", "equal");
    const all = tests.reduce((a, b) => i32.and(a, b));
    if (hashOffset === null) return i32.eqz(all);
    // Keys are compared only where hashes are equal.
    f.set(equal, 0);
    f.if(i32.eq(i32.load(this.#entry, hashOffset), this.#hash ?? 0), () => f.set(equal, all));
    return i32.eqz(equal);
  }

  #mark(): void {
    const { statusOffset } = this.#layout;
    if (statusOffset !== null) this.#scope.f.emit(i32.store8(this.#entry, Status.matched, statusOffset));
  }

  /** The probe side's columns and the entry's. */
  #joined(): RowScope {
    const scope = this.#scope;
    const bindings = new Map<string, Binding>();
    for (const [name, binding] of scope.bindings()) {
      bindings.set(name, { ...binding, load: () => scope.column(name) });
    }
    for (const [name, binding] of entryBindings(scope, this.#layout, this.#entry)) bindings.set(name, binding);
    return scope.derive(bindings, this.#step.operator);
  }
}

/**
 * Frees what the code for one match has put into the scratch region, which otherwise is emptied only after a row: a row
 * may have millions of matches. When the region was replaced by a larger one, nothing older is in the new one.
 */
class ScratchMark {
  readonly #scope: RowScope;
  readonly #base: Local<"i32">;
  readonly #top: Local<"i32">;

  constructor(scope: RowScope) {
    const { f, ctx } = scope;
    this.#scope = scope;
    this.#base = f.local("i32", "scratchBase");
    this.#top = f.local("i32", "scratchTop");
    f.set(this.#base, i32.load(ctx, Header.scratchBase));
    f.set(this.#top, i32.load(ctx, Header.scratchTop));
  }

  restore(): void {
    const { f, ctx, program } = this.#scope;
    if (!program.usesScratch) return;
    f.if(i32.ne(i32.load(ctx, Header.scratchBase), this.#base), () => {
      f.set(this.#base, i32.load(ctx, Header.scratchBase));
      f.set(this.#top, this.#base);
    });
    f.emit(i32.store(ctx, this.#top, Header.scratchTop));
  }
}
