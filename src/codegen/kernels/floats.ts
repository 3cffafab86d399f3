import { f64, kernel } from "../../wasm/mod.ts";

/** The largest double below a half: adding a half itself would round 0.49999999999999994 up. */
const BELOW_HALF = 0.49999999999999994;

/** Nearest integer, half away from zero; infinities and NaN stay. */
export const roundHalfAway = kernel("roundHalfAway", { params: { x: "f64" }, results: ["f64"] }, (f) => {
  const { x } = f.params;
  f.return(f64.trunc(f64.add(x, f64.copysign(f64.const(BELOW_HALF), x))));
});
