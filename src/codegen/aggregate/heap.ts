import { type Expr, i32, type Local } from "../../wasm/mod.ts";
import type { RowScope } from "../scope.ts";
import { newHeap, StateWord } from "./memory_layout.ts";

/** Emits the allocation of `bytes` from the bump heap of the state block; 8-byte aligned, never freed one by one. */
export function heapAllocate(scope: RowScope, state: Expr<"i32">, bytes: Expr<"i32">): Local<"i32"> {
  const { f } = scope;
  const at = f.local("i32", "heap");
  const rounded = f.local("i32", "rounded");
  f.set(rounded, i32.and(i32.add(bytes, 7), -8));
  f.if(i32.lt_u(i32.sub(i32.load(state, StateWord.heapEnd), i32.load(state, StateWord.heapNext)), rounded), () =>
    f.emit(newHeap.call(rounded)),
  );
  f.set(at, i32.load(state, StateWord.heapNext));
  f.emit(i32.store(state, i32.add(at, rounded), StateWord.heapNext));
  return at;
}
