import { type Expr, f64, i32, i64 } from "../../../wasm/mod.ts";
import type { Accumulator } from "../accumulator.ts";
import type { Packing } from "../packing.ts";

/** Rows, or rows whose argument is not null, as int64. */
export interface CountAccumulator extends Accumulator {
  readonly count: (entry: Expr<"i32">) => Expr<"i64">;
}

export function countAccumulator(packing: Packing): CountAccumulator {
  const offset = packing.take(8);
  const count = (entry: Expr<"i32">) => i64.load(entry, offset);
  return {
    count,
    update({ scope, entry }, value) {
      const isNull = value?.isNull ?? null;
      const one = isNull === null ? i64.const(1n) : i64.extend_i32_u(i32.eqz(isNull));
      scope.f.emit(i64.store(entry, i64.add(count(entry), one), offset));
    },
    merge({ scope, entry }, from) {
      scope.f.emit(i64.store(entry, i64.add(count(entry), count(from)), offset));
    },
  };
}

/** Whether there was a value at all: one byte. */
export interface SeenAccumulator extends Accumulator {
  readonly seen: (entry: Expr<"i32">) => Expr<"i32">;
}

export function seenAccumulator(packing: Packing): SeenAccumulator {
  const offset = packing.take(1);
  const seen = (entry: Expr<"i32">) => i32.load8_u(entry, offset);
  return {
    seen,
    update({ scope, entry }, value) {
      const isNull = value?.isNull ?? null;
      const flag = isNull === null ? i32.const(1) : i32.or(seen(entry), i32.eqz(isNull));
      scope.f.emit(i32.store8(entry, flag, offset));
    },
    merge({ scope, entry }, from) {
      scope.f.emit(i32.store8(entry, i32.or(seen(entry), seen(from)), offset));
    },
  };
}

export function asFloat(count: Expr<"i64">): Expr<"f64"> {
  return f64.convert_i64_s(count);
}
