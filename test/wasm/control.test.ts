import { describe, expect, it } from "vitest";
import { i32, ifElse, type Label, ModuleBuilder, select } from "../../src/wasm/mod.ts";
import { instantiate, SHARED_MEMORY, verified } from "./oracle.ts";

describe("control structures", () => {
  it("if runs one of its branches, or nothing without else", () => {
    const module = verified((m) => {
      const f = m.function("f", { params: { x: "i32" }, results: ["i32"], export: true });
      const r = f.local("i32", "r");
      f.if(
        f.params.x,
        () => f.set(r, 1),
        () => f.set(r, 2),
      );
      f.if(i32.eq(f.params.x, 7), () => f.set(r, i32.add(r, 10)));
      f.return(r);
    });
    const { exports } = instantiate(module);
    expect([0, 1, 7].map((x) => exports.f(x))).toEqual([2, 1, 11]);
  });

  it("while, loop and block count and leave as written", () => {
    const module = verified((m) => {
      const f = m.function("f", { params: { n: "i32" }, results: ["i32"], export: true });
      const i = f.local("i32", "i");
      const sum = f.local("i32", "sum");
      f.while(i32.lt_s(i, f.params.n), () => {
        f.set(i, i32.add(i, 1));
        f.block((next) => {
          f.brIf(next, i32.and(i, 1));
          f.set(sum, i32.add(sum, i));
        });
      });
      f.block((done) => {
        f.loop((again) => {
          f.set(sum, i32.add(sum, 1000));
          f.if(i32.gt_s(sum, 3000), () => f.br(done));
          f.br(again);
        });
      });
      f.return(sum);
    });
    const { exports } = instantiate(module);
    expect(exports.f(10)).toBe(3030);
    expect(exports.f(0)).toBe(4000);
  });

  it("brTable picks by index, and the default outside", () => {
    const module = verified((m) => {
      const f = m.function("f", { params: { x: "i32" }, results: ["i32"], export: true });
      f.block((other) => {
        f.block((two) => {
          f.block((one) => {
            f.block((zero) => f.brTable([zero, one, two], other, f.params.x));
            f.return(100);
          });
          f.return(101);
        });
        f.return(102);
      });
      f.return(-1);
    });
    const { exports } = instantiate(module);
    expect([0, 1, 2, 3, -1].map((x) => exports.f(x))).toEqual([100, 101, 102, -1, -1]);
  });

  it("select and ifElse give a where the condition holds, else b; a constant may be either", () => {
    const module = verified((m) => {
      const f = m.function("f", { params: { x: "i32" }, results: ["i32"], export: true });
      f.return(i32.add(select(f.params.x, i32.const(1), 2), ifElse(f.params.x, 10, i32.const(20))));
    });
    const { exports } = instantiate(module);
    expect([0, 5].map((x) => exports.f(x))).toEqual([22, 11]);
  });

  it("a dropped value, tee, early return and unreachable", () => {
    const module = verified((m) => {
      const f = m.function("f", { params: { x: "i32" }, results: ["i32"], export: true });
      const t = f.local("i32", "t");
      f.emit(f.tee(t, i32.add(f.params.x, 1)));
      f.if(i32.eqz(f.params.x), () => f.return(t));
      f.unreachable();
      const g = m.function("g", { params: { x: "i32" }, results: [], export: true });
      g.if(g.params.x, () => g.return());
      g.emit(f.call(g.params.x));
    });
    const { exports } = instantiate(module);
    expect(exports.f(0)).toBe(1);
    expect(() => exports.f(1)).toThrow(WebAssembly.RuntimeError);
    expect(exports.g(1)).toBeUndefined();
  });

  it("a function with a result may end in an if whose branches both return", () => {
    const module = verified((m) => {
      const f = m.function("f", { params: { x: "i32" }, results: ["i32"], export: true });
      f.if(
        f.params.x,
        () => f.return(1),
        () => f.return(2),
      );
      f.comment("never here");
    });
    expect(instantiate(module).exports.f(0)).toBe(2);
  });

  it("locals of mixed types keep their meaning though they are grouped by type", () => {
    const module = verified((m) => {
      const f = m.function("f", { params: { a: "f64", b: "i32" }, results: ["f64"], export: true });
      const locals = [f.local("f64", "x"), f.local("f64", "x")];
      const i = f.local("i32", "x");
      f.local("v128", "x");
      f.local("i64", "x");
      const last = f.local("f64", "x");
      f.set(locals[1] as (typeof locals)[0], f.params.a);
      f.set(i, f.params.b);
      f.set(last, 0.5);
      f.if(i, () => f.return(locals[1] as (typeof locals)[0]));
      f.return(last);
    });
    const { exports } = instantiate(module);
    expect(exports.f(3.25, 1)).toBe(3.25);
    expect(exports.f(3.25, 0)).toBe(0.5);
  });

  it("globals start at their value and keep what was set", () => {
    const module = verified((m) => {
      const counter = m.global("i64", { mutable: true, init: -(2n ** 63n), name: "counter" });
      const step = m.global("i32", { init: 3 });
      m.global("v128", { init: new Uint8Array(16).fill(7) });
      const f = m.function("f", { params: {}, results: ["i32"], export: true });
      f.emit(counter.set(0n));
      f.return(step.get());
      expect(() => step.set(1)).toThrow("not mutable");
    });
    expect(instantiate(module).exports.f()).toBe(3);
  });
});

describe("mistakes stop the build", () => {
  const fresh = () => new ModuleBuilder({ memory: SHARED_MEMORY });
  const empty = { params: {}, results: [] } as const;

  it("a branch to a label that is closed, of a sibling or of another function", () => {
    const m = fresh();
    const f = m.function("f", empty);
    const g = m.function("g", empty);
    const labels: Label[] = [];
    f.block((label) => labels.push(label));
    const closed = labels[0] as Label;
    expect(() => f.br(closed)).toThrow("not open");
    f.block(() => expect(() => f.br(closed)).toThrow("not open"));
    f.block((label) => g.block(() => expect(() => g.br(label)).toThrow("not open")));
    f.loop((label) => expect(() => f.brTable([closed], label, 0)).toThrow("not open"));
  });

  it("a local of another function, set or read", () => {
    const m = fresh();
    const f = m.function("f", empty);
    const g = m.function("g", empty);
    const x = f.local("i32", "x");
    expect(() => g.set(x, 1)).toThrow("own locals");
    expect(() => g.tee(x, 1)).toThrow("own locals");
    g.emit(i32.eqz(x));
    expect(() => m.bytes()).toThrow("another function");
    expect(() => m.text()).toThrow("another function");
  });

  it("a function, global or kernel result of another module", () => {
    const [m, n] = [fresh(), fresh()];
    const f = m.function("f", empty);
    n.function("g", empty).emit(f.call());
    expect(() => n.bytes()).toThrow("another module");
    const o = fresh();
    o.function("g", empty).emit(m.global("i32", { init: 0 }).get());
    expect(() => o.bytes()).toThrow("another module");
  });

  it("two exports of one name, and memory limits that cannot be", () => {
    const m = fresh();
    m.function("f", { ...empty, export: true });
    expect(() => m.function("f", { ...empty, export: true })).toThrow("exported");
    expect(() => new ModuleBuilder({ memory: { initialPages: 2, maximumPages: 1 } })).toThrow("memory of 2 to 1");
    expect(() => new ModuleBuilder({ memory: { initialPages: 1, shared: true } })).toThrow("maximumPages");
    expect(() => new ModuleBuilder({ memory: { initialPages: 1, maximumPages: 65537 } })).toThrow("65536");
  });

  it("a throwing block leaves the builder in the enclosing block", () => {
    const m = fresh();
    const f = m.function("f", { ...empty, export: true });
    expect(() =>
      f.block(() => {
        throw new Error("stop");
      }),
    ).toThrow("stop");
    f.return();
    expect(WebAssembly.validate(m.bytes())).toBe(true);
  });
});
