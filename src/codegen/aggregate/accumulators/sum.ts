/**
 * Sums. Integers and decimals are exact whatever the order of rows: integers of up to 32 bits in 64 bits, 64-bit ones in
 * 128, decimals in 192; whether the result fits is asked once, at the end. Floats are added in the order of rows within
 * a worker and then by worker, so their last bits may differ from run to run.
 */
import { type DataType, isSignedInteger, isTemporal } from "../../../arrow/mod.ts";
import { invariant } from "../../../kernel/mod.ts";
import { type Expr, f64, i32, i64, type Local, select } from "../../../wasm/mod.ts";
import type { RowScope } from "../../scope.ts";
import { reprOf, type Value } from "../../value.ts";
import type { Accumulator, EntryCode, VectorTotal } from "../accumulator.ts";
import type { Packing } from "../packing.ts";

export type SumAccumulator = Accumulator &
  (
    | { readonly form: "f64"; readonly offset: number }
    /** `words` 64-bit words, least significant first: two's complement, or unsigned when one word and `unsigned`. */
    | { readonly form: "integer"; readonly offset: number; readonly words: 1 | 2 | 3 }
  );

export function sumAccumulator(packing: Packing, type: DataType): SumAccumulator {
  const repr = reprOf(type);
  if (repr === "f32" || repr === "f64") return floatSum(packing.take(8));
  if (repr === "i32") return narrowSum(packing.take(8), isSigned(type));
  if (repr === "i64") return wideSum(packing, { words: 2, signed: isSigned(type) });
  invariant(repr === "i128", `no sum of ${type.kind}`);
  return wideSum(packing, { words: 3, signed: true });
}

function isSigned(type: DataType): boolean {
  return isSignedInteger(type) || isTemporal(type);
}

function floatSum(offset: number): SumAccumulator {
  const add = ({ scope, entry }: EntryCode, x: Expr<"f64">) =>
    scope.f.emit(f64.store(entry, f64.add(f64.load(entry, offset), x), offset));
  return {
    form: "f64",
    offset,
    update(code, value) {
      invariant(value?.repr === "f64" || value?.repr === "f32", "a float sum adds floats");
      const x = value.repr === "f64" ? value.value : f64.promote_f32(value.value);
      add(code, value.isNull === null ? x : select(value.isNull, f64.const(0), x));
    },
    merge: (code, from) => add(code, f64.load(from, offset)),
    total: { kind: "floatSum", add },
  };
}

function narrowSum(offset: number, signed: boolean): SumAccumulator {
  const add = ({ scope, entry }: EntryCode, x: Expr<"i64">) =>
    scope.f.emit(i64.store(entry, i64.add(i64.load(entry, offset), x), offset));
  return {
    form: "integer",
    offset,
    words: 1,
    update(code, value) {
      invariant(value?.repr === "i32", "a narrow sum adds small integers");
      const wide = signed ? i64.extend_i32_s(value.value) : i64.extend_i32_u(value.value);
      add(code, value.isNull === null ? wide : select(value.isNull, i64.const(0n), wide));
    },
    merge: (code, from) => add(code, i64.load(from, offset)),
    total: { kind: "integerSum", wide: false, add: (code, low) => add(code, low) },
  };
}

function wideSum(packing: Packing, options: { readonly words: 2 | 3; readonly signed: boolean }): SumAccumulator {
  const { words } = options;
  const offset = packing.take(16);
  if (words === 3) {
    const third = packing.take(8);
    invariant(third === offset + 16, "the words of a sum follow each other");
  }
  return {
    form: "integer",
    offset,
    words,
    update(code, value) {
      const parts = wordsOf(code.scope, value, options);
      const { isNull } = value as Value;
      const given = isNull === null ? parts : parts.map((part) => select(isNull, i64.const(0n), part));
      addWords(code, offset, given);
    },
    merge: (code, from) =>
      addWords(
        code,
        offset,
        Array.from({ length: words }, (_, i) => i64.load(from, offset + 8 * i)),
      ),
    ...(words === 2 ? { total: wideTotal(offset) } : {}),
  };
}

function wideTotal(offset: number): VectorTotal {
  return { kind: "integerSum", wide: true, add: (code, low, high) => addWords(code, offset, [low, high]) };
}

/** `value` extended to the words of the sum, least significant first. */
function wordsOf(
  scope: RowScope,
  value: Value | null,
  options: { readonly words: number; readonly signed: boolean },
): Expr<"i64">[] {
  if (value?.repr === "i64") {
    return [value.value, options.signed ? i64.shr_s(value.value, 63n) : i64.const(0n)];
  }
  invariant(value?.repr === "i128", "a wide sum adds 64-bit integers or decimals");
  const high = keep(scope, value.high);
  return [value.low, high, i64.shr_s(high, 63n)];
}

/** Adds with carry to the words at `offset`. */
function addWords({ scope, entry }: EntryCode, offset: number, given: readonly Expr<"i64">[]): void {
  const { f } = scope;
  let carry: Expr<"i64"> | null = null;
  given.forEach((word, i) => {
    const at = offset + 8 * i;
    const last = i === given.length - 1;
    const addend = keep(scope, word);
    const sum = f.local("i64", "sum");
    f.set(sum, i64.add(i64.load(entry, at), addend));
    let out: Expr<"i32"> | null = last ? null : i64.lt_u(sum, addend);
    if (carry !== null) {
      const before = out === null ? null : keep32(scope, out);
      f.set(sum, i64.add(sum, carry));
      if (before !== null) out = i32.or(before, i64.lt_u(sum, carry));
    }
    f.emit(i64.store(entry, sum, at));
    carry = out === null ? null : keep(scope, i64.extend_i32_u(out));
  });
}

function keep(scope: RowScope, value: Expr<"i64">): Expr<"i64"> {
  if (value.kind === "local" || value.kind === "const") return value;
  const local = scope.f.local("i64", "word");
  scope.f.set(local, value);
  return local;
}

function keep32(scope: RowScope, value: Expr<"i32">): Local<"i32"> {
  const local = scope.f.local("i32", "carry");
  scope.f.set(local, value);
  return local;
}
