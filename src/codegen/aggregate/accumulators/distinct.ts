/**
 * Exact sets of distinct values: one hash table for all groups, keyed by (entry of the group, value). The values of a
 * group are also chained, so that a set can be added to another group's when workers' tables are merged.
 */
import type { DataType } from "../../../arrow/mod.ts";
import { type Expr, i32, i64, type Local } from "../../../wasm/mod.ts";
import type { Accumulator, EntryCode } from "../accumulator.ts";
import { type KeyParts, keyField, keyParts } from "../key_field.ts";
import { Packing } from "../packing.ts";
import { TableCode, type TableShape } from "../table.ts";

export interface DistinctAccumulator extends Accumulator {
  readonly count: (entry: Expr<"i32">) => Expr<"i64">;
  readonly table: TableShape;
}

export function distinctAccumulator(
  packing: Packing,
  of: { readonly type: DataType; readonly table: number },
): DistinctAccumulator {
  const at = { count: packing.take(8), head: packing.take(4) };
  const inner = new Packing();
  const group = keyField(inner, { type: { kind: "uint32" }, nullable: false });
  const item = keyField(inner, { type: of.type, nullable: false });
  const nextAt = inner.take(4);
  const table: TableShape = {
    index: of.table,
    keys: [group, item],
    entryBytes: inner.bytes,
    tagOffset: null,
    hasOtherHash: false,
  };
  const count = (entry: Expr<"i32">) => i64.load(entry, at.count);
  const add = (code: EntryCode, value: KeyParts) => {
    const { scope, entry } = code;
    const { f } = scope;
    const set = new TableCode(scope, table, code.state);
    const keys: KeyParts[] = [{ form: "i32", isNull: null, value: entry }, value];
    const found = f.local("i32", "item");
    set.findOrInsert(found, { keys, hash: set.hash(keys) }, (made) => {
      f.emit(i32.store(made, i32.load(entry, at.head), nextAt));
      f.emit(i32.store(entry, made, at.head));
      f.emit(i64.store(entry, i64.add(count(entry), 1n), at.count));
    });
  };
  const merge = (code: EntryCode, from: Local<"i32">) => {
    const { f } = code.scope;
    const item = f.local("i32", "otherItem");
    f.set(item, i32.load(from, at.head));
    f.while(item, () => {
      const parts = new TableCode(code.scope, table, code.state).keysOf(item)[1] as KeyParts;
      code.scope.branch(() => add(code, parts));
      f.set(item, i32.load(item, nextAt));
    });
  };
  return {
    count,
    table,
    update(code, value) {
      if (value === null) return;
      const run = () => add(code, keyParts(code.scope, { ...value, isNull: null }));
      if (value.isNull === null) run();
      else code.scope.if(i32.eqz(value.isNull), run);
    },
    merge,
    adopt(code, from) {
      code.scope.f.emit(i32.store(code.entry, 0, at.head));
      code.scope.f.emit(i64.store(code.entry, 0n, at.count));
      merge(code, from);
    },
  };
}
