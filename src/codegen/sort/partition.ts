/** Cutting rows into parts of the key space by their first words. */
import { i32, i64, type ModuleBuilder, select } from "../../wasm/mod.ts";
import { Record } from "./records.ts";

/** Parts that a byte can number. */
export const PARTS_MAX = 256;

/**
 * `partition`: splitters are sorted, one fewer than there are parts; `half` is half the number of parts, a power of
 * two. Binary search without branches, so that several rows are searched for at once.
 */
export function partitionKernel(module: ModuleBuilder): void {
  const f = module.function("partition", {
    params: { words: "i32", count: "i32", splitters: "i32", parts: "i32", histogram: "i32", half: "i32" },
    results: [],
    export: true,
  });
  const { words, count, splitters, parts, histogram, half } = f.params;
  const end = f.local("i32", "end");
  const word = f.local("i64", "word");
  const step = f.local("i32", "step");
  const at = f.local("i32", "at");
  f.set(end, i32.add(words, i32.shl(count, 3)));
  f.set(half, i32.shl(half, 3));
  f.while(i32.lt_u(words, end), () => {
    f.set(word, i64.load(words));
    f.set(at, splitters);
    f.set(step, half);
    f.while(i32.ge_u(step, 8), () => {
      const middle = i32.add(at, step);
      f.set(at, select(i64.le_u(i64.load(i32.sub(middle, 8)), word), middle, at));
      f.set(step, i32.shr_u(step, 1));
    });
    f.set(at, i32.shr_u(i32.sub(at, splitters), 3));
    f.emit(i32.store8(parts, at));
    f.set(at, i32.add(histogram, i32.shl(at, 2)));
    f.emit(i32.store(at, i32.add(i32.load(at), 1)));
    f.set(words, i32.add(words, 8));
    f.set(parts, i32.add(parts, 1));
  });
}

/** `scatter`: writes each row's record to the next place of its part. */
export function scatterKernel(module: ModuleBuilder): void {
  const f = module.function("scatter", {
    params: { words: "i32", parts: "i32", count: "i32", batch: "i32", start: "i32", positions: "i32" },
    results: [],
    export: true,
  });
  const { words, parts, count, batch, start, positions } = f.params;
  const end = f.local("i32", "end");
  const slot = f.local("i32", "slot");
  const to = f.local("i32", "to");
  f.set(end, i32.add(parts, count));
  f.while(i32.lt_u(parts, end), () => {
    f.set(slot, i32.add(positions, i32.shl(i32.load8_u(parts), 2)));
    f.set(to, i32.load(slot));
    f.emit(i64.store(to, i64.load(words)));
    f.emit(i32.store(to, start, Record.row));
    f.emit(i32.store(to, batch, Record.batch));
    f.emit(i32.store(slot, i32.add(to, Record.bytes)));
    f.set(words, i32.add(words, 8));
    f.set(start, i32.add(start, 1));
    f.set(parts, i32.add(parts, 1));
  });
}
