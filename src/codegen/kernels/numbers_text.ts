/** Integers as text and back. */
import { type Expr, i32, i64, kernel } from "../../wasm/mod.ts";
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
