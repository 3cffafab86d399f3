/**
 * Hashes of keys: 64-bit multiply and fold (as in wyhash's mixing step), the top 32 bits of the last product are used.
 */
import { type Expr, i32, i64, kernel } from "../../wasm/mod.ts";
import { lowBytesMask } from "../kernels/bytes.ts";

const FACTOR = 0x9e37_79b9_7f4a_7c15n;
const LAST_FACTOR = 0xd6e8_feb8_6659_fd93n;
const OTHER_LAST_FACTOR = 0xa24b_aed4_963e_e407n;

/** Mixes 64 more bits into a hash; evaluates `hash` once. */
export function mix(hash: Expr<"i64"> | null, bits: Expr<"i64">): Expr<"i64"> {
  const joined = hash === null ? bits : i64.xor(i64.rotl(hash, 29n), bits);
  return i64.mul(joined, BigInt.asIntN(64, FACTOR));
}

/**
 * Folds the upper half into the lower and mixes once more: all 32 bits depend on all of the input. Keys that come in the
 * order of one table must not go into another by the same bits: while it grows they would all lie in its first part, and
 * each look-up pass those before. `isOther` gives such a table other bits.
 */
export function finishHash(hash: Expr<"i64">, { isOther = false } = {}): Expr<"i64"> {
  const factor = isOther ? OTHER_LAST_FACTOR : LAST_FACTOR;
  return i64.mul(i64.xor(hash, i64.shr_u(hash, 32n)), BigInt.asIntN(64, factor));
}

/** Hash of a byte string of more than 8 bytes, in words of 8. May read up to 7 bytes past the end. */
export const hashBytes = kernel("hashBytes", { params: { at: "i32", bytes: "i32" }, results: ["i64"] }, (f) => {
  const { at, bytes } = f.params;
  const hash = f.local("i64", "hash");
  f.set(hash, i64.extend_i32_u(bytes));
  const add = (word: Expr<"i64">) => {
    f.set(hash, mix(hash, word));
    f.set(hash, i64.xor(hash, i64.shr_u(hash, 32n)));
  };
  f.while(i32.ge_u(bytes, 8), () => {
    add(i64.load(at));
    f.set(at, i32.add(at, 8));
    f.set(bytes, i32.sub(bytes, 8));
  });
  f.if(bytes, () => add(i64.and(i64.load(at), lowBytesMask(bytes))));
  f.return(hash);
});
