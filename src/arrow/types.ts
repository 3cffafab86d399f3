/**
 * Logical types of columns, as frozen data with a `kind`. Names follow the Arrow specification (Schema.fbs); the
 * physical layout of each in the arena is in `column.ts`.
 */

export type TimeUnit = "second" | "millisecond" | "microsecond" | "nanosecond";

export type IntKind = "int8" | "int16" | "int32" | "int64" | "uint8" | "uint16" | "uint32" | "uint64";
export type FloatKind = "float32" | "float64";

export type DataType =
  | { readonly kind: "null" }
  | { readonly kind: "bool" }
  | { readonly kind: IntKind }
  | { readonly kind: FloatKind }
  /** 128-bit two's complement integer scaled by 10^-scale; precision 1..38. */
  | { readonly kind: "decimal"; readonly precision: number; readonly scale: number }
  | { readonly kind: "utf8" }
  | { readonly kind: "largeUtf8" }
  | { readonly kind: "binary" }
  | { readonly kind: "largeBinary" }
  | { readonly kind: "fixedSizeBinary"; readonly byteWidth: number }
  /** Days since 1970-01-01, int32. */
  | { readonly kind: "date32" }
  /** int64 since the epoch, UTC when a time zone is given, else local wall time. */
  | { readonly kind: "timestamp"; readonly unit: TimeUnit; readonly timezone: string | null }
  /** Time of day; int32 for seconds and milliseconds, int64 for finer units. */
  | { readonly kind: "time"; readonly unit: TimeUnit }
  | { readonly kind: "duration"; readonly unit: TimeUnit }
  /** Values behind indices. In expressions a dictionary counts as its value type. */
  | { readonly kind: "dictionary"; readonly index: IntKind; readonly value: DataType; readonly ordered: boolean }
  | { readonly kind: "list"; readonly item: Field }
  | { readonly kind: "struct"; readonly fields: readonly Field[] };

export type TypeKind = DataType["kind"];

export interface Field {
  readonly name: string;
  readonly type: DataType;
  readonly nullable: boolean;
}

/** Ordered, uniquely named columns. */
export interface Schema {
  readonly fields: readonly Field[];
}
