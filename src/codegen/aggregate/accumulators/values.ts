/**
 * All values of a group as float64, in a chain of blocks in the heap, each twice as large as the one before:
 *
 *   next address (0 at the end), capacity, used (values), unused, values…
 */
import { type Expr, f64, i32, i64, select } from "../../../wasm/mod.ts";
import type { Accumulator, EntryCode } from "../accumulator.ts";
import { heapAllocate } from "../heap.ts";
import type { Packing } from "../packing.ts";
import { toFloat } from "../to_float.ts";

export const ValueBlock = { next: 0, capacity: 4, used: 8, values: 16 } as const;

const CAPACITY_MIN = 4;
const CAPACITY_MAX = 8_192;

export interface ValuesAccumulator extends Accumulator {
  readonly count: (entry: Expr<"i32">) => Expr<"i64">;
  /** Address of the first block, 0 for none. */
  readonly head: (entry: Expr<"i32">) => Expr<"i32">;
}

export function valuesAccumulator(packing: Packing): ValuesAccumulator {
  const at = { count: packing.take(8), head: packing.take(4), tail: packing.take(4) };
  const count = (entry: Expr<"i32">) => i64.load(entry, at.count);
  const head = (entry: Expr<"i32">) => i32.load(entry, at.head);
  return {
    count,
    head,
    update(code, value) {
      if (value === null) return;
      const run = () => append(code, at, toFloat(code.scope, value));
      if (value.isNull === null) run();
      else code.scope.if(i32.eqz(value.isNull), run);
    },
    merge({ scope, entry }, from) {
      const { f } = scope;
      scope.if(head(from), () => {
        const tail = f.local("i32", "tail");
        f.set(tail, i32.load(entry, at.tail));
        f.if(
          tail,
          () => f.emit(i32.store(tail, head(from), ValueBlock.next)),
          () => f.emit(i32.store(entry, head(from), at.head)),
        );
        f.emit(i32.store(entry, i32.load(from, at.tail), at.tail));
        f.emit(i64.store(entry, i64.add(count(entry), count(from)), at.count));
      });
    },
  };
}

function append(
  code: EntryCode,
  at: { readonly count: number; readonly head: number; readonly tail: number },
  x: Expr<"f64">,
): void {
  const { scope, entry } = code;
  const { f } = scope;
  const tail = f.local("i32", "tail");
  const used = f.local("i32", "used");
  f.set(tail, i32.load(entry, at.tail));
  // With no block yet, address 0 is read: the arena's first words are 0, so it looks like a full block.
  f.set(used, i32.load(tail, ValueBlock.used));
  f.if(i32.ge_u(used, i32.load(tail, ValueBlock.capacity)), () => {
    const capacity = f.local("i32", "capacity");
    f.set(capacity, i32.shl(i32.load(tail, ValueBlock.capacity), 1));
    f.set(capacity, select(i32.lt_u(capacity, CAPACITY_MIN), i32.const(CAPACITY_MIN), capacity));
    f.set(capacity, select(i32.gt_u(capacity, CAPACITY_MAX), i32.const(CAPACITY_MAX), capacity));
    const bytes = i32.add(i32.shl(capacity, 3), ValueBlock.values);
    const block = heapAllocate(scope, code.state, bytes);
    f.emit(i32.store(block, 0, ValueBlock.next));
    f.emit(i32.store(block, capacity, ValueBlock.capacity));
    f.emit(i32.store(block, 0, ValueBlock.used));
    f.if(
      tail,
      () => f.emit(i32.store(tail, block, ValueBlock.next)),
      () => f.emit(i32.store(entry, block, at.head)),
    );
    f.emit(i32.store(entry, block, at.tail));
    f.set(tail, block);
    f.set(used, 0);
  });
  f.emit(f64.store(i32.add(tail, i32.shl(used, 3)), x, ValueBlock.values));
  f.emit(i32.store(tail, i32.add(used, 1), ValueBlock.used));
  f.emit(i64.store(entry, i64.add(i64.load(entry, at.count), 1n), at.count));
}
