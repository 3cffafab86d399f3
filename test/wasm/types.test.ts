/** What TypeScript must refuse: checked by the type checker, each case fails the build when it becomes legal. */
import { describe, expect, it } from "vitest";
import {
  type FunctionBuilder,
  f32x4,
  f64,
  f64x2,
  hostFunction,
  i32,
  i64,
  ifElse,
  kernel,
  ModuleBuilder,
  select,
  v128,
} from "../../src/wasm/mod.ts";

const pow = hostFunction("env", "pow", { params: ["f64", "i32"], results: ["f64"] });
const mix = kernel("mix", { params: { a: "i32", b: "i64" }, results: ["i64"] }, (f) => f.return(f.params.b));

/** Refused statically; most are refused at run time too. */
function refused(make: () => unknown): void {
  expect(make).toThrow();
}

describe("static types", () => {
  it("operands have the instruction's types", () => {
    const [x, y, d] = [i32.const(1), i64.const(1n), f64.const(1)];
    const vector = v128.const(new Uint8Array(16));
    // @ts-expect-error f64 is no i32
    refused(() => i32.add(d, 1));
    // @ts-expect-error a bigint is no i32
    refused(() => i32.add(x, 1n));
    // @ts-expect-error a number is no i64
    refused(() => i64.add(y, 1));
    // @ts-expect-error one operand is missing
    refused(() => i32.add(x));
    // @ts-expect-error no third operand
    refused(() => i32.add(x, x, x));
    // @ts-expect-error the stored value is f64
    refused(() => f64.store(0, x));
    // @ts-expect-error an i64 is no address
    refused(() => i32.load(y));
    // @ts-expect-error the lane is a plain number
    refused(() => f64x2.extract_lane(vector, x));
    // @ts-expect-error the value is f32
    refused(() => f32x4.replace_lane(vector, 0, d));
    // @ts-expect-error a number is no vector
    refused(() => v128.and(vector, 1));
    // @ts-expect-error the two values have one type
    refused(() => select(1, x, y));
    // @ts-expect-error the two values have one type
    refused(() => ifElse(1, x, 1n));
    // @ts-expect-error there is no such instruction
    refused(() => i32.div(x, x));
    // @ts-expect-error a store gives nothing
    refused(() => i32.eqz(i32.store(0, 1)));
  });

  it("locals, arguments and results have the signature's types", () => {
    const m = new ModuleBuilder();
    const f: FunctionBuilder<{ readonly a: "f64" }, readonly ["i64"]> = m.function("f", {
      params: { a: "f64" },
      results: ["i64"],
    });
    const x = f.local("i32", "x");
    // @ts-expect-error the local is i32
    refused(() => f.set(x, f.params.a));
    // @ts-expect-error no such parameter
    refused(() => i32.eqz(f.params.b));
    // @ts-expect-error the result is i64
    refused(() => f.return(1));
    // @ts-expect-error the result is missing
    refused(() => f.return());
    // @ts-expect-error a condition is i32
    refused(() => f.if(f.params.a, () => {}));
    // @ts-expect-error the first argument is f64
    refused(() => pow.call(x, 1));
    // @ts-expect-error one argument is missing
    refused(() => pow.call(1));
    // @ts-expect-error no parameter of this kernel is f64
    refused(() => mix.call(f.params.a, 1n));
    // @ts-expect-error b is i64
    refused(() => mix.callWith({ a: 1, b: 1 }));
    // @ts-expect-error b is missing
    refused(() => mix.callWith({ a: 1 }));
    // @ts-expect-error the kernel gives i64
    refused(() => i32.eqz(mix.call(1, 1n)));
    // @ts-expect-error the global is i64
    refused(() => m.global("i64", { init: 0 }));
    expect(mix.call(x, 1n).type).toBe("i64");
  });
});
