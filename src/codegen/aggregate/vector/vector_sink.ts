/** Accumulators held in vector registers over a run of blocks, and their addition to the entry behind it. */
import { type DataType } from "../../../arrow/mod.ts";
import { invariant } from "../../../kernel/mod.ts";
import { type Expr, f32, f64, f64x2, i32, i64, i64x2, type Local, select, v128 } from "../../../wasm/mod.ts";
import type { RowScope } from "../../scope.ts";
import { reprOf, type Value } from "../../value.ts";
import type { EntryCode, VectorTotal } from "../accumulator.ts";
import { kept, type Pair, type VectorCode, type VectorValue } from "./vector_value.ts";

/** Takes the pairs of a run of blocks for one accumulator. */
export interface VectorSink {
  /** Emits start values, before the run. */
  open(): void;
  /** Emits the update by a pair of which `selected` rows count; null: both. */
  add(pair: Pair, selected: Expr<"v128"> | null): void;
  /** Emits the addition of what was collected to the entry. */
  close(code: EntryCode): void;
}

const ONES = v128.const(Array.from({ length: 16 }, () => 0xff));

/** Rows of `pair` that are selected and not null. */
function present(value: VectorValue | null, selected: Expr<"v128"> | null): Expr<"v128"> | null {
  const isNull = value?.isNull ?? null;
  if (isNull === null) return selected;
  return selected === null ? v128.not(isNull) : v128.andnot(selected, isNull);
}

/** The sink for an accumulator that can add totals; null when its argument has no lanes of the right form. */
export function vectorSink(
  scope: RowScope,
  total: VectorTotal,
  argument: { readonly code: VectorCode | null; readonly type: DataType | null },
): VectorSink | null {
  const { code, type } = argument;
  switch (total.kind) {
    case "count":
    case "seen":
      return countSink(scope, total, code);
    case "floatSum":
      return code?.form === "f64" ? floatSumSink(scope, total, code) : null;
    case "integerSum":
      return code?.form === "i64" ? integerSumSink(scope, total, code) : null;
    case "extreme":
      if (type === null || code === null) return null;
      if (code.form === "i64") return integerExtremeSink(scope, total, { code, type });
      return code.form === "f64" ? floatExtremeSink(scope, total, { code, type }) : null;
  }
}

function countSink(
  scope: RowScope,
  total: Extract<VectorTotal, { kind: "count" | "seen" }>,
  argument: VectorCode | null,
): VectorSink {
  const { f } = scope;
  const counts = f.local("v128", "counts");
  return {
    open: () => f.set(counts, i64x2.splat(0n)),
    add(pair, selected) {
      const mask = present(argument?.emit(pair) ?? null, selected) ?? ONES;
      f.set(counts, i64x2.sub(counts, mask));
    },
    close(code) {
      const count = i64.add(i64x2.extract_lane(counts, 0), i64x2.extract_lane(counts, 1));
      if (total.kind === "count") total.add(code, count);
      else total.add(code, i64.ne(count, 0n));
    },
  };
}

/** Sums that are independent of each other, so that additions need not wait for the one before. */
const FLOAT_SUMS = 2;

function floatSumSink(
  scope: RowScope,
  total: Extract<VectorTotal, { kind: "floatSum" }>,
  argument: VectorCode,
): VectorSink {
  const { f } = scope;
  const sums = Array.from({ length: FLOAT_SUMS }, () => f.local("v128", "sum"));
  return {
    open: () => sums.forEach((sum) => f.set(sum, f64x2.splat(0))),
    add(pair, selected) {
      const value = argument.emit(pair);
      const mask = present(value, selected);
      const sum = sums[pair.index % FLOAT_SUMS] as Local<"v128">;
      f.set(sum, f64x2.add(sum, mask === null ? value.value : v128.and(value.value, mask)));
    },
    close(code) {
      const all = f.local("v128", "sum");
      f.set(
        all,
        (sums as Expr<"v128">[]).reduce((a, b) => f64x2.add(a, b)),
      );
      total.add(code, f64.add(f64x2.extract_lane(all, 0), f64x2.extract_lane(all, 1)));
    },
  };
}

/** Lower and upper halves are added apart: exact for 2^31 rows. */
function integerSumSink(
  scope: RowScope,
  total: Extract<VectorTotal, { kind: "integerSum" }>,
  argument: VectorCode,
): VectorSink {
  const { f } = scope;
  const lows = f.local("v128", "lows");
  const highs = f.local("v128", "highs");
  const lanes = (sum: Expr<"v128">) => i64.add(i64x2.extract_lane(sum, 0), i64x2.extract_lane(sum, 1));
  return {
    open() {
      f.set(lows, i64x2.splat(0n));
      f.set(highs, i64x2.splat(0n));
    },
    add(pair, selected) {
      const value = argument.emit(pair);
      const mask = present(value, selected);
      const given = kept(pair, mask === null ? value.value : v128.and(value.value, mask));
      if (!total.wide) {
        f.set(lows, i64x2.add(lows, given));
        return;
      }
      f.set(lows, i64x2.add(lows, v128.and(given, i64x2.splat(0xffff_ffffn))));
      f.set(highs, i64x2.add(highs, i64x2.shr_s(given, 32)));
    },
    close(code) {
      const low = keptLane(scope, lanes(lows));
      if (!total.wide) {
        total.add(code, low, i64.shr_s(low, 63n));
        return;
      }
      // low + high × 2^32 as 128 bits; `low` is not negative.
      const high = keptLane(scope, lanes(highs));
      const shifted = keptLane(scope, i64.shl(high, 32n));
      const sum = keptLane(scope, i64.add(shifted, low));
      const carry = i64.extend_i32_u(i64.lt_u(sum, low));
      total.add(code, sum, i64.add(i64.shr_s(high, 32n), carry));
    },
  };
}

function keptLane(scope: RowScope, value: Expr<"i64">): Local<"i64"> {
  const local = scope.f.local("i64", "total");
  scope.f.set(local, value);
  return local;
}

type Extreme = Extract<VectorTotal, { kind: "extreme" }>;
interface ExtremeArgument {
  readonly code: VectorCode;
  readonly type: DataType;
}

const INT64_MAX = (1n << 63n) - 1n;

function integerExtremeSink(scope: RowScope, total: Extreme, argument: ExtremeArgument): VectorSink {
  const { f } = scope;
  const best = f.local("v128", "best");
  const seen = f.local("v128", "seen");
  const least = total.which === "min";
  return {
    open() {
      f.set(best, i64x2.splat(least ? INT64_MAX : -INT64_MAX - 1n));
      f.set(seen, i64x2.splat(0n));
    },
    add(pair, selected) {
      const value = argument.code.emit(pair);
      const mask = present(value, selected);
      const better = least ? i64x2.lt_s(value.value, best) : i64x2.gt_s(value.value, best);
      f.set(seen, mask === null ? ONES : v128.or(seen, mask));
      f.set(best, v128.bitselect(value.value, best, mask === null ? better : v128.and(better, mask)));
    },
    close(code) {
      const a = keptLane(scope, i64x2.extract_lane(best, 0));
      const b = keptLane(scope, i64x2.extract_lane(best, 1));
      const value = keptLane(scope, select(least ? i64.lt_s(a, b) : i64.gt_s(a, b), a, b));
      const isNull = f.local("i32", "none");
      f.set(isNull, i32.eqz(v128.any_true(seen)));
      total.take(code, integerValue(argument.type, value, isNull));
    },
  };
}

function integerValue(type: DataType, value: Expr<"i64">, isNull: Expr<"i32">): Value {
  if (reprOf(type) === "i64") return { type, isNull, repr: "i64", value };
  return { type, isNull, repr: "i32", value: i32.wrap_i64(value) };
}

/** NaN is greatest: a maximum is NaN when there was one, a minimum when there was nothing else. */
function floatExtremeSink(scope: RowScope, total: Extreme, argument: ExtremeArgument): VectorSink {
  const { f } = scope;
  const best = f.local("v128", "best");
  const numbers = f.local("v128", "numbers");
  const nans = f.local("v128", "nans");
  const least = total.which === "min";
  return {
    open() {
      f.set(best, f64x2.splat(least ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY));
      f.set(numbers, i64x2.splat(0n));
      f.set(nans, i64x2.splat(0n));
    },
    add(pair, selected) {
      const value = argument.code.emit(pair);
      const mask = kept(pair, present(value, selected) ?? ONES);
      const isNumber = kept(pair, f64x2.eq(value.value, value.value));
      const better = least ? f64x2.lt(value.value, best) : f64x2.gt(value.value, best);
      f.set(numbers, v128.or(numbers, v128.and(isNumber, mask)));
      f.set(nans, v128.or(nans, v128.andnot(mask, isNumber)));
      f.set(best, v128.bitselect(value.value, best, v128.and(better, mask)));
    },
    close(code) {
      const a = f64x2.extract_lane(best, 0);
      const b = f64x2.extract_lane(best, 1);
      const number = least ? f64.min(a, b) : f64.max(a, b);
      const isNan = least ? i32.eqz(v128.any_true(numbers)) : v128.any_true(nans);
      const value = f.local("f64", "best");
      f.set(value, select(isNan, f64.const(Number.NaN), number));
      const isNull = f.local("i32", "none");
      f.set(isNull, i32.eqz(v128.any_true(v128.or(numbers, nans))));
      const { type } = argument;
      invariant(type.kind === "float32" || type.kind === "float64", "float lanes are of a float type");
      if (type.kind === "float64") total.take(code, { type, isNull, repr: "f64", value });
      else total.take(code, { type, isNull, repr: "f32", value: f32.demote_f64(value) });
    },
  };
}
