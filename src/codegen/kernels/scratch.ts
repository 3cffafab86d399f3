import { type Expr, i32, i64, kernel } from "../../wasm/mod.ts";
import { Header } from "../context.ts";
import { hostGrowScratch } from "../host_functions.ts";

/** Room for text beyond this is left to the host, which refuses what the arena cannot hold. */
const INLINE_BYTES_MAX = 1 << 20;

/** Address of `bytes` bytes, 8-byte aligned, that live until the row is done. */
export const scratchAllocate = kernel(
  "scratchAllocate",
  { params: { ctx: "i32", bytes: "i32" }, results: ["i32"] },
  (f) => {
    const { ctx, bytes } = f.params;
    const top = f.local("i32", "top");
    const end = f.local("i32", "end");
    f.set(top, i32.load(ctx, Header.scratchTop));
    f.set(end, i32.add(top, i32.and(i32.add(bytes, 7), -8)));
    const fits = i32.and(i32.le_u(bytes, INLINE_BYTES_MAX), i32.le_u(end, i32.load(ctx, Header.scratchEnd)));
    f.if(i32.eqz(fits), () => f.return(hostGrowScratch.call(ctx, bytes)));
    f.emit(i32.store(ctx, end, Header.scratchTop));
    f.return(top);
  },
);

/** Address and length in one result. */
export function packText(address: Expr<"i32">, bytes: Expr<"i32">): Expr<"i64"> {
  return i64.or(i64.shl(i64.extend_i32_u(address), 32n), i64.extend_i32_u(bytes));
}

export function packedAddress(packed: Expr<"i64">): Expr<"i32"> {
  return i32.wrap_i64(i64.shr_u(packed, 32n));
}

export function packedBytes(packed: Expr<"i64">): Expr<"i32"> {
  return i32.wrap_i64(packed);
}
