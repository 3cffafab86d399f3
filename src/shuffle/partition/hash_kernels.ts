/**
 * Hashes of key columns, a column at a time: each value becomes 64 bits, the bits of a row's keys are mixed.
 *
 * Equal values have equal bits whatever form they come in: integers are widened, every NaN is one NaN, -0 is 0, float32
 * is widened to float64, strings are hashed by their bytes (of a dictionary once a value).
 */
import { hashBytes, mix } from "../../codegen/mod.ts";
import { type Expr, f32, f64, i32, i64, type ModuleBuilder, select } from "../../wasm/mod.ts";

const NAN = 0x7ff8_0000_0000_0000n;
const NULL_BITS = 0x2545_f491_4f6c_dd1dn;
/** Another than that of the engine's tables: rows of one partition must not share the bits that those use. */
const LAST_FACTOR = BigInt.asIntN(64, 0xff51_afd7_ed55_8ccdn);

export interface HashExports {
  /** Bits of `count` values to `out`, 8 bytes each. */
  bits1s(data: number, count: number, out: number): void;
  bits1u(data: number, count: number, out: number): void;
  bits2s(data: number, count: number, out: number): void;
  bits2u(data: number, count: number, out: number): void;
  bits4s(data: number, count: number, out: number): void;
  bits4u(data: number, count: number, out: number): void;
  bits16(data: number, count: number, out: number): void;
  bitsF32(data: number, count: number, out: number): void;
  bitsF64(data: number, count: number, out: number): void;
  bitsBool(data: number, count: number, out: number): void;
  bitsText(data: number, count: number, out: number, offsets: number): void;
  bitsWide(data: number, count: number, out: number, width: number): void;
  /** `bits` of the values that indices point at, to `out`; 0 where the row is null. */
  lookUp(indices: number, count: number, out: number, bits: number, validity: number): void;
  /** Mixes a column's bits into the hashes of its rows; `isFirst` when they have none yet. */
  mixIn(bits: number, count: number, hashes: number, validity: number, isFirst: number): void;
  /** The partition of each hash to `parts` (2 bytes each), counted in `histogram`. */
  assign(hashes: number, count: number, parts: number, histogram: number, partitions: number): void;
}

/** Emits a loop over `count` values of `1 << shift` bytes; `bits` gives those of the value at `data`. */
function bitsOf(module: ModuleBuilder, name: string, shift: number, bits: (data: Expr<"i32">) => Expr<"i64">): void {
  const f = module.function(name, { params: { data: "i32", count: "i32", out: "i32" }, results: [], export: true });
  const { data, count, out } = f.params;
  f.while(count, () => {
    f.emit(i64.store(out, bits(data)));
    f.set(data, i32.add(data, 1 << shift));
    f.set(out, i32.add(out, 8));
    f.set(count, i32.sub(count, 1));
  });
}

const orNan = (value: Expr<"f64">, bits: Expr<"i64">) => select(f64.eq(value, value), bits, NAN);

function bitAt(bitmap: Expr<"i32">, row: Expr<"i32">): Expr<"i32"> {
  return i32.and(i32.shr_u(i32.load8_u(i32.add(bitmap, i32.shr_u(row, 3))), i32.and(row, 7)), 1);
}

export function hashKernels(module: ModuleBuilder): void {
  bitsOf(module, "bits1s", 0, (at) => i64.load8_s(at));
  bitsOf(module, "bits1u", 0, (at) => i64.load8_u(at));
  bitsOf(module, "bits2s", 1, (at) => i64.load16_s(at));
  bitsOf(module, "bits2u", 1, (at) => i64.load16_u(at));
  bitsOf(module, "bits4s", 2, (at) => i64.load32_s(at));
  bitsOf(module, "bits4u", 2, (at) => i64.load32_u(at));
  bitsOf(module, "bits16", 4, (at) => mix(mix(null, i64.load(at)), i64.load(at, 8)));
  // Adding 0 turns -0 into 0.
  bitsOf(module, "bitsF64", 3, (at) => orNan(f64.load(at), i64.reinterpret_f64(f64.add(f64.load(at), 0))));
  bitsOf(module, "bitsF32", 2, (at) => {
    const wide = f64.promote_f32(f32.load(at));
    return orNan(wide, i64.reinterpret_f64(f64.add(wide, 0)));
  });
  boolBits(module);
  textBits(module);
  wideBits(module);
  lookUp(module);
  mixIn(module);
  assign(module);
}

function boolBits(module: ModuleBuilder): void {
  const f = module.function("bitsBool", {
    params: { data: "i32", count: "i32", out: "i32" },
    results: [],
    export: true,
  });
  const { data, count, out } = f.params;
  const row = f.local("i32", "row");
  f.while(i32.lt_u(row, count), () => {
    f.emit(i64.store(out, i64.extend_i32_u(bitAt(data, row))));
    f.set(out, i32.add(out, 8));
    f.set(row, i32.add(row, 1));
  });
}

function textBits(module: ModuleBuilder): void {
  const f = module.function("bitsText", {
    params: { data: "i32", count: "i32", out: "i32", offsets: "i32" },
    results: [],
    export: true,
  });
  const { data, count, out, offsets } = f.params;
  const start = f.local("i32", "start");
  const end = f.local("i32", "end");
  f.if(i32.eqz(count), () => f.return());
  f.set(end, i32.load(offsets));
  f.while(count, () => {
    f.set(start, end);
    f.set(end, i32.load(offsets, 4));
    f.emit(i64.store(out, hashBytes.call(i32.add(data, start), i32.sub(end, start))));
    f.set(offsets, i32.add(offsets, 4));
    f.set(out, i32.add(out, 8));
    f.set(count, i32.sub(count, 1));
  });
}

function wideBits(module: ModuleBuilder): void {
  const f = module.function("bitsWide", {
    params: { data: "i32", count: "i32", out: "i32", width: "i32" },
    results: [],
    export: true,
  });
  const { data, count, out, width } = f.params;
  f.while(count, () => {
    f.emit(i64.store(out, hashBytes.call(data, width)));
    f.set(data, i32.add(data, width));
    f.set(out, i32.add(out, 8));
    f.set(count, i32.sub(count, 1));
  });
}

function lookUp(module: ModuleBuilder): void {
  const f = module.function("lookUp", {
    params: { indices: "i32", count: "i32", out: "i32", bits: "i32", validity: "i32" },
    results: [],
    export: true,
  });
  const { indices, count, out, bits, validity } = f.params;
  const row = f.local("i32", "row");
  const present = f.local("i32", "present");
  f.while(i32.lt_u(row, count), () => {
    f.set(present, 1);
    f.if(validity, () => f.set(present, bitAt(validity, row)));
    // A dictionary of nulls only has no values to look up.
    f.if(
      present,
      () => f.emit(i64.store(out, i64.load(i32.add(bits, i32.shl(i32.load(indices), 3))))),
      () => f.emit(i64.store(out, 0n)),
    );
    f.set(indices, i32.add(indices, 4));
    f.set(out, i32.add(out, 8));
    f.set(row, i32.add(row, 1));
  });
}

function mixIn(module: ModuleBuilder): void {
  const f = module.function("mixIn", {
    params: { bits: "i32", count: "i32", hashes: "i32", validity: "i32", isFirst: "i32" },
    results: [],
    export: true,
  });
  const { bits, count, hashes, validity, isFirst } = f.params;
  const row = f.local("i32", "row");
  const value = f.local("i64", "value");
  const hash = f.local("i64", "hash");
  const keep = f.local("i64", "keep");
  f.set(keep, select(isFirst, i64.const(0n), i64.const(-1n)));
  f.while(i32.lt_u(row, count), () => {
    f.set(value, i64.load(bits));
    f.if(validity, () => f.if(i32.eqz(bitAt(validity, row)), () => f.set(value, NULL_BITS)));
    f.set(hash, mix(i64.and(i64.load(hashes), keep), value));
    f.emit(i64.store(hashes, folded(hash)));
    f.set(bits, i32.add(bits, 8));
    f.set(hashes, i32.add(hashes, 8));
    f.set(row, i32.add(row, 1));
  });
}

export const folded = (hash: Expr<"i64">) => i64.xor(hash, i64.shr_u(hash, 32n));

/** The top 32 bits, scaled to the number of partitions (Lemire 2016). */
export function partitionOf(hash: Expr<"i64">, partitions: Expr<"i64">): Expr<"i32"> {
  const top = i64.shr_u(i64.mul(hash, LAST_FACTOR), 32n);
  return i32.wrap_i64(i64.shr_u(i64.mul(top, partitions), 32n));
}

function assign(module: ModuleBuilder): void {
  const params = { hashes: "i32", count: "i32", parts: "i32", histogram: "i32", partitions: "i32" } as const;
  const f = module.function("assign", { params, results: [], export: true });
  const { hashes, count, parts, histogram, partitions } = f.params;
  const wide = f.local("i64", "wide");
  const row = f.local("i32", "row");
  const part = f.local("i32", "part");
  const slot = f.local("i32", "slot");
  f.set(wide, i64.extend_i32_u(partitions));
  f.while(i32.lt_u(row, count), () => {
    f.set(part, partitionOf(i64.load(hashes), wide));
    f.emit(i32.store16(parts, part));
    f.set(slot, i32.add(histogram, i32.shl(part, 2)));
    f.emit(i32.store(slot, i32.add(i32.load(slot), 1)));
    f.set(hashes, i32.add(hashes, 8));
    f.set(parts, i32.add(parts, 2));
    f.set(row, i32.add(row, 1));
  });
}
