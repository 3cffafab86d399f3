/** Ends the build side's pipeline: writes each row into an entry of the worker's own chunks. */
import { invariant } from "../../kernel/mod.ts";
import type { OperatorId } from "../../plan/mod.ts";
import { type Expr, i32, i64, type Local, select } from "../../wasm/mod.ts";
import { newEntry, storeKey, tableOffset } from "../aggregate/mod.ts";
import type { RowScope } from "../scope.ts";
import type { TerminalCode } from "../steps.ts";
import { columnParts, evaluateKeys, hashKeys, isUnsigned, type RowKeys, wideKey } from "./entry.ts";
import { canBeDense, type EntryLayout, entryLayout } from "./layout.ts";
import { type BuildShape, Status } from "./shape.ts";

export interface BuildTerminal {
  readonly kind: "joinBuild";
  readonly operator: OperatorId;
  readonly shape: BuildShape;
}

/** Context word: address of the worker's state block. */
export const buildStateWord = "join.state";

/** The state block: that of an aggregation with one table (which gives entries and heap), then the range of the keys. */
export const BuildWord = {
  /** int64; bits of a uint64 for such keys. */
  min: tableOffset(1),
  max: tableOffset(1) + 8,
  bytes: tableOffset(1) + 64,
} as const;

export function buildCode(terminal: BuildTerminal): TerminalCode {
  const { shape } = terminal;
  const layout = entryLayout(shape);
  const range = canBeDense(shape) ? new KeyRange(shape) : null;
  let state: Local<"i32"> | null = null;
  return {
    prologue(scope) {
      state = scope.f.local("i32", "state");
      scope.f.set(state, scope.contextWord(buildStateWord));
      range?.open(scope, state);
    },
    row(outer) {
      invariant(state !== null, "rows without prologue");
      const scope = outer.within(terminal.operator);
      const keys = evaluateKeys(scope, shape.keys);
      const target = { state, layout, range };
      if (keys.anyNull === null || shape.tracksMatches) store(scope, shape, { ...target, keys });
      else scope.if(i32.eqz(keys.anyNull), () => store(scope, shape, { ...target, keys }));
    },
    epilogue(scope) {
      if (state !== null) range?.close(scope, state);
    },
  };
}

function store(
  scope: RowScope,
  shape: BuildShape,
  to: {
    readonly state: Local<"i32">;
    readonly layout: EntryLayout;
    readonly range: KeyRange | null;
    readonly keys: RowKeys;
  },
): void {
  const { f } = scope;
  const { state, layout, keys } = to;
  const entry = f.local("i32", "entry");
  const values = shape.columns.map(({ name }) => ({ name, value: scope.column(name) }));
  newEntry(scope, entry, { state, index: 0, entryBytes: layout.entryBytes });
  if (layout.hashOffset !== null) f.emit(i32.store(entry, hashKeys(scope, keys.parts), layout.hashOffset));
  layout.keys.forEach((field, index) => {
    const key = keys.parts[index];
    if (key !== undefined) storeKey(scope, { entry, field, state }, key);
  });
  for (const { name, value } of values) {
    const column = layout.columns.get(name);
    invariant(column !== undefined, `no field for ${name}`);
    const { field, isKey } = column;
    if (!isKey) storeKey(scope, { entry, field, state }, columnParts(scope, value));
    else if (field.nullOffset !== null && value.isNull !== null)
      f.emit(i32.store8(entry, value.isNull, field.nullOffset));
  }
  if (layout.statusOffset !== null && keys.anyNull !== null) {
    f.emit(i32.store8(entry, i32.mul(keys.anyNull, Status.nullKey), layout.statusOffset));
  }
  to.range?.add(scope, keys);
}

/** Smallest and largest key so far, in locals while rows are walked. */
class KeyRange {
  readonly #shape: BuildShape;
  #min: Local<"i64"> | null = null;
  #max: Local<"i64"> | null = null;

  constructor(shape: BuildShape) {
    this.#shape = shape;
  }

  open(scope: RowScope, state: Local<"i32">): void {
    const { f } = scope;
    this.#min = f.local("i64", "min");
    this.#max = f.local("i64", "max");
    f.set(this.#min, i64.load(state, BuildWord.min));
    f.set(this.#max, i64.load(state, BuildWord.max));
  }

  add(scope: RowScope, keys: RowKeys): void {
    const { f } = scope;
    const [type, part] = [this.#shape.keys[0]?.type, keys.parts[0]];
    const [min, max] = [this.#min, this.#max];
    invariant(min !== null && max !== null && type !== undefined && part !== undefined, "a range has a key");
    const wide = f.local("i64", "wide");
    f.set(wide, wideKey(type, part));
    const less = (a: Expr<"i64">, b: Expr<"i64">) => (isUnsigned(type) ? i64.lt_u(a, b) : i64.lt_s(a, b));
    const update = () => {
      f.set(min, select(less(wide, min), wide, min));
      f.set(max, select(less(max, wide), wide, max));
    };
    if (keys.anyNull === null || !this.#shape.tracksMatches) update();
    else f.if(i32.eqz(keys.anyNull), update);
  }

  close(scope: RowScope, state: Local<"i32">): void {
    if (this.#min === null || this.#max === null) return;
    scope.f.emit(i64.store(state, this.#min, BuildWord.min));
    scope.f.emit(i64.store(state, this.#max, BuildWord.max));
  }
}
