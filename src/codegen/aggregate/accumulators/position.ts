import type { DataType } from "../../../arrow/mod.ts";
import { type Expr, i32, i64 } from "../../../wasm/mod.ts";
import { type Accumulator, type EntryCode, rowPosition } from "../accumulator.ts";
import type { Packing } from "../packing.ts";
import { type ValueSlot, valueSlot } from "./value_slot.ts";

/** The value of the first or last row by position in the input, whichever worker saw it; nulls count. */
export interface PositionAccumulator extends Accumulator {
  readonly slot: ValueSlot;
  /** 1 when there was a row and its value is not null. */
  readonly isPresent: (entry: Expr<"i32">) => Expr<"i32">;
}

const POSITION_MAX = (1n << 63n) - 1n;

export function positionAccumulator(
  packing: Packing,
  of: { readonly type: DataType; readonly which: "first" | "last" },
): PositionAccumulator {
  const positionAt = packing.take(8);
  const presentAt = packing.take(1);
  const slot = valueSlot(packing, of.type);
  const position = (entry: Expr<"i32">) => i64.load(entry, positionAt);
  // Rows of one position (of a join) come one after the other: the first or last of them wins.
  const wins = (mine: Expr<"i64">, held: Expr<"i64">) =>
    of.which === "first" ? i64.lt_s(mine, held) : i64.ge_s(mine, held);
  const isPresent = (entry: Expr<"i32">) => i32.load8_u(entry, presentAt);
  const take = ({ scope, entry }: EntryCode, from: { at: Expr<"i64">; isPresent: Expr<"i32"> }) => {
    scope.f.emit(i64.store(entry, from.at, positionAt));
    scope.f.emit(i32.store8(entry, from.isPresent, presentAt));
  };
  return {
    slot,
    isPresent,
    init({ scope, entry }) {
      scope.f.emit(i64.store(entry, of.which === "first" ? POSITION_MAX : -1n, positionAt));
    },
    update(code, value) {
      if (value === null) return;
      const { scope, entry } = code;
      const mine = rowPosition(code);
      scope.if(wins(mine, position(entry)), () => {
        take(code, { at: mine, isPresent: value.isNull === null ? i32.const(1) : i32.eqz(value.isNull) });
        if (value.isNull === null) slot.store(code, value);
        else scope.if(i32.eqz(value.isNull), () => slot.store(code, value));
      });
    },
    merge(code, from) {
      const { scope, entry } = code;
      scope.if(wins(position(from), position(entry)), () => {
        take(code, { at: position(from), isPresent: isPresent(from) });
        slot.storeShared(code, slot.load(scope, from));
      });
    },
  };
}
