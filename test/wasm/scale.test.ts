import { describe, expect, it } from "vitest";
import { type Expr, i32, ModuleBuilder } from "../../src/wasm/mod.ts";
import { hex, instantiate, SHARED_MEMORY, verified } from "./oracle.ts";

describe("large code", () => {
  it("10,000 statements in one list", () => {
    const module = verified((m) => {
      const f = m.function("f", { params: {}, results: ["i32"], export: true });
      const x = f.local("i32", "x");
      for (let i = 0; i < 10_000; i++) f.set(x, i32.add(x, i));
      f.return(x);
    });
    expect(instantiate(module).exports.f()).toBe((9999 * 10_000) / 2);
  });

  it("expressions 1,000 deep on either side, and blocks 500 deep (too deep for wabt's parser)", () => {
    const m = new ModuleBuilder({ memory: SHARED_MEMORY });
    const f = m.function("f", { params: { x: "i32" }, results: ["i32"], export: true });
    let left: Expr<"i32"> = f.params.x;
    let right: Expr<"i32"> = f.params.x;
    for (let i = 0; i < 1000; i++) {
      left = i32.add(left, 1);
      right = i32.add(1, right);
    }
    const nest = (depth: number): void => {
      if (depth === 0) f.return(i32.add(left, right));
      else f.block(() => nest(depth - 1));
    };
    nest(500);
    expect(m.text().split("\n").length).toBeGreaterThan(3000);
    expect(instantiate(m).exports.f(5)).toBe(2010);
  });

  it("1,000 locals of one name and 1,000 functions", () => {
    const m = new ModuleBuilder();
    const f = m.function("f", { params: {}, results: ["i32"], export: true });
    const locals = Array.from({ length: 1000 }, () => f.local("i32", "x"));
    locals.forEach((local, i) => f.set(local, i));
    f.return(locals.reduce((sum: Expr<"i32">, local) => i32.add(sum, local), i32.const(0)));
    for (let i = 0; i < 1000; i++) m.function("g", { params: {}, results: [] });
    const module = new WebAssembly.Module(m.bytes());
    const { exports } = new WebAssembly.Instance(module);
    expect((exports.f as () => number)()).toBe(499_500);
    expect(new Set(m.text().match(/\(func \$\S+/g)).size).toBe(1001);
  });

  it("the same code is encoded to the same bytes and text", () => {
    const build = () => {
      const m = new ModuleBuilder();
      const f = m.function("f", { params: { x: "i32" }, results: ["i32"], export: true });
      f.return(i32.mul(f.params.x, 3));
      return m;
    };
    expect(hex(build().bytes())).toBe(hex(build().bytes()));
    const m = build();
    expect(m.text()).toBe(m.text());
  });
});
