import { describe, expect, it } from "vitest";
import { ByteWriter, u32Bytes } from "../../src/wasm/encode.ts";
import { f32, f64, i32, i64 } from "../../src/wasm/mod.ts";
import { instantiate, verified } from "./oracle.ts";

function borders(bits: number): bigint[] {
  const around = Array.from({ length: bits }, (_, i) => 1n << BigInt(i));
  return [0n, ...around.flatMap((power) => [power - 1n, power, power + 1n, -power - 1n, -power, -power + 1n])];
}

describe("constants", () => {
  it("i32 borders of every LEB128 length come back", () => {
    const values = [...new Set(borders(32).map((value) => Number(BigInt.asIntN(32, value))))];
    const module = verified((m) => {
      values.forEach((value, i) => m.function(`c${i}`, { params: {}, results: ["i32"], export: true }).return(value));
    });
    const { exports } = instantiate(module);
    values.forEach((value, i) => expect(exports[`c${i}`]()).toBe(value));
  });

  it("i64 borders of every LEB128 length come back", () => {
    const values = [...new Set(borders(64).map((value) => BigInt.asIntN(64, value)))];
    const module = verified((m) => {
      values.forEach((value, i) => m.function(`c${i}`, { params: {}, results: ["i64"], export: true }).return(value));
    });
    const { exports } = instantiate(module);
    values.forEach((value, i) => expect(exports[`c${i}`]()).toBe(value));
  });

  it("integers may be given unsigned and are refused when they do not fit", () => {
    const module = verified((m) => {
      m.function("a", { params: {}, results: ["i32"], export: true }).return(0xffff_ffff);
      m.function("b", { params: {}, results: ["i64"], export: true }).return(2n ** 64n - 1n);
    });
    const { exports } = instantiate(module);
    expect(exports.a()).toBe(-1);
    expect(exports.b()).toBe(-1n);
    for (const value of [2 ** 32, -(2 ** 31) - 1, 0.5, Number.NaN]) expect(() => i32.const(value)).toThrow("i32.const");
    for (const value of [2n ** 64n, -(2n ** 63n) - 1n]) expect(() => i64.const(value)).toThrow("i64.const");
  });

  it("floats keep sign of zero, infinities, denormals and the canonical NaN", () => {
    const values = [
      0,
      -0,
      1.5,
      Infinity,
      -Infinity,
      Number.MIN_VALUE,
      Number.MAX_VALUE,
      1e21,
      1e-7,
      0.1,
      NaN,
      2 ** -149,
    ];
    const module = verified((m) => {
      values.forEach((value, i) => {
        const d = m.function(`d${i}`, { params: {}, results: ["i64"], export: true });
        d.return(i64.reinterpret_f64(f64.const(value)));
        const s = m.function(`s${i}`, { params: {}, results: ["i32"], export: true });
        s.return(i32.reinterpret_f32(f32.const(value)));
      });
    });
    const { exports } = instantiate(module);
    const view = new DataView(new ArrayBuffer(8));
    values.forEach((value, i) => {
      view.setFloat64(0, value);
      expect(exports[`d${i}`]()).toBe(Number.isNaN(value) ? 0x7ff8_0000_0000_0000n : view.getBigInt64(0));
      view.setFloat32(0, value);
      expect(exports[`s${i}`]()).toBe(Number.isNaN(value) ? 0x7fc0_0000 : view.getInt32(0));
    });
  });
});

describe("ByteWriter", () => {
  it("knows how long a u32 gets", () => {
    for (const power of [0, 6, 7, 13, 14, 20, 21, 27, 28, 31]) {
      for (const value of [2 ** power - 1, 2 ** power, 2 ** power + 1]) {
        const writer = new ByteWriter();
        writer.u32(value);
        expect(u32Bytes(value), `${value}`).toBe(writer.length);
      }
    }
  });
});
