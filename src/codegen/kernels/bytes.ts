/** Comparison of byte strings. Loads may run up to 15 bytes past the end, which every arena block has room for. */
import { type Expr, i32, i64, kernel, v128 } from "../../wasm/mod.ts";

/** The low `bytes` bytes of an i64 set; `bytes` is 1 to 7. */
export function lowBytesMask(bytes: Expr<"i32">): Expr<"i64"> {
  return i64.sub(i64.shl(i64.const(1n), i64.extend_i32_u(i32.shl(bytes, 3))), 1n);
}

/** 1 when `bytes` bytes at `a` and at `b` are the same. */
export const bytesEqual = kernel(
  "bytesEqual",
  { params: { a: "i32", b: "i32", bytes: "i32" }, results: ["i32"] },
  (f) => {
    const { a, b, bytes } = f.params;
    f.while(i32.ge_u(bytes, 16), () => {
      f.if(v128.any_true(v128.xor(v128.load(a), v128.load(b))), () => f.return(0));
      f.set(a, i32.add(a, 16));
      f.set(b, i32.add(b, 16));
      f.set(bytes, i32.sub(bytes, 16));
    });
    f.if(i32.ge_u(bytes, 8), () => {
      f.if(i64.ne(i64.load(a), i64.load(b)), () => f.return(0));
      f.set(a, i32.add(a, 8));
      f.set(b, i32.add(b, 8));
      f.set(bytes, i32.sub(bytes, 8));
    });
    f.if(i32.eqz(bytes), () => f.return(1));
    f.return(i64.eqz(i64.and(i64.xor(i64.load(a), i64.load(b)), lowBytesMask(bytes))));
  },
);

/** -1, 0 or 1 by unsigned bytes, a prefix first. */
export const compareBytes = kernel(
  "compareBytes",
  { params: { a: "i32", aBytes: "i32", b: "i32", bBytes: "i32" }, results: ["i32"] },
  (f) => {
    const { a, aBytes, b, bBytes } = f.params;
    const left = f.local("i32", "left");
    const difference = f.local("i64", "difference");
    const shift = f.local("i64", "shift");
    f.set(left, aBytes);
    f.if(i32.lt_u(bBytes, aBytes), () => f.set(left, bBytes));
    const decide = () => {
      f.set(shift, i64.and(i64.ctz(difference), 56n));
      const byteOf = (at: Expr<"i32">) => i64.and(i64.shr_u(i64.load(at), shift), 255n);
      f.if(i64.lt_u(byteOf(a), byteOf(b)), () => f.return(-1));
      f.return(1);
    };
    f.while(i32.ge_u(left, 8), () => {
      f.set(difference, i64.xor(i64.load(a), i64.load(b)));
      f.if(i32.eqz(i64.eqz(difference)), decide);
      f.set(a, i32.add(a, 8));
      f.set(b, i32.add(b, 8));
      f.set(left, i32.sub(left, 8));
    });
    f.if(left, () => {
      f.set(difference, i64.and(i64.xor(i64.load(a), i64.load(b)), lowBytesMask(left)));
      f.if(i32.eqz(i64.eqz(difference)), decide);
    });
    f.return(i32.sub(i32.gt_u(aBytes, bBytes), i32.lt_u(aBytes, bBytes)));
  },
);
