import { type DataType, isSignedInteger, isTemporal } from "../../../arrow/mod.ts";
import { f32, f64, i32, i64 } from "../../../wasm/mod.ts";
import { compareValues } from "../../expression/compare.ts";
import { reprOf, type Value, type ValueParts } from "../../value.ts";
import type { Accumulator, EntryCode } from "../accumulator.ts";
import type { Packing } from "../packing.ts";
import { type SeenAccumulator, seenAccumulator } from "./count.ts";
import { type ValueSlot, valueSlot } from "./value_slot.ts";

/** The least or greatest value; NaN is greatest. */
export interface ExtremeAccumulator extends Accumulator {
  readonly slot: ValueSlot;
  readonly seen: SeenAccumulator;
}

export function extremeAccumulator(
  packing: Packing,
  of: { readonly type: DataType; readonly which: "min" | "max" },
): ExtremeAccumulator {
  const slot = valueSlot(packing, of.type);
  const seen = seenAccumulator(packing);
  const comparison = of.which === "min" ? "lt" : "gt";
  const start = startValue(of);
  const better = ({ scope, entry }: EntryCode, value: Value) => {
    const less = compareValues(scope, comparison, { left: value, right: slot.load(scope, entry) });
    return start === null ? i32.or(i32.eqz(seen.seen(entry)), less) : less;
  };
  const update = (code: EntryCode, value: Value | null) => {
    if (value === null) return;
    const replace = () => {
      code.scope.if(better(code, value), () => slot.store(code, value));
      seen.update(code, { ...value, isNull: null });
    };
    if (value.isNull === null) replace();
    else code.scope.if(i32.eqz(value.isNull), replace);
  };
  return {
    slot,
    seen,
    init: (code) => {
      if (start !== null) slot.store(code, start);
    },
    update,
    total: { kind: "extreme", which: of.which, take: update },
    merge(code, from) {
      code.scope.if(seen.seen(from), () => {
        const value = slot.load(code.scope, from);
        code.scope.if(better(code, value), () => slot.storeShared(code, value));
        seen.merge(code, from);
      });
    },
  };
}

/** A value that no other loses against; null where there is none, or comparing with it is dear. */
function startValue(of: { readonly type: DataType; readonly which: "min" | "max" }): ValueParts | null {
  const least = of.which === "min";
  const signed = isSignedInteger(of.type) || isTemporal(of.type);
  const repr = reprOf(of.type);
  switch (repr) {
    case "i32":
      if (signed) return { repr, value: i32.const(least ? 0x7fff_ffff : -0x8000_0000) };
      return { repr, value: i32.const(least ? -1 : 0) };
    case "i64":
      if (signed) return { repr, value: i64.const(least ? (1n << 63n) - 1n : -(1n << 63n)) };
      return { repr, value: i64.const(least ? -1n : 0n) };
    case "f32":
      return { repr, value: f32.const(least ? Number.NaN : Number.NEGATIVE_INFINITY) };
    case "f64":
      return { repr, value: f64.const(least ? Number.NaN : Number.NEGATIVE_INFINITY) };
    case "i128":
    case "bytes":
      return null;
  }
}
