/** From accumulators to the aggregate's value, when all rows of a group are in. */
import { type DataType, DECIMAL_PRECISION_MAX, valueType } from "../../arrow/mod.ts";
import { invariant } from "../../kernel/mod.ts";
import type { AggregateCall, TypedExpression } from "../../plan/mod.ts";
import { type Expr, f64, hostFunction, i32, i64, ifElse } from "../../wasm/mod.ts";
import type { RowScope } from "../scope.ts";
import { reprOf, type Value } from "../value.ts";
import { type CountAccumulator, type SeenAccumulator } from "./accumulators/count.ts";
import type { MomentsAccumulator } from "./accumulators/moments.ts";
import type { SumAccumulator } from "./accumulators/sum.ts";
import type { ValueSlot } from "./accumulators/value_slot.ts";
import type { ValuesAccumulator } from "./accumulators/values.ts";
import { int128ToFloat, scaled } from "./to_float.ts";

/** Emits the code for an aggregate's value of the group at `entry`. */
export type Result = (scope: RowScope, entry: Expr<"i32">) => Value;

const float64: DataType = { kind: "float64" };

export function countResult(counter: Pick<CountAccumulator, "count">, type: DataType): Result {
  return (scope, entry) => ({ type, isNull: null, repr: "i64", value: kept64(scope, counter.count(entry)) });
}

export function sumResult(of: {
  readonly sum: SumAccumulator;
  readonly seen: SeenAccumulator | null;
  readonly argument: TypedExpression;
  readonly call: AggregateCall;
  readonly type: DataType;
}): Result {
  const { sum, seen, call, type } = of;
  return (scope, entry) => {
    const isNull = seen === null ? null : kept32(scope, i32.eqz(seen.seen(entry)));
    if (sum.form === "f64") return { type, isNull, repr: "f64", value: keptFloat(scope, f64.load(entry, sum.offset)) };
    const [low, high, top] = words(scope, entry, sum);
    invariant(low !== undefined, "a sum has words");
    if (reprOf(valueType(type)) === "i128") {
      const full = high ?? kept64(scope, i64.shr_s(low, 63n));
      scope.if(isNoDecimal(scope, { low, high: full, top: top ?? kept64(scope, i64.shr_s(full, 63n)) }), () =>
        scope.fail("decimalOverflow", textOf(call)),
      );
      return { type, isNull, repr: "i128", low, high: full };
    }
    if (high !== undefined) {
      const fits = type.kind === "uint64" ? i64.eqz(high) : i64.eq(high, i64.shr_s(low, 63n));
      scope.if(i32.eqz(fits), () => scope.fail("integerOverflow", textOf(call)));
    }
    return { type, isNull, repr: "i64", value: low };
  };
}

function textOf(call: AggregateCall): string {
  return `${call.fn} "${call.name}"`;
}

/** 1 when a 192-bit integer has more than 38 digits. */
function isNoDecimal(
  scope: RowScope,
  value: { readonly low: Expr<"i64">; readonly high: Expr<"i64">; readonly top: Expr<"i64"> },
): Expr<"i32"> {
  const { low, high, top } = value;
  const limit = 10n ** BigInt(DECIMAL_PRECISION_MAX);
  const [limitLow, limitHigh] = [BigInt.asIntN(64, limit), BigInt.asIntN(64, limit >> 64n)];
  const sign = kept64(scope, i64.shr_s(high, 63n));
  // |x| as unsigned 128 bits: (x ^ sign) − sign.
  const flipped = kept64(scope, i64.sub(i64.xor(low, sign), sign));
  const borrow = i64.extend_i32_u(i32.and(i64.eqz(flipped), i32.wrap_i64(i64.and(sign, 1n))));
  const absHigh = kept64(scope, i64.add(i64.xor(high, sign), borrow));
  const tooLarge = i32.or(
    i64.gt_u(absHigh, limitHigh),
    i32.and(i64.eq(absHigh, limitHigh), i64.ge_u(flipped, limitLow)),
  );
  return i32.or(i64.ne(top, sign), tooLarge);
}

function words(scope: RowScope, entry: Expr<"i32">, sum: SumAccumulator): Expr<"i64">[] {
  invariant(sum.form === "integer", "words of an integer sum");
  return Array.from({ length: sum.words }, (_, i) => kept64(scope, i64.load(entry, sum.offset + 8 * i)));
}

export function averageResult(of: {
  readonly sum: SumAccumulator;
  readonly count: CountAccumulator;
  readonly argument: TypedExpression;
}): Result {
  const { sum, count, argument } = of;
  const { type } = argument;
  return (scope, entry) => {
    const rows = kept64(scope, count.count(entry));
    const isNull = kept32(scope, i64.eqz(rows));
    const total = sum.form === "f64" ? f64.load(entry, sum.offset) : sumAsFloat(scope, words(scope, entry, sum), type);
    const mean = f64.div(total, f64.convert_i64_s(rows));
    const value = keptFloat(scope, type.kind === "decimal" ? scaled(mean, type.scale) : mean);
    return { type: float64, isNull, repr: "f64", value };
  };
}

function sumAsFloat(scope: RowScope, parts: readonly Expr<"i64">[], type: DataType): Expr<"f64"> {
  const [low, high, top] = parts;
  invariant(low !== undefined, "a sum has words");
  const unsigned = type.kind.startsWith("uint");
  if (high === undefined) return unsigned ? f64.convert_i64_u(low) : f64.convert_i64_s(low);
  const narrow = int128ToFloat(scope, { low, high });
  if (top === undefined) return narrow;
  const wide = f64.add(
    f64.add(f64.mul(f64.convert_i64_s(top), 2 ** 128), f64.mul(f64.convert_i64_u(high), 2 ** 64)),
    f64.convert_i64_u(low),
  );
  return ifElse(i64.eq(top, i64.shr_s(high, 63n)), narrow, wide);
}

/** A value that the entry holds as it is. */
export function heldResult(
  slot: ValueSlot,
  of: { readonly type: DataType; readonly isPresent: (entry: Expr<"i32">) => Expr<"i32"> },
): Result {
  return (scope, entry) => {
    const isNull = kept32(scope, i32.eqz(of.isPresent(entry)));
    return { ...slot.load(scope, entry), type: of.type, isNull };
  };
}

export function spreadResult(moments: MomentsAccumulator, which: "variance" | "stddev"): Result {
  return (scope, entry) => {
    const count = keptFloat(scope, moments.count(entry));
    const isNull = kept32(scope, f64.lt(count, 2));
    const variance = f64.div(moments.squares(entry), f64.sub(count, 1));
    const value = keptFloat(scope, which === "variance" ? variance : f64.sqrt(variance));
    return { type: float64, isNull, repr: "f64", value };
  };
}

/** (first value block, count of values, quantile) → the quantile; count is at least 1. */
const quantileOf = hostFunction("env", "aggregateQuantile", { params: ["i32", "i32", "f64"], results: ["f64"] });

export function quantileResult(values: ValuesAccumulator, quantile: number): Result {
  return (scope, entry) => {
    const count = kept64(scope, values.count(entry));
    const isNull = kept32(scope, i64.eqz(count));
    const value = scope.f.local("f64", "quantile");
    scope.f.if(i32.eqz(isNull), () =>
      scope.f.set(value, quantileOf.call(values.head(entry), i32.wrap_i64(count), quantile)),
    );
    return { type: float64, isNull, repr: "f64", value };
  };
}

function kept32(scope: RowScope, value: Expr<"i32">): Expr<"i32"> {
  const local = scope.f.local("i32", "result");
  scope.f.set(local, value);
  return local;
}

function kept64(scope: RowScope, value: Expr<"i64">): Expr<"i64"> {
  const local = scope.f.local("i64", "result");
  scope.f.set(local, value);
  return local;
}

function keptFloat(scope: RowScope, value: Expr<"f64">): Expr<"f64"> {
  const local = scope.f.local("f64", "result");
  scope.f.set(local, value);
  return local;
}
