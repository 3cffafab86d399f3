import { describe, expect, it } from "vitest";
import { type Expr, f32, f64, i8x16, i32, i64, type Results, type ValType, v128 } from "../../src/wasm/mod.ts";
import { OPCODES, type Opcode } from "../../src/wasm/opcodes/table.ts";
import { assemblerFunction, verified } from "./oracle.ts";

const BYTES = Array.from({ length: 16 }, (_, i) => i * 17);

/** Arguments after the operands, one list for each border case of the opcode's immediates. */
function immediateCases(op: Opcode): readonly (readonly number[])[] {
  switch (op.immediate) {
    case "none":
    case "zeros":
      return [[]];
    case "memory":
      return [[], [0], [1], [127], [128], [0xffff_ffff]];
    case "lane":
      return [[0], [op.extra - 1]];
    case "memoryLane":
      return [[0], [(16 >> op.extra) - 1, 300]];
  }
}

function isLaneWithValue(op: Opcode): boolean {
  return op.immediate === "lane" && op.in.length === 2;
}

describe("opcodes", () => {
  it("are all there: MVP and sign extension, saturating truncation and bulk memory, SIMD, atomics", () => {
    const byPrefix = (prefix: number) => OPCODES.filter((op) => op.bytes.length > 1 && op.bytes[0] === prefix).length;
    expect(byPrefix(0xfc)).toBe(8 + 2);
    // 236 of the SIMD proposal without v128.const and i8x16.shuffle, which are tested below.
    expect(byPrefix(0xfd)).toBe(236 - 2);
    expect(byPrefix(0xfe)).toBe(4 + 7 * 9);
    expect(OPCODES.filter((op) => op.bytes.length === 1).length).toBe(25 + 123 + 5);
  });

  it.each(OPCODES.map((op) => [op.name, op] as const))("%s is encoded as wabt does", (name, op) => {
    const make = assemblerFunction(name);
    verified((m) => {
      const params = Object.fromEntries(op.in.map((type, i) => [`p${i}`, type]));
      for (const [i, immediates] of immediateCases(op).entries()) {
        const results: Results = op.out === "void" ? [] : [op.out];
        const f = m.function(`f${i}`, { params, results, export: true });
        const operands: unknown[] = op.in.map((_, k) => f.params[`p${k}`]);
        if (isLaneWithValue(op)) operands.splice(1, 0, ...immediates);
        else operands.push(...immediates);
        const expr = make(...operands);
        expect(expr.type).toBe(op.out);
        if (op.out === "void") f.emit(expr);
        else f.return(expr as Expr<ValType>);
      }
    });
  });

  it("take no operand of another type and no lane or offset that does not exist", () => {
    const types: readonly ValType[] = ["i32", "i64", "f32", "f64", "v128"];
    const sample = {
      i32: i32.const(1),
      i64: i64.const(1n),
      f32: f32.const(1),
      f64: f64.const(1),
      v128: v128.const(BYTES),
    };
    for (const op of OPCODES) {
      const make = assemblerFunction(op.name);
      const right: unknown[] = op.in.map((type) => sample[type]);
      const lanes = op.immediate === "lane" || op.immediate === "memoryLane";
      const call = (operands: readonly unknown[], lane = 0, offset = 0) => {
        if (isLaneWithValue(op)) return make(operands[0], lane, operands[1]);
        if (op.immediate === "memoryLane") return make(...operands, lane, offset);
        return make(...operands, ...(lanes ? [lane] : []), ...(op.immediate === "memory" ? [offset] : []));
      };
      expect(() => call(right)).not.toThrow();
      op.in.forEach((type, i) => {
        for (const other of types.filter((candidate) => candidate !== type)) {
          expect(() => call(right.with(i, sample[other])), `${op.name} with ${other}`).toThrow(`wants ${type}`);
        }
        expect(() => call(right.with(i, undefined))).toThrow();
      });
      if (lanes) {
        const laneCount = op.immediate === "lane" ? op.extra : 16 >> op.extra;
        for (const lane of [-1, laneCount, 0.5]) expect(() => call(right, lane)).toThrow("wants a lane");
      }
      if (op.immediate === "memory" || op.immediate === "memoryLane") {
        for (const offset of [-1, 0.5, 2 ** 32, Number.NaN]) expect(() => call(right, 0, offset)).toThrow("offset");
      }
    }
  });

  it("take exactly as many operands as the instruction has", () => {
    expect(() => assemblerFunction("i32.add")(1)).toThrow("wants 2 operands but got 1");
    expect(() => assemblerFunction("i32.add")(1, 2, 3)).toThrow("wants 2 operands but got 3");
    expect(() => assemblerFunction("i32.load")()).toThrow("wants 1 operands but got 0");
    expect(() => assemblerFunction("i32.load")(1, 2, 3)).toThrow();
  });

  it("v128.const and i8x16.shuffle are encoded as wabt does and check their 16 bytes", () => {
    verified((m) => {
      const f = m.function("f", { params: { a: "v128" }, results: ["v128"], export: true });
      f.return(i8x16.shuffle([0, 31, 1, 30, 2, 29, 3, 28, 4, 27, 5, 26, 6, 25, 7, 24], f.params.a, v128.const(BYTES)));
    });
    expect(() => v128.const(BYTES.slice(1))).toThrow("16 whole numbers");
    expect(() => v128.const(BYTES.with(3, 256))).toThrow("16 whole numbers");
    const vector = v128.const(new Uint8Array(16));
    expect(() =>
      i8x16.shuffle(
        BYTES.map(() => 32),
        vector,
        vector,
      ),
    ).toThrow("0 to 31");
  });
});
