/**
 * Count, mean and sum of squared distances from the mean, updated row by row (Welford 1962) and joined by Chan, Golub
 * and LeVeque (1979): no cancellation when values are large and close together. Last bits depend on how rows are split.
 */
import { type Expr, f64, i32 } from "../../../wasm/mod.ts";
import type { Accumulator, EntryCode } from "../accumulator.ts";
import type { Packing } from "../packing.ts";
import { toFloat } from "../to_float.ts";

export interface MomentsAccumulator extends Accumulator {
  readonly count: (entry: Expr<"i32">) => Expr<"f64">;
  readonly squares: (entry: Expr<"i32">) => Expr<"f64">;
}

export function momentsAccumulator(packing: Packing): MomentsAccumulator {
  const at = { count: packing.take(8), mean: packing.take(8), squares: packing.take(8) };
  const load = (entry: Expr<"i32">, field: keyof typeof at) => f64.load(entry, at[field]);
  const store = ({ scope, entry }: EntryCode, field: keyof typeof at, value: Expr<"f64">) =>
    scope.f.emit(f64.store(entry, value, at[field]));
  const local = ({ scope }: EntryCode, value: Expr<"f64">) => {
    const kept = scope.f.local("f64", "moment");
    scope.f.set(kept, value);
    return kept;
  };
  const add = (code: EntryCode, x: Expr<"f64">) => {
    const { entry } = code;
    const count = local(code, f64.add(load(entry, "count"), 1));
    const mean = local(code, load(entry, "mean"));
    const delta = local(code, f64.sub(x, mean));
    const newMean = local(code, f64.add(mean, f64.div(delta, count)));
    store(code, "count", count);
    store(code, "mean", newMean);
    store(code, "squares", f64.add(load(entry, "squares"), f64.mul(delta, f64.sub(x, newMean))));
  };
  return {
    count: (entry) => load(entry, "count"),
    squares: (entry) => load(entry, "squares"),
    update(code, value) {
      if (value === null) return;
      const run = () => add(code, local(code, toFloat(code.scope, value)));
      if (value.isNull === null) run();
      else code.scope.if(i32.eqz(value.isNull), run);
    },
    merge(code, from) {
      const { entry, scope } = code;
      scope.if(f64.gt(load(from, "count"), 0), () => {
        const mine = local(code, load(entry, "count"));
        const other = local(code, load(from, "count"));
        const total = local(code, f64.add(mine, other));
        const delta = local(code, f64.sub(load(from, "mean"), load(entry, "mean")));
        const share = local(code, f64.div(other, total));
        store(code, "mean", f64.add(load(entry, "mean"), f64.mul(delta, share)));
        const between = f64.mul(f64.mul(delta, delta), f64.mul(mine, share));
        store(code, "squares", f64.add(f64.add(load(entry, "squares"), load(from, "squares")), between));
        store(code, "count", total);
      });
    },
  };
}
