/**
 * 128-bit integers as pairs of i64. A function has one result, so wide results are stored at `out`: quotient, product or
 * value in the first 16 bytes, a remainder in the next 16. Division after Hacker's Delight, 9-4 and 9-5.
 */
import {
  type Expr,
  type FunctionBuilder,
  f64,
  i32,
  i64,
  kernel,
  type Local,
  type NamedParams,
  type Results,
  select,
} from "../../wasm/mod.ts";

const LOW_HALF = 0xffff_ffffn;

/** High 64 bits of the unsigned product. */
export const mulHigh = kernel("mulHigh", { params: { a: "i64", b: "i64" }, results: ["i64"] }, (f) => {
  const { a, b } = f.params;
  const [a0, a1, b0, b1, t, w] = ["a0", "a1", "b0", "b1", "t", "w"].map((name) => f.local("i64", name)) as [
    Local<"i64">,
    Local<"i64">,
    Local<"i64">,
    Local<"i64">,
    Local<"i64">,
    Local<"i64">,
  ];
  f.set(a0, i64.and(a, LOW_HALF));
  f.set(a1, i64.shr_u(a, 32n));
  f.set(b0, i64.and(b, LOW_HALF));
  f.set(b1, i64.shr_u(b, 32n));
  f.set(t, i64.add(i64.mul(a1, b0), i64.shr_u(i64.mul(a0, b0), 32n)));
  f.set(w, i64.add(i64.mul(a0, b1), i64.and(t, LOW_HALF)));
  f.return(i64.add(i64.add(i64.mul(a1, b1), i64.shr_u(t, 32n)), i64.shr_u(w, 32n)));
});

/** High 64 bits of the signed product. */
export const mulHighSigned = kernel("mulHighSigned", { params: { a: "i64", b: "i64" }, results: ["i64"] }, (f) => {
  const { a, b } = f.params;
  const fromA = i64.and(i64.shr_s(a, 63n), b);
  const fromB = i64.and(i64.shr_s(b, 63n), a);
  f.return(i64.sub(i64.sub(mulHigh.call(a, b), fromA), fromB));
});

/** (high · 2^64 + low) / divisor, unsigned; high < divisor. */
const divideWide = kernel(
  "divideWide",
  { params: { high: "i64", low: "i64", divisor: "i64" }, results: ["i64"] },
  (f) => {
    const { high, low, divisor } = f.params;
    const shift = f.local("i64", "shift");
    f.set(shift, i64.clz(divisor));
    f.set(divisor, i64.shl(divisor, shift));
    const top = f.local("i64", "top");
    f.set(top, i64.or(i64.shl(high, shift), i64.shr_u(i64.shr_u(low, 1n), i64.sub(63n, shift))));
    f.set(low, i64.shl(low, shift));
    const d1 = f.local("i64", "d1");
    const d0 = f.local("i64", "d0");
    f.set(d1, i64.shr_u(divisor, 32n));
    f.set(d0, i64.and(divisor, LOW_HALF));
    const rest = f.local("i64", "rest");
    const digit = (name: string, next: Expr<"i64">): Local<"i64"> => {
      const q = f.local("i64", name);
      f.set(q, i64.div_u(top, d1));
      f.set(rest, i64.sub(top, i64.mul(q, d1)));
      f.block((done) => {
        f.loop((again) => {
          const tooBig = i32.or(i64.gt_u(q, LOW_HALF), i64.gt_u(i64.mul(q, d0), i64.or(i64.shl(rest, 32n), next)));
          f.brIf(done, i32.eqz(tooBig));
          f.set(q, i64.sub(q, 1n));
          f.set(rest, i64.add(rest, d1));
          f.brIf(again, i64.le_u(rest, LOW_HALF));
        });
      });
      f.set(top, i64.sub(i64.or(i64.shl(top, 32n), next), i64.mul(q, divisor)));
      return q;
    };
    const q1 = digit("q1", i64.shr_u(low, 32n));
    const q0 = digit("q0", i64.and(low, LOW_HALF));
    f.return(i64.add(i64.shl(q1, 32n), q0));
  },
);

const PAIRS = { out: "i32", aLow: "i64", aHigh: "i64", bLow: "i64", bHigh: "i64" } as const;

type Builder = FunctionBuilder<NamedParams, Results>;

function store(f: Builder, out: Expr<"i32">, value: { at: number; low: Expr<"i64">; high: Expr<"i64"> }): void {
  f.emit(i64.store(out, value.low, value.at));
  f.emit(i64.store(out, value.high, value.at + 8));
}

/** Negates the pair of locals. */
function negate(f: Builder, low: Local<"i64">, high: Local<"i64">): void {
  f.set(low, i64.sub(0n, low));
  f.set(high, i64.sub(i64.sub(0n, high), i64.extend_i32_u(i32.eqz(i64.eqz(low)))));
}

/** Quotient and remainder of unsigned a / b, b not zero. */
const divideUnsigned = kernel("divideUnsigned", { params: PAIRS, results: [] }, (f) => {
  const { out, aLow, aHigh, bLow, bHigh } = f.params;
  const quotient = f.local("i64", "quotient");
  f.if(i64.eqz(i64.or(aHigh, bHigh)), () => {
    f.set(quotient, i64.div_u(aLow, bLow));
    store(f as unknown as Builder, out, { at: 0, low: quotient, high: i64.const(0n) });
    store(f as unknown as Builder, out, { at: 16, low: i64.sub(aLow, i64.mul(quotient, bLow)), high: i64.const(0n) });
    f.return();
  });
  f.if(i64.eqz(bHigh), () => {
    f.set(quotient, divideWide.call(i64.rem_u(aHigh, bLow), aLow, bLow));
    store(f as unknown as Builder, out, { at: 0, low: quotient, high: i64.div_u(aHigh, bLow) });
    store(f as unknown as Builder, out, { at: 16, low: i64.sub(aLow, i64.mul(quotient, bLow)), high: i64.const(0n) });
    f.return();
  });
  const shift = f.local("i64", "shift");
  const top = f.local("i64", "top");
  f.set(shift, i64.clz(bHigh));
  f.set(top, i64.or(i64.shl(bHigh, shift), i64.shr_u(i64.shr_u(bLow, 1n), i64.sub(63n, shift))));
  const halved = i64.or(i64.shl(aHigh, 63n), i64.shr_u(aLow, 1n));
  f.set(quotient, i64.shr_u(divideWide.call(i64.shr_u(aHigh, 1n), halved, top), i64.sub(63n, shift)));
  // At most one too large: made at most one too small, then corrected by the remainder.
  f.if(i32.eqz(i64.eqz(quotient)), () => f.set(quotient, i64.sub(quotient, 1n)));
  const low = f.local("i64", "low");
  const high = f.local("i64", "high");
  const borrow = i64.extend_i32_u(i64.lt_u(aLow, i64.mul(quotient, bLow)));
  f.set(high, i64.sub(i64.sub(aHigh, i64.add(mulHigh.call(quotient, bLow), i64.mul(quotient, bHigh))), borrow));
  f.set(low, i64.sub(aLow, i64.mul(quotient, bLow)));
  const atLeast = i32.or(i64.gt_u(high, bHigh), i32.and(i64.eq(high, bHigh), i64.ge_u(low, bLow)));
  f.if(atLeast, () => {
    f.set(quotient, i64.add(quotient, 1n));
    f.set(high, i64.sub(i64.sub(high, bHigh), i64.extend_i32_u(i64.lt_u(low, bLow))));
    f.set(low, i64.sub(low, bLow));
  });
  store(f as unknown as Builder, out, { at: 0, low: quotient, high: i64.const(0n) });
  store(f as unknown as Builder, out, { at: 16, low, high });
});

/** Signed product at `out`; 1 when it does not fit in 127 bits. */
export const multiply128 = kernel("multiply128", { params: PAIRS, results: ["i32"] }, (f) => {
  const { out, aLow, aHigh, bLow, bHigh } = f.params;
  const builder = f as unknown as Builder;
  const negative = f.local("i32", "negative");
  f.set(negative, i64.lt_s(i64.xor(aHigh, bHigh), 0n));
  f.if(i64.lt_s(aHigh, 0n), () => negate(builder, aLow, aHigh));
  f.if(i64.lt_s(bHigh, 0n), () => negate(builder, bLow, bHigh));
  const cross = f.local("i64", "cross");
  f.if(
    i64.eqz(i64.or(aHigh, bHigh)),
    () => f.set(cross, 0n),
    () => {
      f.if(i32.eqz(i32.or(i64.eqz(aHigh), i64.eqz(bHigh))), () => f.return(1));
      const factor = f.local("i64", "factor");
      f.set(factor, select(i64.eqz(aHigh), aLow, bLow));
      f.set(cross, i64.or(aHigh, bHigh));
      f.if(i32.eqz(i64.eqz(mulHigh.call(cross, factor))), () => f.return(1));
      f.set(cross, i64.mul(cross, factor));
    },
  );
  const high = f.local("i64", "high");
  const low = f.local("i64", "low");
  f.set(high, i64.add(mulHigh.call(aLow, bLow), cross));
  f.if(i32.or(i64.lt_u(high, cross), i64.lt_s(high, 0n)), () => f.return(1));
  f.set(low, i64.mul(aLow, bLow));
  f.if(negative, () => negate(builder, low, high));
  store(builder, out, { at: 0, low, high });
  f.return(0);
});

export const ROUNDING = { truncate: 0, halfAway: 1, floor: 2, ceil: 3 } as const;
export type Rounding = keyof typeof ROUNDING;

/** Signed a divided by positive b, rounded as `ROUNDING` says, at `out`. */
export const divide128 = kernel("divide128", { params: { ...PAIRS, rounding: "i32" }, results: [] }, (f) => {
  const { out, aLow, aHigh, bLow, bHigh, rounding } = f.params;
  const builder = f as unknown as Builder;
  const negative = f.local("i32", "negative");
  f.set(negative, i64.lt_s(aHigh, 0n));
  f.if(negative, () => negate(builder, aLow, aHigh));
  f.emit(divideUnsigned.call(out, aLow, aHigh, bLow, bHigh));
  const [low, high, restLow, restHigh] = ["low", "high", "restLow", "restHigh"].map((name) => f.local("i64", name)) as [
    Local<"i64">,
    Local<"i64">,
    Local<"i64">,
    Local<"i64">,
  ];
  [low, high, restLow, restHigh].forEach((local, i) => f.set(local, i64.load(out, i * 8)));
  const up = f.local("i32", "up");
  f.if(i32.eq(rounding, ROUNDING.halfAway), () => {
    // rest >= b - rest
    f.set(bHigh, i64.sub(i64.sub(bHigh, restHigh), i64.extend_i32_u(i64.lt_u(bLow, restLow))));
    f.set(bLow, i64.sub(bLow, restLow));
    f.set(up, i32.or(i64.gt_u(restHigh, bHigh), i32.and(i64.eq(restHigh, bHigh), i64.ge_u(restLow, bLow))));
  });
  const hasRest = i32.eqz(i64.eqz(i64.or(restLow, restHigh)));
  f.if(i32.eq(rounding, ROUNDING.floor), () => f.set(up, i32.and(negative, hasRest)));
  f.if(i32.eq(rounding, ROUNDING.ceil), () => f.set(up, i32.and(i32.eqz(negative), hasRest)));
  f.if(up, () => {
    f.set(low, i64.add(low, 1n));
    f.set(high, i64.add(high, i64.extend_i32_u(i64.eqz(low))));
  });
  f.if(negative, () => negate(builder, low, high));
  store(builder, out, { at: 0, low, high });
});

/** Signed remainder of a / b (b not zero) with the sign of a, at `out`. */
export const remainder128 = kernel("remainder128", { params: PAIRS, results: [] }, (f) => {
  const { out, aLow, aHigh, bLow, bHigh } = f.params;
  const builder = f as unknown as Builder;
  const negative = f.local("i32", "negative");
  f.set(negative, i64.lt_s(aHigh, 0n));
  f.if(negative, () => negate(builder, aLow, aHigh));
  f.if(i64.lt_s(bHigh, 0n), () => negate(builder, bLow, bHigh));
  f.emit(divideUnsigned.call(out, aLow, aHigh, bLow, bHigh));
  f.set(aLow, i64.load(out, 16));
  f.set(aHigh, i64.load(out, 24));
  f.if(negative, () => negate(builder, aLow, aHigh));
  store(builder, out, { at: 0, low: aLow, high: aHigh });
});

/** Nearest double, ties to even. */
export const float64From128 = kernel(
  "float64From128",
  { params: { low: "i64", high: "i64" }, results: ["f64"] },
  (f) => {
    const { low, high } = f.params;
    f.if(i64.eq(high, i64.shr_s(low, 63n)), () => f.return(f64.convert_i64_s(low)));
    const negative = f.local("i32", "negative");
    f.set(negative, i64.lt_s(high, 0n));
    f.if(negative, () => negate(f as unknown as Builder, low, high));
    const value = f.local("f64", "value");
    f.if(
      i64.eqz(high),
      () => f.set(value, f64.convert_i64_u(low)),
      () => {
        // The top 64 bits, the last of them 1 when any bit was cut off: the conversion then rounds correctly.
        const shift = f.local("i64", "shift");
        const top = f.local("i64", "top");
        f.set(shift, i64.clz(high));
        f.set(top, i64.or(i64.shl(high, shift), i64.shr_u(i64.shr_u(low, 1n), i64.sub(63n, shift))));
        f.set(top, i64.or(top, i64.extend_i32_u(i32.eqz(i64.eqz(i64.shl(low, shift))))));
        const power = f64.reinterpret_i64(i64.shl(i64.sub(1023n + 64n, shift), 52n));
        f.set(value, f64.mul(f64.convert_i64_u(top), power));
      },
    );
    f.if(negative, () => f.set(value, f64.neg(value)));
    f.return(value);
  },
);

/** Stores the whole number `x` (|x| < 2^127) at `out`. */
export const int128FromFloat64 = kernel("int128FromFloat64", { params: { out: "i32", x: "f64" }, results: [] }, (f) => {
  const { out, x } = f.params;
  const magnitude = f.local("f64", "magnitude");
  const low = f.local("i64", "low");
  const high = f.local("i64", "high");
  f.set(magnitude, f64.abs(x));
  f.set(high, i64.trunc_sat_f64_u(f64.mul(magnitude, 2 ** -64)));
  f.set(low, i64.trunc_sat_f64_u(f64.sub(magnitude, f64.mul(f64.convert_i64_u(high), 2 ** 64))));
  f.if(f64.lt(x, 0), () => negate(f as unknown as Builder, low, high));
  store(f as unknown as Builder, out, { at: 0, low, high });
});

/**
 * A decimal's double as DuckDB computes it: up to 2^53 by one correctly rounded division, above as whole part plus
 * fraction. `power` is 10^scale.
 */
export const float64FromDecimal = kernel(
  "float64FromDecimal",
  { params: { ...PAIRS, power: "f64" }, results: ["f64"] },
  (f) => {
    const { out, aLow, aHigh, bLow, bHigh, power } = f.params;
    const exact = f.local("i32", "exact");
    f.set(exact, i32.and(i64.eq(aHigh, i64.shr_s(aLow, 63n)), i64.le_u(i64.add(aLow, 1n << 53n), 1n << 54n)));
    f.if(exact, () => f.return(f64.div(f64.convert_i64_s(aLow), power)));
    f.emit(divide128.call(out, aLow, aHigh, bLow, bHigh, ROUNDING.truncate));
    const whole = f.local("f64", "whole");
    f.set(whole, float64From128.call(i64.load(out), i64.load(out, 8)));
    f.emit(remainder128.call(out, aLow, aHigh, bLow, bHigh));
    f.return(f64.add(whole, f64.div(float64From128.call(i64.load(out), i64.load(out, 8)), power)));
  },
);
