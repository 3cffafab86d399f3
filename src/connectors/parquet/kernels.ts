import type { Address, Arena } from "../../arrow/mod.ts";
import {
  type Expr,
  type FunctionBuilder,
  i32,
  i32x4,
  i64,
  type Local,
  type ModuleBuilder,
  memory,
  v128,
} from "../../wasm/mod.ts";
import { instantiateKernels, kernelsOnce } from "../kernel_module.ts";

/**
 * The hot loops of the decoder as WebAssembly over the arena, one module per bit width, made when first needed in a
 * thread. Eight packed values take exactly `bitWidth` bytes, so within a group every load, shift and mask is a constant.
 */

export interface HybridKernel {
  /**
   * Decodes an RLE / bit-packed hybrid from [source, end) to int32 at `target`; up to 7 values more than `count` may
   * be written. Returns 0, or 1 when the input is damaged.
   */
  decode(source: Address, end: Address, target: Address, count: number): number;
}

export interface GatherKernels {
  /** target[i] = dictionary[indices[i]], 4 or 8 bytes each. */
  gather4(dictionary: Address, indices: Address, target: Address, count: number): void;
  gather8(dictionary: Address, indices: Address, target: Address, count: number): void;
  /** The highest of `count` unsigned int32; what follows within 16 bytes is set to zero. */
  highest(values: Address, count: number): number;
}

export const KERNEL_BIT_WIDTH_MAX = 31;

const hybrids = new WeakMap<WebAssembly.Memory, (HybridKernel | undefined)[]>();

export function hybridKernel(arena: Arena, bitWidth: number): HybridKernel {
  let kernels = hybrids.get(arena.memory);
  if (kernels === undefined) {
    kernels = [];
    hybrids.set(arena.memory, kernels);
  }
  kernels[bitWidth] ??= instantiateKernels<HybridKernel>(arena.memory, (module) => buildHybrid(module, bitWidth));
  return kernels[bitWidth] as HybridKernel;
}

export const gatherKernels = kernelsOnce<GatherKernels>((module) => {
  buildGather(module, 4);
  buildGather(module, 8);
  buildHighest(module);
});

function buildHybrid(module: ModuleBuilder, bitWidth: number): void {
  const f = module.function("decode", {
    params: { source: "i32", end: "i32", target: "i32", count: "i32" },
    results: ["i32"],
    export: true,
  });
  const { source, end, target, count } = f.params;
  const [header, byte, shift, length] = [f.local("i32", "header"), f.local("i32"), f.local("i32"), f.local("i32")];
  f.while(i32.gt_s(count, 0), () => {
    f.set(header, 0);
    f.set(shift, 0);
    f.loop((more) => {
      f.if(i32.or(i32.ge_u(source, end), i32.gt_u(shift, 28)), () => f.return(1));
      f.set(byte, i32.load8_u(source));
      f.set(source, i32.add(source, 1));
      f.set(header, i32.or(header, i32.shl(i32.and(byte, 127), shift)));
      f.set(shift, i32.add(shift, 7));
      f.brIf(more, i32.ge_u(byte, 128));
    });
    f.set(length, i32.shr_u(header, 1));
    f.if(i32.eqz(length), () => f.return(1));
    const run = { f, bitWidth, source, end, target, count, length };
    f.if(
      i32.and(header, 1),
      () => packedRun(run),
      () => repeatedRun(run),
    );
  });
  f.return(0);
}

interface Run {
  readonly f: Pick<
    FunctionBuilder<never, readonly ["i32"]>,
    "if" | "set" | "local" | "loop" | "while" | "emit" | "brIf"
  > & {
    return(value: Expr<"i32"> | number): void;
  };
  readonly bitWidth: number;
  readonly source: Local<"i32">;
  readonly end: Local<"i32">;
  readonly target: Local<"i32">;
  readonly count: Local<"i32">;
  readonly length: Local<"i32">;
}

function repeatedRun(run: Run): void {
  const { f, bitWidth, source, end, target, count, length } = run;
  const bytes = (bitWidth + 7) >>> 3;
  const value = f.local("i32", "value");
  f.if(i32.lt_u(i32.sub(end, source), bytes), () => f.return(1));
  f.set(value, 0);
  for (let b = 0; b < bytes; b++) f.set(value, i32.or(value, i32.shl(i32.load8_u(source, b), 8 * b)));
  f.set(source, i32.add(source, bytes));
  f.if(i32.gt_u(length, count), () => f.set(length, count));
  f.set(count, i32.sub(count, length));
  const stop = f.local("i32", "stop");
  const splat = f.local("v128", "splat");
  f.set(splat, i32x4.splat(value));
  f.set(stop, i32.add(target, i32.shl(length, 2)));
  // Whole vectors may run 12 bytes past the run: the next run, or the block's slack, is there.
  f.while(i32.lt_u(target, stop), () => {
    f.emit(v128.store(target, splat));
    f.set(target, i32.add(target, 16));
  });
  f.set(target, stop);
}

function packedRun(run: Run): void {
  const { f, bitWidth, source, end, target, count, length } = run;
  const [groups, needed] = [f.local("i32", "groups"), f.local("i32", "needed")];
  f.set(groups, i32.shr_u(i32.add(count, 7), 3));
  f.if(i32.gt_u(groups, length), () => f.set(groups, length));
  f.set(needed, i32.shl(groups, 3));
  f.if(i32.gt_u(needed, count), () => f.set(needed, count));
  f.set(count, i32.sub(count, needed));
  // Of the last group only the values wanted must be there.
  const bytes = i64.shr_u(i64.add(i64.mul(i64.extend_i32_u(needed), BigInt(bitWidth)), 7n), 3n);
  f.if(i64.gt_u(bytes, i64.extend_i32_u(i32.sub(end, source))), () => f.return(1));
  const next = f.local("i32", "next");
  f.set(next, i32.add(source, i32.mul(length, bitWidth)));
  f.while(groups, () => {
    for (let k = 0; k < 8; k++) f.emit(i32.store(target, packedValue(source, bitWidth, k), 4 * k));
    f.set(source, i32.add(source, bitWidth));
    f.set(target, i32.add(target, 32));
    f.set(groups, i32.sub(groups, 1));
  });
  // The padding of a last run may be left out.
  f.set(source, next);
  f.if(i32.eqz(count), () => f.set(source, end));
}

function packedValue(source: Local<"i32">, bitWidth: number, k: number): Expr<"i32"> {
  if (bitWidth === 0) return i32.const(0);
  const byte = (k * bitWidth) >>> 3;
  const shift = (k * bitWidth) & 7;
  const mask = 2 ** bitWidth - 1;
  if (bitWidth === 8) return i32.load8_u(source, byte);
  if (bitWidth === 16) return i32.load16_u(source, byte);
  if (shift + bitWidth <= 32) {
    const word = i32.load(source, byte);
    return i32.and(shift === 0 ? word : i32.shr_u(word, shift), mask | 0);
  }
  return i32.and(i32.wrap_i64(i64.shr_u(i64.load(source, byte), BigInt(shift))), mask | 0);
}

function buildGather(module: ModuleBuilder, width: 4 | 8): void {
  const f = module.function(`gather${width}`, {
    params: { dictionary: "i32", indices: "i32", target: "i32", count: "i32" },
    results: [],
    export: true,
  });
  const { dictionary, indices, target, count } = f.params;
  const step = (k: number) => {
    const from = i32.add(dictionary, i32.shl(i32.load(indices, 4 * k), width === 4 ? 2 : 3));
    f.emit(width === 4 ? i32.store(target, i32.load(from), 4 * k) : i64.store(target, i64.load(from), 8 * k));
  };
  const advance = (by: number) => {
    f.set(indices, i32.add(indices, 4 * by));
    f.set(target, i32.add(target, width * by));
    f.set(count, i32.sub(count, by));
  };
  f.while(i32.ge_s(count, 4), () => {
    for (let k = 0; k < 4; k++) step(k);
    advance(4);
  });
  f.while(i32.gt_s(count, 0), () => {
    step(0);
    advance(1);
  });
}

function buildHighest(module: ModuleBuilder): void {
  const f = module.function("highest", { params: { values: "i32", count: "i32" }, results: ["i32"], export: true });
  const { values, count } = f.params;
  const most = f.local("v128", "most");
  f.emit(memory.fill(i32.add(values, i32.shl(count, 2)), 0, 16));
  f.while(i32.gt_s(count, 0), () => {
    f.set(most, i32x4.max_u(most, v128.load(values)));
    f.set(values, i32.add(values, 16));
    f.set(count, i32.sub(count, 4));
  });
  const high = f.local("v128", "high");
  f.set(high, i32x4.max_u(most, i8x16Swap(most)));
  const [a, b] = [i32x4.extract_lane(high, 0), i32x4.extract_lane(high, 1)];
  f.if(i32.gt_u(a, b), () => f.return(a));
  f.return(b);
}

/** Upper and lower half exchanged. */
function i8x16Swap(vector: Expr<"v128">): Expr<"v128"> {
  return i32x4.replace_lane(
    i32x4.replace_lane(vector, 0, i32x4.extract_lane(vector, 2)),
    1,
    i32x4.extract_lane(vector, 3),
  );
}
