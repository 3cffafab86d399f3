import { i32, kernel, select } from "../../wasm/mod.ts";

/** A pattern for `likeMatch` is a sequence of two-byte steps: kind, byte. */
export const LIKE_STEP = { byte: 0, oneCodePoint: 1, anything: 2 } as const;

/** Bytes of the code point that begins with `byte`. */
function codePointBytes(byte: Parameters<typeof i32.lt_u>[0]) {
  const three = select(i32.lt_u(byte, 0xf0), i32.const(3), 4);
  return select(i32.lt_u(byte, 0xc0), i32.const(1), select(i32.lt_u(byte, 0xe0), i32.const(2), three));
}

/** 1 when the whole text matches. Only the last `anything` is ever tried again, so time is at most text × pattern. */
export const likeMatch = kernel(
  "likeMatch",
  { params: { at: "i32", bytes: "i32", pattern: "i32", steps: "i32" }, results: ["i32"] },
  (f) => {
    const { at, bytes, pattern, steps } = f.params;
    const end = f.local("i32", "end");
    const patternEnd = f.local("i32", "patternEnd");
    const retryAt = f.local("i32", "retryAt");
    const retryPattern = f.local("i32", "retryPattern");
    const kind = f.local("i32", "kind");
    const byte = f.local("i32", "byte");
    f.set(end, i32.add(at, bytes));
    f.set(patternEnd, i32.add(pattern, i32.shl(steps, 1)));
    f.loop((again) => {
      f.set(kind, -1);
      f.if(i32.lt_u(pattern, patternEnd), () => f.set(kind, i32.load8_u(pattern)));
      f.if(i32.eq(kind, LIKE_STEP.anything), () => {
        f.set(pattern, i32.add(pattern, 2));
        f.set(retryPattern, pattern);
        f.set(retryAt, at);
        f.br(again);
      });
      f.if(i32.ge_u(at, end), () => f.return(i32.eq(kind, -1)));
      f.set(byte, i32.load8_u(at));
      f.if(i32.eq(kind, LIKE_STEP.oneCodePoint), () => {
        f.set(at, i32.add(at, codePointBytes(byte)));
        f.set(pattern, i32.add(pattern, 2));
        f.br(again);
      });
      f.if(i32.and(i32.eq(kind, LIKE_STEP.byte), i32.eq(byte, i32.load8_u(pattern, 1))), () => {
        f.set(at, i32.add(at, 1));
        f.set(pattern, i32.add(pattern, 2));
        f.br(again);
      });
      f.if(i32.eqz(retryPattern), () => f.return(0));
      f.set(retryAt, i32.add(retryAt, codePointBytes(i32.load8_u(retryAt))));
      f.set(at, retryAt);
      f.set(pattern, retryPattern);
      f.br(again);
    });
    f.return(0);
  },
);
