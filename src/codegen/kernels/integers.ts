import { i64, kernel } from "../../wasm/mod.ts";

/** 1 when the int64 product a × b is not the wrapped `product`. */
export const mulOverflowsSigned = kernel(
  "mulOverflowsSigned",
  { params: { a: "i64", b: "i64", product: "i64" }, results: ["i32"] },
  (f) => {
    const { a, b, product } = f.params;
    f.if(i64.eqz(a), () => f.return(0));
    // The one division below that traps, and the one product it would miss.
    f.if(i64.eq(a, -1n), () => f.return(i64.eq(b, -(1n << 63n))));
    f.return(i64.ne(i64.div_s(product, a), b));
  },
);

/** 1 when the uint64 product a × b is not the wrapped `product`. */
export const mulOverflowsUnsigned = kernel(
  "mulOverflowsUnsigned",
  { params: { a: "i64", b: "i64", product: "i64" }, results: ["i32"] },
  (f) => {
    const { a, b, product } = f.params;
    f.if(i64.eqz(a), () => f.return(0));
    f.return(i64.ne(i64.div_u(product, a), b));
  },
);

/**
 * `x` rounded half away from zero to a multiple of `step` (> 0). The caller checks the result: it overflowed when it
 * lies on the other side of zero, or nearer to zero than |x| less half a step.
 */
export const roundSigned = kernel("roundSigned", { params: { x: "i64", step: "i64" }, results: ["i64"] }, (f) => {
  const { x, step } = f.params;
  const rest = f.local("i64", "rest");
  f.set(rest, i64.rem_s(x, step));
  f.set(x, i64.sub(x, rest));
  f.if(i64.ge_s(rest, i64.sub(step, rest)), () => f.return(i64.add(x, step)));
  f.if(i64.le_s(rest, i64.sub(i64.sub(0n, step), rest)), () => f.return(i64.sub(x, step)));
  f.return(x);
});

export const roundUnsigned = kernel("roundUnsigned", { params: { x: "i64", step: "i64" }, results: ["i64"] }, (f) => {
  const { x, step } = f.params;
  const rest = f.local("i64", "rest");
  f.set(rest, i64.rem_u(x, step));
  f.set(x, i64.sub(x, rest));
  f.if(i64.ge_u(rest, i64.sub(step, rest)), () => f.return(i64.add(x, step)));
  f.return(x);
});
