import { describe, expect, it } from "vitest";
import { atomic_fence, i32, i64, memory } from "../../src/wasm/mod.ts";
import { instantiate, verified } from "./oracle.ts";

describe("atomics over a shared memory", () => {
  it("read-modify-write gives the old value and stores the new one", () => {
    const operations = ["add", "sub", "and", "or", "xor", "xchg"] as const;
    const module = verified((m) => {
      for (const name of operations) {
        const f = m.function(name, { params: { at: "i32", value: "i32" }, results: ["i32"], export: true });
        f.return(i32[`atomic_rmw_${name}`](f.params.at, f.params.value, 8));
        const g = m.function(`${name}8`, { params: { at: "i32", value: "i64" }, results: ["i64"], export: true });
        g.return(i64[`atomic_rmw8_${name}_u`](g.params.at, g.params.value));
      }
    });
    const { exports, memory: shared } = instantiate(module);
    const [words, bytes] = [new Int32Array(shared.buffer), new Uint8Array(shared.buffer)];
    const expected = { add: 0b1100 + 0b1010, sub: 2, and: 0b1000, or: 0b1110, xor: 0b0110, xchg: 0b1010 };
    for (const name of operations) {
      words[3] = 0b1100;
      expect(exports[name](4, 0b1010)).toBe(0b1100);
      expect(words[3]).toBe(expected[name]);
      bytes[101] = 0b1100;
      expect(exports[`${name}8`](101, 0b1010n)).toBe(0b1100n);
      expect(bytes[101]).toBe(expected[name]);
    }
  });

  it("cmpxchg stores only when the expected value is there", () => {
    const module = verified((m) => {
      const f = m.function("f", { params: { e: "i64", r: "i64" }, results: ["i64"], export: true });
      f.return(i64.atomic_rmw_cmpxchg(16, f.params.e, f.params.r));
    });
    const { exports, memory: shared } = instantiate(module);
    const longs = new BigInt64Array(shared.buffer);
    longs[2] = -5n;
    expect(exports.f(1n, 9n)).toBe(-5n);
    expect(longs[2]).toBe(-5n);
    expect(exports.f(-5n, 9n)).toBe(-5n);
    expect(longs[2]).toBe(9n);
  });

  it("loads, stores, fence, notify and a wait that does not wait", () => {
    const module = verified((m) => {
      const f = m.function("f", { params: { value: "i32" }, results: ["i32"], export: true });
      f.emit(i32.atomic_store(0, f.params.value, 64));
      f.emit(atomic_fence());
      f.return(i32.atomic_load16_u(64));
      const notify = m.function("notify", { params: {}, results: ["i32"], export: true });
      notify.return(memory.atomic_notify(64, 1));
      const wait = m.function("wait", { params: { e: "i32" }, results: ["i32"], export: true });
      wait.return(memory.atomic_wait32(64, wait.params.e, 0n));
      const wait64 = m.function("wait64", { params: {}, results: ["i32"], export: true });
      wait64.return(memory.atomic_wait64(64, -1n, 0n));
    });
    const { exports } = instantiate(module);
    expect(exports.f(0x12345)).toBe(0x2345);
    expect(exports.notify()).toBe(0);
    const NOT_EQUAL = 1;
    const TIMED_OUT = 2;
    expect(exports.wait(1)).toBe(NOT_EQUAL);
    expect(exports.wait(0x12345)).toBe(TIMED_OUT);
    expect(exports.wait64()).toBe(NOT_EQUAL);
  });

  it("bulk memory copies, fills and grows", () => {
    const module = verified((m) => {
      const f = m.function("f", { params: {}, results: ["i32"], export: true });
      f.emit(memory.fill(10, 7, 4));
      f.emit(memory.copy(20, 10, 3));
      f.emit(memory.grow(1));
      f.return(memory.size());
    });
    const { exports, memory: shared } = instantiate(module);
    expect(exports.f()).toBe(2);
    expect([...new Uint8Array(shared.buffer, 10, 14)]).toEqual([7, 7, 7, 7, 0, 0, 0, 0, 0, 0, 7, 7, 7, 0]);
  });
});
