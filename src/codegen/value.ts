import { type DataType, valueType } from "../arrow/mod.ts";
import { unreachable } from "../kernel/mod.ts";
import type { Expr } from "../wasm/mod.ts";

/** How a value of a type lives in WebAssembly locals. Nested types have no such form: they are carried, not computed. */
export type Repr = "i32" | "i64" | "f32" | "f64" | "i128" | "bytes";

/**
 * One column's value in the current row. All expressions in it are locals or constants, so they may be repeated.
 * Where `isNull` is 1 the rest is unspecified, but safe to compute with (bytes lie in the arena).
 */
export type Value = {
  readonly type: DataType;
  /** 1 when null; null when the value can never be null. */
  readonly isNull: Expr<"i32"> | null;
} & ValueParts;

export type ValueParts =
  | { readonly repr: "i32"; readonly value: Expr<"i32"> }
  | { readonly repr: "i64"; readonly value: Expr<"i64"> }
  | { readonly repr: "f32"; readonly value: Expr<"f32"> }
  | { readonly repr: "f64"; readonly value: Expr<"f64"> }
  /** Two's complement, `low` unsigned. */
  | { readonly repr: "i128"; readonly low: Expr<"i64">; readonly high: Expr<"i64"> }
  /** `address` in the arena and length in bytes. */
  | { readonly repr: "bytes"; readonly address: Expr<"i32">; readonly bytes: Expr<"i32"> };

/**
 * bool is 0 or 1; small integers are sign- or zero-extended to i32; uint32 is its bits in i32 (compare unsigned);
 * uint64 its bits in i64.
 */
export function reprOf(type: DataType): Repr {
  switch (type.kind) {
    case "null":
    case "bool":
    case "int8":
    case "int16":
    case "int32":
    case "uint8":
    case "uint16":
    case "uint32":
    case "date32":
      return "i32";
    case "int64":
    case "uint64":
    case "timestamp":
    case "duration":
      return "i64";
    case "time":
      return type.unit === "second" || type.unit === "millisecond" ? "i32" : "i64";
    case "float32":
      return "f32";
    case "float64":
      return "f64";
    case "decimal":
      return "i128";
    case "utf8":
    case "largeUtf8":
    case "binary":
    case "largeBinary":
    case "fixedSizeBinary":
      return "bytes";
    case "dictionary":
      return reprOf(valueType(type));
    case "list":
    case "struct":
      throw new TypeError(`No register form for nested type ${type.kind}`);
    default:
      return unreachable(type);
  }
}

export function isNested(type: DataType): boolean {
  return type.kind === "list" || type.kind === "struct";
}
