/** Numbers as text and back; what is rare or needs more than 64 bits goes to the host. */
import { type Expr, f64, i32, i64, kernel } from "../../wasm/mod.ts";
import { hostFormatDecimal, hostParseFloat64 } from "../host_functions.ts";
import { packText, scratchAllocate } from "./scratch.ts";

/** Digits of a uint64 and a sign, rounded up. */
const INTEGER_TEXT_BYTES = 24;

/** Decimal digits of `magnitude` (unsigned), behind a minus when `negative`. */
export const formatInteger = kernel(
  "formatInteger",
  { params: { ctx: "i32", magnitude: "i64", negative: "i32" }, results: ["i64"] },
  (f) => {
    const { ctx, magnitude, negative } = f.params;
    const end = f.local("i32", "end");
    const at = f.local("i32", "at");
    f.set(end, i32.add(scratchAllocate.call(ctx, INTEGER_TEXT_BYTES), INTEGER_TEXT_BYTES));
    f.set(at, end);
    const put = (byte: Expr<"i32">) => {
      f.set(at, i32.sub(at, 1));
      f.emit(i32.store8(at, byte));
    };
    f.loop((again) => {
      put(i32.add(i32.wrap_i64(i64.rem_u(magnitude, 10n)), 0x30));
      f.set(magnitude, i64.div_u(magnitude, 10n));
      f.brIf(again, i32.eqz(i64.eqz(magnitude)));
    });
    f.if(negative, () => put(i32.const(0x2d)));
    f.return(packText(at, i32.sub(end, at)));
  },
);

/**
 * Parses `[+-]digits` with white space around into `out`; 1 when it is a number of magnitude up to `maxMagnitude`, or
 * `minMagnitude` when negative (unsigned both).
 */
export const parseInteger = kernel(
  "parseInteger",
  {
    params: { at: "i32", bytes: "i32", out: "i32", maxMagnitude: "i64", minMagnitude: "i64" },
    results: ["i32"],
  },
  (f) => {
    const { at, bytes, out, maxMagnitude, minMagnitude } = f.params;
    const end = f.local("i32", "end");
    const byte = f.local("i32", "byte");
    const negative = f.local("i32", "negative");
    const value = f.local("i64", "value");
    const isSpace = i32.or(i32.eq(byte, 0x20), i32.lt_u(i32.sub(byte, 9), 5));
    f.set(end, i32.add(at, bytes));
    const skipSpace = (edge: () => Expr<"i32">, drop: () => void): void => {
      f.block((done) => {
        f.loop((again) => {
          f.brIf(done, i32.ge_u(at, end));
          f.set(byte, i32.load8_u(edge()));
          f.brIf(done, i32.eqz(isSpace));
          drop();
          f.br(again);
        });
      });
    };
    skipSpace(
      () => at,
      () => f.set(at, i32.add(at, 1)),
    );
    skipSpace(
      () => i32.sub(end, 1),
      () => f.set(end, i32.sub(end, 1)),
    );
    f.if(i32.ge_u(at, end), () => f.return(0));
    f.set(byte, i32.load8_u(at));
    f.set(negative, i32.eq(byte, 0x2d));
    f.if(i32.or(negative, i32.eq(byte, 0x2b)), () => f.set(at, i32.add(at, 1)));
    f.if(i32.ge_u(at, end), () => f.return(0));
    f.if(negative, () => f.set(maxMagnitude, minMagnitude));
    f.loop((again) => {
      f.set(byte, i32.sub(i32.load8_u(at), 0x30));
      f.if(i32.gt_u(byte, 9), () => f.return(0));
      // value * 10 + digit <= max, without overflow
      const digit = i64.extend_i32_u(byte);
      f.if(i64.gt_u(digit, maxMagnitude), () => f.return(0));
      f.if(i64.gt_u(value, i64.div_u(i64.sub(maxMagnitude, digit), 10n)), () => f.return(0));
      f.set(value, i64.add(i64.mul(value, 10n), digit));
      f.set(at, i32.add(at, 1));
      f.brIf(again, i32.lt_u(at, end));
    });
    f.if(negative, () => f.set(value, i64.sub(0n, value)));
    f.emit(i64.store(out, value));
    f.return(1);
  },
);

/** Digits of an int64, its point and a sign, rounded up. */
const DECIMAL_TEXT_BYTES = 32;
const SCALE_MAX = 18;

/** An unscaled decimal with `scale` digits after the point. */
export const formatDecimal = kernel(
  "formatDecimal",
  { params: { ctx: "i32", low: "i64", high: "i64", scale: "i32" }, results: ["i64"] },
  (f) => {
    const { ctx, low, high, scale } = f.params;
    const end = f.local("i32", "end");
    const at = f.local("i32", "at");
    const negative = f.local("i32", "negative");
    const inHost = i32.or(i64.ne(high, i64.shr_s(low, 63n)), i32.gt_u(scale, SCALE_MAX));
    f.if(inHost, () => f.return(hostFormatDecimal.call(ctx, low, high, scale)));
    f.set(negative, i64.lt_s(low, 0n));
    f.if(negative, () => f.set(low, i64.sub(0n, low)));
    f.set(end, i32.add(scratchAllocate.call(ctx, DECIMAL_TEXT_BYTES), DECIMAL_TEXT_BYTES));
    f.set(at, end);
    const put = (byte: Expr<"i32">) => {
      f.set(at, i32.sub(at, 1));
      f.emit(i32.store8(at, byte));
    };
    const putDigit = () => {
      put(i32.add(i32.wrap_i64(i64.rem_u(low, 10n)), 0x30));
      f.set(low, i64.div_u(low, 10n));
    };
    f.if(scale, () => {
      f.while(scale, () => {
        putDigit();
        f.set(scale, i32.sub(scale, 1));
      });
      put(i32.const(0x2e));
    });
    f.loop((again) => {
      putDigit();
      f.brIf(again, i32.eqz(i64.eqz(low)));
    });
    f.if(negative, () => put(i32.const(0x2d)));
    f.return(packText(at, i32.sub(end, at)));
  },
);

/** Up to so many digits are exact in a double, and so is the power of ten to divide by. */
const EXACT_DIGITS_MAX = 15;

/** As `hostParseFloat64`; plain numbers of few digits are one exact division (Clinger's fast path). */
export const parseFloat64 = kernel(
  "parseFloat64",
  { params: { at: "i32", bytes: "i32", out: "i32" }, results: ["i32"] },
  (f) => {
    const { at, bytes, out } = f.params;
    const from = f.local("i32", "from");
    const end = f.local("i32", "end");
    const byte = f.local("i32", "byte");
    const digits = f.local("i32", "digits");
    const points = f.local("i32", "points");
    const negative = f.local("i32", "negative");
    const whole = f.local("i64", "whole");
    const power = f.local("f64", "power");
    const value = f.local("f64", "value");
    f.set(from, at);
    f.set(end, i32.add(at, bytes));
    f.set(power, 1);
    f.block((inHost) => {
      f.brIf(inHost, i32.gt_u(i32.sub(bytes, 1), EXACT_DIGITS_MAX + 1));
      f.set(negative, i32.eq(i32.load8_u(from), 0x2d));
      f.set(from, i32.add(from, negative));
      f.while(i32.lt_u(from, end), () => {
        f.set(byte, i32.sub(i32.load8_u(from), 0x30));
        f.if(
          i32.le_u(byte, 9),
          () => {
            f.set(whole, i64.add(i64.mul(whole, 10n), i64.extend_i32_u(byte)));
            f.set(digits, i32.add(digits, 1));
            f.if(points, () => f.set(power, f64.mul(power, 10)));
          },
          () => {
            f.brIf(inHost, i32.or(points, i32.ne(byte, 0x2e - 0x30)));
            f.set(points, 1);
          },
        );
        f.set(from, i32.add(from, 1));
      });
      f.brIf(inHost, i32.gt_u(i32.sub(digits, 1), EXACT_DIGITS_MAX - 1));
      f.set(value, f64.div(f64.convert_i64_u(whole), power));
      f.if(negative, () => f.set(value, f64.neg(value)));
      f.emit(f64.store(out, value));
      f.return(1);
    });
    f.return(hostParseFloat64.call(at, bytes, out));
  },
);
