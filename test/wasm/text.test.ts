import { readFileSync, writeFileSync } from "node:fs";
import { expect, it } from "vitest";
import { f64, hostFunction, i8x16, i32, i64, ifElse, kernel, memory, select, v128 } from "../../src/wasm/mod.ts";
import { verified } from "./oracle.ts";

/** Set UPDATE_GOLDENS=1 to rewrite. */
const GOLDEN = new URL("./golden/module.wat", import.meta.url);

it("the text of a module reads as written", () => {
  const log = hostFunction("env", "log", { params: ["i32"], results: [] });
  const clamp = kernel("clamp", { params: { x: "f64", low: "f64", high: "f64" }, results: ["f64"] }, (f) => {
    f.return(f64.min(f64.max(f.params.x, f.params.low), f.params.high));
  });
  const text = verified((m) => {
    const total = m.global("i64", { mutable: true, init: 0n, name: "total" });
    const f = m.function("run", { params: { start: "i32", end: "i32" }, results: ["i64"], export: true });
    const row = f.local("i32", "row");
    const value = f.local("f64", "value");
    const vector = f.local("v128", "vector");
    f.comment("sum of the clamped values,\nnothing for NaN");
    f.set(row, f.params.start);
    f.while(i32.lt_u(row, f.params.end), () => {
      f.set(value, clamp.call(f64.load(i32.shl(row, 3), 1024), -0, Number.POSITIVE_INFINITY));
      f.block((next) => {
        f.brIf(next, f64.ne(value, value));
        f.emit(total.set(i64.add(total.get(), i64.trunc_sat_f64_s(value))));
      }, "next row");
      f.set(row, i32.add(row, 1));
    });
    f.set(vector, i8x16.shuffle([15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0], v128.load(16), vector));
    f.emit(v128.store16_lane(32, vector, 7, 2));
    f.if(
      v128.any_true(vector),
      () => f.emit(log.call(select(row, f.params.start, 1))),
      () => f.emit(memory.fill(0, 0, f.tee(row, ifElse(row, i32.const(2), 3)))),
    );
    f.return(total.get());
  }).text();
  if (process.env.UPDATE_GOLDENS === "1") writeFileSync(GOLDEN, text);
  expect(text).toBe(readFileSync(GOLDEN, "utf8"));
});
