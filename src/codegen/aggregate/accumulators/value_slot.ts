/** One value of any type in an entry. Strings are copies in the heap whose room is used again for later values. */
import type { DataType } from "../../../arrow/mod.ts";
import { invariant, unreachable } from "../../../kernel/mod.ts";
import { type Expr, f32, f64, i32, i64 } from "../../../wasm/mod.ts";
import { copyBytes } from "../../emit.ts";
import type { RowScope } from "../../scope.ts";
import { reprOf, type Value, type ValueParts } from "../../value.ts";
import type { EntryCode } from "../accumulator.ts";
import { heapAllocate } from "../heap.ts";
import type { Packing } from "../packing.ts";

export interface ValueSlot {
  readonly type: DataType;
  /** Emits loads into locals. */
  load(scope: RowScope, entry: Expr<"i32">): Value;
  store(code: EntryCode, value: ValueParts): void;
  /** Stores a value of another worker's entry: strings are not copied again. */
  storeShared(code: EntryCode, value: ValueParts): void;
}

export function valueSlot(packing: Packing, type: DataType): ValueSlot {
  const repr = reprOf(type);
  switch (repr) {
    case "i32":
    case "f32":
      return numberSlot(type, packing.take(4));
    case "i64":
    case "f64":
      return numberSlot(type, packing.take(8));
    case "i128":
      return numberSlot(type, packing.take(16));
    case "bytes":
      return bytesSlot(type, { address: packing.take(4), bytes: packing.take(4), capacity: packing.take(4) });
    default:
      return unreachable(repr);
  }
}

function numberSlot(type: DataType, offset: number): ValueSlot {
  const store = ({ scope, entry }: EntryCode, value: ValueParts) => storeNumber(scope, entry, { value, offset });
  return { type, load: (scope, entry) => loadNumber(scope, entry, { type, offset }), store, storeShared: store };
}

function storeNumber(
  scope: RowScope,
  entry: Expr<"i32">,
  what: { readonly value: ValueParts; readonly offset: number },
): void {
  const { f } = scope;
  const { value, offset } = what;
  switch (value.repr) {
    case "i32":
      return f.emit(i32.store(entry, value.value, offset));
    case "i64":
      return f.emit(i64.store(entry, value.value, offset));
    case "f32":
      return f.emit(f32.store(entry, value.value, offset));
    case "f64":
      return f.emit(f64.store(entry, value.value, offset));
    case "i128":
      f.emit(i64.store(entry, value.low, offset));
      return f.emit(i64.store(entry, value.high, offset + 8));
    case "bytes":
      return invariant(false, "a number slot holds no bytes");
    default:
      return unreachable(value);
  }
}

function loadNumber(
  scope: RowScope,
  entry: Expr<"i32">,
  what: { readonly type: DataType; readonly offset: number },
): Value {
  const { f } = scope;
  const { type, offset } = what;
  const repr = reprOf(type);
  const wide = (at: number) => {
    const local = f.local("i64", "held");
    f.set(local, i64.load(entry, at));
    return local;
  };
  switch (repr) {
    case "i32": {
      const value = f.local("i32", "held");
      f.set(value, i32.load(entry, offset));
      return { type, isNull: null, repr, value };
    }
    case "f32": {
      const value = f.local("f32", "held");
      f.set(value, f32.load(entry, offset));
      return { type, isNull: null, repr, value };
    }
    case "f64": {
      const value = f.local("f64", "held");
      f.set(value, f64.load(entry, offset));
      return { type, isNull: null, repr, value };
    }
    case "i64":
      return { type, isNull: null, repr, value: wide(offset) };
    case "i128":
      return { type, isNull: null, repr, low: wide(offset), high: wide(offset + 8) };
    case "bytes":
      return invariant(false, "a number slot holds no bytes") as never;
    default:
      return unreachable(repr);
  }
}

function bytesSlot(
  type: DataType,
  at: { readonly address: number; readonly bytes: number; readonly capacity: number },
): ValueSlot {
  return {
    type,
    load({ f }, entry) {
      const address = f.local("i32", "held");
      const bytes = f.local("i32", "heldBytes");
      f.set(address, i32.load(entry, at.address));
      f.set(bytes, i32.load(entry, at.bytes));
      return { type, isNull: null, repr: "bytes", address, bytes };
    },
    store({ scope, entry, state }, value) {
      invariant(value.repr === "bytes", "a bytes slot holds bytes");
      const { f } = scope;
      scope.if(i32.gt_u(value.bytes, i32.load(entry, at.capacity)), () => {
        // Twice the need, so that a value that grows row by row costs a constant a byte.
        const capacity = f.local("i32", "capacity");
        f.set(capacity, i32.and(i32.add(i32.shl(value.bytes, 1), 7), -8));
        const copy = heapAllocate(scope, state, capacity);
        f.emit(i32.store(entry, copy, at.address));
        f.emit(i32.store(entry, capacity, at.capacity));
      });
      f.emit(copyBytes.call(i32.load(entry, at.address), value.address, value.bytes));
      f.emit(i32.store(entry, value.bytes, at.bytes));
    },
    storeShared({ scope, entry }, value) {
      invariant(value.repr === "bytes", "a bytes slot holds bytes");
      scope.f.emit(i32.store(entry, value.address, at.address));
      scope.f.emit(i32.store(entry, value.bytes, at.bytes));
      scope.f.emit(i32.store(entry, 0, at.capacity));
    },
  };
}
