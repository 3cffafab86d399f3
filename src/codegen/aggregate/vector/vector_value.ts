import type { Expr, FunctionBuilder, Local } from "../../../wasm/mod.ts";

/** Rows of a block: four pairs of 64-bit lanes. */
export const BLOCK_ROWS = 8;
export const BLOCK_PAIRS = 4;

/**
 * Two rows of a value. `i64` and `f64`: lanes of that type, smaller integers and dates widened, float32 as float64.
 * `mask`: a bool, lanes all ones where it is true and not null.
 */
export interface VectorValue {
  readonly value: Expr<"v128">;
  /** Lanes all ones where null; null when never. */
  readonly isNull: Expr<"v128"> | null;
}

export type VectorForm = "i64" | "f64" | "mask";

/** One pair of rows of the current block while its code is generated. */
export interface Pair {
  readonly f: FunctionBuilder<{ ctx: "i32"; start: "i32"; end: "i32" }, []>;
  /** 0 … BLOCK_PAIRS − 1. */
  readonly index: number;
  /** Values computed for this pair. */
  readonly known: Map<string, VectorValue>;
  /** Address of the block's first element of an input column. */
  readonly data: (inputColumn: number) => Local<"i32">;
  /** The block's byte of validity bits of an input column, in both lanes. */
  readonly validity: (inputColumn: number) => Local<"v128">;
}

/** An expression that has a vector form. */
export interface VectorCode {
  readonly form: VectorForm;
  /** Emits code; the value's expressions may be repeated. */
  readonly emit: (pair: Pair) => VectorValue;
}

/** `value` in a local. */
export function kept(pair: Pair, value: Expr<"v128">): Expr<"v128"> {
  if (value.kind === "local" || value.kind === "const") return value;
  const local = pair.f.local("v128", "lanes");
  pair.f.set(local, value);
  return local;
}
