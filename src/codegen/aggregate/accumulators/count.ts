import { type Expr, i32, i64 } from "../../../wasm/mod.ts";
import type { Accumulator, EntryCode } from "../accumulator.ts";
import type { Packing } from "../packing.ts";

/** Rows, or rows whose argument is not null, as int64. */
export interface CountAccumulator extends Accumulator {
  readonly count: (entry: Expr<"i32">) => Expr<"i64">;
}

export function countAccumulator(packing: Packing): CountAccumulator {
  const offset = packing.take(8);
  const count = (entry: Expr<"i32">) => i64.load(entry, offset);
  const add = ({ scope, entry }: EntryCode, rows: Expr<"i64">) =>
    scope.f.emit(i64.store(entry, i64.add(count(entry), rows), offset));
  return {
    count,
    update(code, value) {
      const isNull = value?.isNull ?? null;
      add(code, isNull === null ? i64.const(1n) : i64.extend_i32_u(i32.eqz(isNull)));
    },
    merge: (code, from) => add(code, count(from)),
    total: { kind: "count", add },
  };
}

/** Whether there was a value at all: one byte. */
export interface SeenAccumulator extends Accumulator {
  readonly seen: (entry: Expr<"i32">) => Expr<"i32">;
}

export function seenAccumulator(packing: Packing): SeenAccumulator {
  const offset = packing.take(1);
  const seen = (entry: Expr<"i32">) => i32.load8_u(entry, offset);
  const add = ({ scope, entry }: EntryCode, any: Expr<"i32">) =>
    scope.f.emit(i32.store8(entry, i32.or(seen(entry), any), offset));
  return {
    seen,
    update(code, value) {
      const isNull = value?.isNull ?? null;
      if (isNull === null) code.scope.f.emit(i32.store8(code.entry, 1, offset));
      else add(code, i32.eqz(isNull));
    },
    merge: (code, from) => add(code, seen(from)),
    total: { kind: "seen", add },
  };
}
