import { describe, expect, it } from "vitest";
import { type Expr, f64, hostFunction, i32, kernel, ModuleBuilder, type Operand } from "../../src/wasm/mod.ts";
import { disassemble, instantiate, SHARED_MEMORY, verified } from "./oracle.ts";

const pow = hostFunction("env", "pow", { params: ["f64", "f64"], results: ["f64"] });
const square = kernel("square", { params: { x: "f64" }, results: ["f64"] }, (f) => f.return(pow.call(f.params.x, 2)));
const cube = kernel("cube", { params: { x: "f64" }, results: ["f64"] }, (f) => {
  f.return(f64.mul(square.call(f.params.x), f.params.x));
});

const occurrences = (text: string, part: string): number => text.split(part).length - 1;

describe("linking on demand", () => {
  it("imports and kernels come in through calls, once and transitively, after what was there before", () => {
    const module = verified((m) => {
      const f = m.function("f", { params: { x: "f64" }, results: ["f64"], export: true });
      const g = m.function("g", { params: { x: "f64" }, results: ["f64"], export: true });
      f.return(f64.add(cube.call(f.params.x), square.call(f.params.x)));
      g.return(f64.add(f.call(g.params.x), cube.call(1)));
    });
    const text = module.text();
    expect(occurrences(text, "(func $square")).toBe(1);
    expect(occurrences(text, "(func $cube")).toBe(1);
    expect(occurrences(text, '(import "env" "pow"')).toBe(1);
    const { exports } = instantiate(module, { pow: Math.pow });
    expect(exports.f(3)).toBe(36);
    expect(exports.g(3)).toBe(37);
  });

  it("a module that calls nothing contains nothing", () => {
    const module = verified((m) => m.function("f", { params: {}, results: [], export: true }).return(), {});
    expect(WebAssembly.Module.imports(new WebAssembly.Module(module.bytes()))).toEqual([]);
    expect(WebAssembly.validate(new ModuleBuilder().bytes())).toBe(true);
  });

  it("a kernel may call itself, and two may call each other", () => {
    const factorial = kernel("factorial", { params: { n: "i32" }, results: ["i32"] }, (f) => {
      f.if(i32.le_s(f.params.n, 1), () => f.return(1));
      f.return(i32.mul(f.params.n, factorialAgain(i32.sub(f.params.n, 1))));
    });
    const factorialAgain = (n: Operand<"i32">): Expr<"i32"> => factorial.call(n);
    const isEven = kernel("isEven", { params: { n: "i32" }, results: ["i32"] }, (f) => {
      f.if(i32.eqz(f.params.n), () => f.return(1));
      f.return(odd(i32.sub(f.params.n, 1)));
    });
    const isOdd = kernel("isOdd", { params: { n: "i32" }, results: ["i32"] }, (f) => {
      f.if(i32.eqz(f.params.n), () => f.return(0));
      f.return(isEven.call(i32.sub(f.params.n, 1)));
    });
    const odd = (n: Operand<"i32">): Expr<"i32"> => isOdd.call(n);
    const module = verified((m) => {
      const f = m.function("f", { params: { n: "i32" }, results: ["i32"], export: true });
      f.return(i32.add(factorial.call(f.params.n), i32.mul(1000, isEven.call(f.params.n))));
    });
    const { exports } = instantiate(module);
    expect([1, 4, 5].map((n) => exports.f(n))).toEqual([1, 1024, 120]);
  });

  it("one host function declared twice is imported once, another signature of it separately", () => {
    const again = hostFunction("env", "pow", { params: ["f64", "f64"], results: ["f64"] });
    const narrow = hostFunction("env", "pow", { params: ["i32", "i32"], results: ["i32"] });
    const module = verified((m) => {
      const f = m.function("f", { params: {}, results: ["f64"], export: true });
      f.emit(narrow.call(2, 2));
      f.return(f64.add(pow.call(2, 3), again.call(2, 4)));
    });
    expect(WebAssembly.Module.imports(new WebAssembly.Module(module.bytes())).length).toBe(3);
    expect(instantiate(module, { pow: Math.pow }).exports.f()).toBe(24);
  });

  it("two kernels of one name are two functions; an argument list is checked", () => {
    const one = kernel("k", { params: {}, results: ["i32"] }, (f) => f.return(1));
    const two = kernel("k", { params: {}, results: ["i32"] }, (f) => f.return(2));
    const module = verified((m) => {
      const f = m.function("k", { params: {}, results: ["i32"], export: true });
      f.return(i32.sub(one.call(), two.call()));
    });
    expect(instantiate(module).exports.k()).toBe(-1);
    expect(() => one.call(1 as never)).toThrow("wants 0 arguments but got 1");
    expect(() => square.call()).toThrow("wants 1 arguments but got 0");
    expect(() => square.call(i32.const(1) as never)).toThrow("square wants f64");
  });

  it("arguments by name may come in any order", () => {
    const difference = kernel("difference", { params: { a: "i32", b: "f64" }, results: ["f64"] }, (f) => {
      f.return(f64.sub(f64.convert_i32_s(f.params.a), f.params.b));
    });
    const module = verified((m) => {
      const f = m.function("f", { params: {}, results: ["f64"], export: true });
      f.return(difference.callWith({ b: 0.5, a: 3 }));
    });
    expect(instantiate(module).exports.f()).toBe(2.5);
  });

  it("a module that already gave its bytes may grow and give them again", () => {
    const m = new ModuleBuilder({ memory: SHARED_MEMORY });
    m.function("f", { params: {}, results: ["f64"], export: true }).return(square.call(2));
    const before = m.bytes();
    m.function("g", { params: {}, results: ["f64"], export: true }).return(cube.call(2));
    expect(m.bytes().length).toBeGreaterThan(before.length);
    expect(instantiate(m, { pow: Math.pow }).exports.g()).toBe(8);
  });

  it("more than 127 imports and functions keep their indices", () => {
    const hosts = Array.from({ length: 150 }, (_, i) => hostFunction("env", `h${i}`, { params: [], results: ["i32"] }));
    const module = verified((m) => {
      for (const [i, host] of hosts.entries()) {
        m.function(`f${i}`, { params: {}, results: ["i32"], export: true }).return(host.call());
      }
      const sum = m.function("sum", { params: {}, results: ["i32"], export: true });
      sum.return(hosts.map((host) => host.call()).reduce((a, b) => i32.add(a, b)));
    });
    const { exports } = instantiate(module, Object.fromEntries(hosts.map((_, i) => [`h${i}`, () => i])));
    expect(exports.f149()).toBe(149);
    expect(exports.sum()).toBe((149 * 150) / 2);
  });
});

describe("the name section", () => {
  it("names functions, parameters and locals for engines and tools, with odd characters replaced", () => {
    const m = new ModuleBuilder({ memory: SHARED_MEMORY });
    const f = m.function("run it", { params: { start: "i32" }, results: ["f64"], export: true });
    f.set(f.local("f64", "Größe"), 1);
    f.set(f.local("i32", "count"), f.params.start);
    f.return(square.call(1));
    const text = disassemble(m.bytes());
    for (const name of ["$run_it", "$square", "$pow", "$start", "$Gr__e", "$count"]) expect(text).toContain(name);
    expect(text).toContain('(export "run it"');
  });
});
