/**
 * UTF-8 text, sixteen bytes at a time. Loads run up to 15 bytes past the end, which every arena block has room for;
 * what they see there is masked out.
 */
import { type Expr, i8x16, i32, i64, ifElse, kernel, select, v128 } from "../../wasm/mod.ts";
import { copyBytes } from "../emit.ts";
import { hostLower, hostTrim, hostUpper } from "../host_functions.ts";
import { bytesEqual } from "./bytes.ts";
import { packText, scratchAllocate } from "./scratch.ts";

const i8x16Of = (byte: number) => v128.const(Array.from({ length: 16 }, () => byte & 0xff));

/** Bit i is 1 where byte i at `at` begins a code point; `left` bytes count. */
function codePointStarts(at: Expr<"i32">, left: Expr<"i32">): Expr<"i32"> {
  const starts = i8x16.bitmask(i8x16.ge_s(v128.load(at), i8x16Of(0xc0)));
  return i32.and(starts, ifElse(i32.lt_u(left, 16), i32.sub(i32.shl(i32.const(1), left), 1), 0xffff));
}

export const codePointCount = kernel(
  "codePointCount",
  { params: { at: "i32", bytes: "i32" }, results: ["i32"] },
  (f) => {
    const { at, bytes } = f.params;
    const count = f.local("i32", "count");
    f.while(i32.gt_s(bytes, 0), () => {
      f.set(count, i32.add(count, i32.popcnt(codePointStarts(at, bytes))));
      f.set(at, i32.add(at, 16));
      f.set(bytes, i32.sub(bytes, 16));
    });
    f.return(count);
  },
);

/** Byte offset of code point `skip`, or `bytes` when there are not so many. */
const codePointOffset = kernel(
  "codePointOffset",
  { params: { at: "i32", bytes: "i32", skip: "i32" }, results: ["i32"] },
  (f) => {
    const { at, bytes, skip } = f.params;
    const offset = f.local("i32", "offset");
    const starts = f.local("i32", "starts");
    const count = f.local("i32", "count");
    f.while(i32.lt_u(offset, bytes), () => {
      f.set(starts, codePointStarts(i32.add(at, offset), i32.sub(bytes, offset)));
      f.set(count, i32.popcnt(starts));
      f.if(i32.gt_u(count, skip), () => {
        f.while(skip, () => {
          f.set(starts, i32.and(starts, i32.sub(starts, 1)));
          f.set(skip, i32.sub(skip, 1));
        });
        f.return(i32.add(offset, i32.ctz(starts)));
      });
      f.set(skip, i32.sub(skip, count));
      f.set(offset, i32.add(offset, 16));
    });
    f.return(bytes);
  },
);

/** Beyond any text's length, but sums of two stay in range. */
const POSITION_MAX = 1n << 40n;

/** The part of the text in the window [start, start + count) of code points; a negative start counts from the end. */
export const sliceText = kernel(
  "sliceText",
  { params: { at: "i32", bytes: "i32", start: "i64", count: "i64" }, results: ["i64"] },
  (f) => {
    const { at, bytes, start, count } = f.params;
    const end = f.local("i64", "end");
    f.set(start, select(i64.gt_s(start, POSITION_MAX), i64.const(POSITION_MAX), start));
    f.set(start, select(i64.lt_s(start, -POSITION_MAX), i64.const(-POSITION_MAX), start));
    f.set(count, select(i64.gt_s(count, POSITION_MAX), i64.const(POSITION_MAX), count));
    f.if(i64.le_s(count, 0n), () => f.return(packText(at, i32.const(0))));
    f.if(i64.lt_s(start, 0n), () => f.set(start, i64.add(start, i64.extend_i32_u(codePointCount.call(at, bytes)))));
    f.set(end, i64.add(start, count));
    f.set(start, select(i64.lt_s(start, 0n), i64.const(0n), start));
    f.if(i32.or(i64.le_s(end, start), i64.ge_s(start, i64.extend_i32_u(bytes))), () =>
      f.return(packText(at, i32.const(0))),
    );
    const from = f.local("i32", "from");
    f.set(from, codePointOffset.call(at, bytes, i32.wrap_i64(start)));
    f.set(at, i32.add(at, from));
    f.set(bytes, i32.sub(bytes, from));
    f.set(count, i64.sub(end, start));
    f.if(i64.lt_s(count, i64.extend_i32_u(bytes)), () =>
      f.set(bytes, codePointOffset.call(at, bytes, i32.wrap_i64(count))),
    );
    f.return(packText(at, bytes));
  },
);

/** Offset of the first occurrence of `needle` in `text`, or -1: candidates by first and last byte (Mula, SIMD-friendly search). */
export const findText = kernel(
  "findText",
  { params: { text: "i32", bytes: "i32", needle: "i32", needleBytes: "i32" }, results: ["i32"] },
  (f) => {
    const { text, bytes, needle, needleBytes } = f.params;
    f.if(i32.eqz(needleBytes), () => f.return(0));
    f.if(i32.gt_u(needleBytes, bytes), () => f.return(-1));
    const first = f.local("v128", "first");
    const last = f.local("v128", "last");
    const left = f.local("i32", "left");
    const candidates = f.local("i32", "candidates");
    const at = f.local("i32", "at");
    const candidate = f.local("i32", "candidate");
    f.set(first, i8x16.splat(i32.load8_u(needle)));
    f.set(last, i8x16.splat(i32.load8_u(i32.sub(i32.add(needle, needleBytes), 1))));
    f.set(at, text);
    // `left` + 1 places are still to be tried.
    f.set(left, i32.sub(bytes, needleBytes));
    f.while(i32.ge_s(left, 0), () => {
      const ends = v128.load(i32.sub(i32.add(at, needleBytes), 1));
      f.set(candidates, i8x16.bitmask(v128.and(i8x16.eq(v128.load(at), first), i8x16.eq(ends, last))));
      f.if(i32.lt_u(left, 15), () => f.set(candidates, i32.and(candidates, i32.sub(i32.shl(i32.const(2), left), 1))));
      f.while(candidates, () => {
        f.set(candidate, i32.add(at, i32.ctz(candidates)));
        const inner = bytesEqual.call(i32.add(candidate, 1), i32.add(needle, 1), i32.sub(needleBytes, 2));
        f.if(ifElse(i32.le_u(needleBytes, 2), i32.const(1), inner), () => f.return(i32.sub(candidate, text)));
        f.set(candidates, i32.and(candidates, i32.sub(candidates, 1)));
      });
      f.set(at, i32.add(at, 16));
      f.set(left, i32.sub(left, 16));
    });
    f.return(-1);
  },
);

/** Every occurrence of `from` replaced by `to`; the text itself when there is none. */
export const replaceText = kernel(
  "replaceText",
  {
    params: { ctx: "i32", text: "i32", bytes: "i32", from: "i32", fromBytes: "i32", to: "i32", toBytes: "i32" },
    results: ["i64"],
  },
  (f) => {
    const { ctx, text, bytes, from, fromBytes, to, toBytes } = f.params;
    const rest = f.local("i32", "rest");
    const restBytes = f.local("i32", "restBytes");
    const found = f.local("i32", "found");
    const length = f.local("i64", "length");
    const eachMatch = (body: () => void): void => {
      f.set(rest, text);
      f.set(restBytes, bytes);
      f.loop((again) => {
        f.set(found, findText.call(rest, restBytes, from, fromBytes));
        f.if(i32.ge_s(found, 0), () => {
          body();
          f.set(found, i32.add(found, fromBytes));
          f.set(rest, i32.add(rest, found));
          f.set(restBytes, i32.sub(restBytes, found));
          f.br(again);
        });
      });
    };
    f.if(i32.eqz(fromBytes), () => f.return(packText(text, bytes)));
    const matches = f.local("i32", "matches");
    eachMatch(() => f.set(matches, i32.add(matches, 1)));
    f.if(i32.eqz(matches), () => f.return(packText(text, bytes)));
    const growth = i64.sub(i64.extend_i32_u(toBytes), i64.extend_i32_u(fromBytes));
    f.set(length, i64.add(i64.extend_i32_u(bytes), i64.mul(i64.extend_i32_u(matches), growth)));
    const start = f.local("i32", "start");
    const end = f.local("i32", "end");
    f.set(start, scratchAllocate.call(ctx, saturated(length)));
    f.set(end, start);
    const append = (at: Expr<"i32">, count: Expr<"i32">): void => {
      f.emit(copyBytes.call(end, at, count));
      f.set(end, i32.add(end, count));
    };
    eachMatch(() => {
      append(rest, found);
      append(to, toBytes);
    });
    append(rest, restBytes);
    f.return(packText(start, i32.sub(end, start)));
  },
);

/** A length in 32 bits; what is longer becomes a length that no arena has. */
export function saturated(length: Expr<"i64">): Expr<"i32"> {
  return i32.wrap_i64(select(i64.gt_u(length, 0xffff_fff0n), i64.const(0xffff_fff0n), length));
}

/** 1 when a byte past 0x7f is there. */
export const hasNonAscii = kernel("hasNonAscii", { params: { at: "i32", bytes: "i32" }, results: ["i32"] }, (f) => {
  const { at, bytes } = f.params;
  f.while(i32.ge_u(bytes, 16), () => {
    f.if(i8x16.bitmask(v128.load(at)), () => f.return(1));
    f.set(at, i32.add(at, 16));
    f.set(bytes, i32.sub(bytes, 16));
  });
  const inText = i32.sub(i32.shl(i32.const(1), bytes), 1);
  f.return(i32.ne(i32.and(i8x16.bitmask(v128.load(at)), inText), 0));
});

function caseKernel(name: string, first: string, host: typeof hostLower) {
  return kernel(name, { params: { ctx: "i32", at: "i32", bytes: "i32" }, results: ["i64"] }, (f) => {
    const { ctx, at, bytes } = f.params;
    f.if(hasNonAscii.call(at, bytes), () => f.return(host.call(ctx, at, bytes)));
    const start = f.local("i32", "start");
    const done = f.local("i32", "done");
    const block = f.local("v128", "block");
    const from = first.charCodeAt(0);
    f.set(start, scratchAllocate.call(ctx, bytes));
    f.while(i32.lt_u(done, bytes), () => {
      f.set(block, v128.load(i32.add(at, done)));
      const letters = v128.and(i8x16.ge_s(block, i8x16Of(from)), i8x16.le_s(block, i8x16Of(from + 25)));
      f.emit(v128.store(i32.add(start, done), v128.xor(block, v128.and(letters, i8x16Of(0x20)))));
      f.set(done, i32.add(done, 16));
    });
    f.return(packText(start, bytes));
  });
}

/** ASCII letters here, any other text in the host. */
export const lowerText = caseKernel("lowerText", "A", hostLower);
export const upperText = caseKernel("upperText", "a", hostUpper);

export const TRIM = { start: 1, end: 2 } as const;

/** Without white space (as in JavaScript) at the sides in `sides`, a sum of `TRIM`. */
export const trimText = kernel(
  "trimText",
  { params: { ctx: "i32", at: "i32", bytes: "i32", sides: "i32" }, results: ["i64"] },
  (f) => {
    const { ctx, at, bytes, sides } = f.params;
    const byte = f.local("i32", "byte");
    const isSpace = i32.or(i32.eq(byte, 0x20), i32.lt_u(i32.sub(byte, 9), 5));
    const side = (bit: number, edge: () => Expr<"i32">, drop: () => void): void => {
      f.if(i32.and(sides, bit), () => {
        f.block((done) => {
          f.loop((again) => {
            f.brIf(done, i32.eqz(bytes));
            f.set(byte, i32.load8_u(edge()));
            f.if(i32.ge_u(byte, 0x80), () => f.return(hostTrim.call(ctx, at, bytes, sides)));
            f.brIf(done, i32.eqz(isSpace));
            drop();
            f.br(again);
          });
        });
      });
    };
    side(
      TRIM.start,
      () => at,
      () => {
        f.set(at, i32.add(at, 1));
        f.set(bytes, i32.sub(bytes, 1));
      },
    );
    side(
      TRIM.end,
      () => i32.sub(i32.add(at, bytes), 1),
      () => f.set(bytes, i32.sub(bytes, 1)),
    );
    f.return(packText(at, bytes));
  },
);
