/**
 * Sorting row numbers by partition in one pass over the keys, for few partitions: each has a list of its own that grows,
 * and at the end they are put one after the other.
 */
import { mix } from "../../codegen/mod.ts";
import { type Expr, type FunctionBuilder, i32, i64, type Local, type ModuleBuilder, memory } from "../../wasm/mod.ts";
import { folded, partitionOf } from "./hash_kernels.ts";

/** With more, lists of a stretch would not stay in the cache. */
export const SORTED_PARTITIONS_MAX = 16;
/** Between lists, which would else compete for the same places of the cache. */
const GAP_BYTES = 64;

/** What `sort` needs as scratch for a stretch. */
export function sortScratchBytes(rows: number, partitions: number): number {
  return (4 * rows + GAP_BYTES) * partitions;
}

const UNROLLED = 4;

export interface SortExports {
  /**
   * For few partitions `assign` and `order` at once: numbers of `count` rows from `first` on to `rows`, by partition, and
   * to `ends` where those of each end. `scratch` has `sortScratchBytes`.
   */
  sort(
    hashes: number,
    first: number,
    count: number,
    ends: number,
    partitions: number,
    rows: number,
    scratch: number,
  ): void;
  /** `mixIn` and `sort` at once, for a single key without nulls. */
  sortBits(
    bits: number,
    first: number,
    count: number,
    ends: number,
    partitions: number,
    rows: number,
    scratch: number,
  ): void;
}

const PARAMS = {
  bits: "i32",
  first: "i32",
  count: "i32",
  ends: "i32",
  partitions: "i32",
  rows: "i32",
  scratch: "i32",
} as const;
type Params = { readonly [Name in keyof typeof PARAMS]: Local<"i32"> };
type Code = Pick<FunctionBuilder, "local" | "set" | "while" | "emit" | "if">;

export function sortKernels(module: ModuleBuilder): void {
  for (const isHashed of [true, false]) {
    const f = module.function(isHashed ? "sort" : "sortBits", { params: PARAMS, results: [], export: true });
    f.if(
      i32.eq(f.params.partitions, 2),
      () => toTwo(f, f.params, isHashed),
      () => toSome(f, f.params, isHashed),
    );
  }
}

/** Calls `one` for each row, given its number and its hash. */
function forEachRow(
  f: Code,
  { bits, first, count }: Params,
  isHashed: boolean,
  one: (row: Expr<"i32">, hash: Expr<"i64">) => void,
): void {
  const hash = f.local("i64", "hash");
  const step = (rows: number) => {
    for (let at = 0; at < rows; at++) {
      const value = i64.load(bits, 8 * at);
      f.set(hash, isHashed ? value : mix(null, value));
      one(i32.add(first, at), isHashed ? hash : folded(hash));
    }
    f.set(bits, i32.add(bits, 8 * rows));
    f.set(first, i32.add(first, rows));
    f.set(count, i32.sub(count, rows));
  };
  f.while(i32.ge_u(count, UNROLLED), () => step(UNROLLED));
  f.while(count, () => step(1));
}

/** Each row number is written to both lists, and one of them grows: nothing waits for memory, nothing is guessed. */
function toTwo(f: Code, params: Params, isHashed: boolean): void {
  const { count, ends, rows, scratch } = params;
  const left = f.local("i32", "left");
  const right = f.local("i32", "right");
  const bytes = f.local("i32", "bytes");
  const place = f.local("i32", "place");
  f.set(left, rows);
  f.set(right, scratch);
  f.set(bytes, i32.shl(count, 2));
  forEachRow(f, params, isHashed, (row, hash) => {
    f.emit(i32.store(left, row));
    f.emit(i32.store(right, row));
    f.set(place, i32.shl(partitionOf(hash, i64.const(2n)), 2));
    f.set(right, i32.add(right, place));
    f.set(left, i32.sub(i32.add(left, 4), place));
  });
  f.emit(memory.copy(left, scratch, i32.sub(right, scratch)));
  f.emit(i32.store(ends, i32.shr_u(i32.sub(left, rows), 2)));
  f.emit(i32.store(ends, i32.shr_u(bytes, 2), 4));
}

function toSome(f: Code, params: Params, isHashed: boolean): void {
  const { count, ends, partitions, rows, scratch } = params;
  const wide = f.local("i64", "wide");
  const bytes = f.local("i32", "listBytes");
  const slot = f.local("i32", "slot");
  const last = f.local("i32", "last");
  const list = f.local("i32", "list");
  const to = f.local("i32", "to");
  f.set(wide, i64.extend_i32_u(partitions));
  f.set(bytes, i32.add(i32.shl(count, 2), GAP_BYTES));
  f.set(last, i32.add(ends, i32.shl(partitions, 2)));
  const eachList = (body: () => void) => {
    f.set(list, scratch);
    f.set(slot, ends);
    f.while(i32.lt_u(slot, last), () => {
      body();
      f.set(list, i32.add(list, bytes));
      f.set(slot, i32.add(slot, 4));
    });
  };
  eachList(() => f.emit(i32.store(slot, list)));
  forEachRow(f, params, isHashed, (row, hash) => {
    f.set(slot, i32.add(ends, i32.shl(partitionOf(hash, wide), 2)));
    f.set(to, i32.load(slot));
    f.emit(i32.store(to, row));
    f.emit(i32.store(slot, i32.add(to, 4)));
  });
  const start = f.local("i32", "start");
  f.set(start, rows);
  eachList(() => {
    f.set(to, i32.sub(i32.load(slot), list));
    f.emit(memory.copy(start, list, to));
    f.set(start, i32.add(start, to));
    f.emit(i32.store(slot, i32.shr_u(i32.sub(start, rows), 2)));
  });
}
