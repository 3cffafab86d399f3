import { type Expr, i64, type Local } from "../../wasm/mod.ts";
import { Header } from "../context.ts";
import type { RowScope } from "../scope.ts";
import type { Value } from "../value.ts";

/** An entry while code for it is generated. */
export interface EntryCode {
  readonly scope: RowScope;
  readonly entry: Expr<"i32">;
  /** Address of the state block that the entry belongs to. */
  readonly state: Local<"i32">;
  /** The row's position in the input, where it is not the current row of a batch. */
  readonly position?: Local<"i64">;
}

/** Position of the row in the input. */
export function rowPosition(code: EntryCode): Local<"i64"> {
  if (code.position !== undefined) return code.position;
  const { scope } = code;
  const at = scope.f.local("i64", "position");
  scope.f.set(at, i64.add(i64.load(scope.ctx, Header.rowBase), i64.extend_i32_u(scope.row)));
  return at;
}

/**
 * What an aggregate keeps of a group, in some fields of the group's entry, which start as zeros. Aggregates that need
 * the same share one: `sum(x)`, `avg(x)` and `count(x)` need a sum and a count.
 */
export interface Accumulator {
  /** Emits what a new entry needs besides zeros. */
  init?(code: EntryCode): void;
  /** Emits the update by a row's value; the argument of `count()` is null. */
  update(code: EntryCode, value: Value | null): void;
  /** Emits the addition of what the entry at `from`, of another worker, has. */
  merge(code: EntryCode, from: Local<"i32">): void;
  /** Emits what is left to do after an entry of another worker was copied as it is. */
  adopt?(code: EntryCode, from: Local<"i32">): void;
  /** How what vector code collected of many rows is added; absent when rows must come one by one. */
  readonly total?: VectorTotal;
}

export type VectorTotal =
  | { readonly kind: "count"; readonly add: (code: EntryCode, count: Expr<"i64">) => void }
  | { readonly kind: "seen"; readonly add: (code: EntryCode, any: Expr<"i32">) => void }
  | { readonly kind: "floatSum"; readonly add: (code: EntryCode, sum: Expr<"f64">) => void }
  | {
      readonly kind: "integerSum";
      /** Values need all of 64 bits. */
      readonly wide: boolean;
      readonly add: (code: EntryCode, low: Expr<"i64">, high: Expr<"i64">) => void;
    }
  | { readonly kind: "extreme"; readonly which: "min" | "max"; readonly take: (code: EntryCode, value: Value) => void };
