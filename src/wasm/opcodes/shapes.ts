/**
 * What an opcode takes, gives and carries. The static type of every assembler function is derived from its shape.
 *
 * Immediates: `memory` is a byte offset after the operands; `lane` follows the vector operand; `memoryLane` is both;
 * `zeros` are reserved bytes that the caller never sees.
 */
import type { Type, ValType } from "../types.ts";

export type Immediate = "none" | "memory" | "lane" | "memoryLane" | "zeros";

export type Shape = { readonly in: readonly ValType[]; readonly out: Type; readonly immediate: Immediate };

/** [opcode behind its prefix, shape, natural alignment as log2 | lane count | count of zero bytes]. */
export type OpcodeRow = readonly [code: number, shape: Shape, extra: number];

export const MEM_I32_TO_I32 = { in: ["i32"], out: "i32", immediate: "memory" } as const;
export const MEM_I32_TO_I64 = { in: ["i32"], out: "i64", immediate: "memory" } as const;
export const MEM_I32_TO_F32 = { in: ["i32"], out: "f32", immediate: "memory" } as const;
export const MEM_I32_TO_F64 = { in: ["i32"], out: "f64", immediate: "memory" } as const;
export const MEM_I32_I32_TO_VOID = { in: ["i32", "i32"], out: "void", immediate: "memory" } as const;
export const MEM_I32_I64_TO_VOID = { in: ["i32", "i64"], out: "void", immediate: "memory" } as const;
export const MEM_I32_F32_TO_VOID = { in: ["i32", "f32"], out: "void", immediate: "memory" } as const;
export const MEM_I32_F64_TO_VOID = { in: ["i32", "f64"], out: "void", immediate: "memory" } as const;
export const ZEROS_NONE_TO_I32 = { in: [], out: "i32", immediate: "zeros" } as const;
export const ZEROS_I32_TO_I32 = { in: ["i32"], out: "i32", immediate: "zeros" } as const;
export const I32_TO_I32 = { in: ["i32"], out: "i32", immediate: "none" } as const;
export const I32_I32_TO_I32 = { in: ["i32", "i32"], out: "i32", immediate: "none" } as const;
export const I64_TO_I32 = { in: ["i64"], out: "i32", immediate: "none" } as const;
export const I64_I64_TO_I32 = { in: ["i64", "i64"], out: "i32", immediate: "none" } as const;
export const F32_F32_TO_I32 = { in: ["f32", "f32"], out: "i32", immediate: "none" } as const;
export const F64_F64_TO_I32 = { in: ["f64", "f64"], out: "i32", immediate: "none" } as const;
export const I64_TO_I64 = { in: ["i64"], out: "i64", immediate: "none" } as const;
export const I64_I64_TO_I64 = { in: ["i64", "i64"], out: "i64", immediate: "none" } as const;
export const F32_TO_F32 = { in: ["f32"], out: "f32", immediate: "none" } as const;
export const F32_F32_TO_F32 = { in: ["f32", "f32"], out: "f32", immediate: "none" } as const;
export const F64_TO_F64 = { in: ["f64"], out: "f64", immediate: "none" } as const;
export const F64_F64_TO_F64 = { in: ["f64", "f64"], out: "f64", immediate: "none" } as const;
export const F32_TO_I32 = { in: ["f32"], out: "i32", immediate: "none" } as const;
export const F64_TO_I32 = { in: ["f64"], out: "i32", immediate: "none" } as const;
export const I32_TO_I64 = { in: ["i32"], out: "i64", immediate: "none" } as const;
export const F32_TO_I64 = { in: ["f32"], out: "i64", immediate: "none" } as const;
export const F64_TO_I64 = { in: ["f64"], out: "i64", immediate: "none" } as const;
export const I32_TO_F32 = { in: ["i32"], out: "f32", immediate: "none" } as const;
export const I64_TO_F32 = { in: ["i64"], out: "f32", immediate: "none" } as const;
export const F64_TO_F32 = { in: ["f64"], out: "f32", immediate: "none" } as const;
export const I32_TO_F64 = { in: ["i32"], out: "f64", immediate: "none" } as const;
export const I64_TO_F64 = { in: ["i64"], out: "f64", immediate: "none" } as const;
export const F32_TO_F64 = { in: ["f32"], out: "f64", immediate: "none" } as const;
export const ZEROS_I32_I32_I32_TO_VOID = { in: ["i32", "i32", "i32"], out: "void", immediate: "zeros" } as const;
export const MEM_I32_TO_V128 = { in: ["i32"], out: "v128", immediate: "memory" } as const;
export const MEM_I32_V128_TO_VOID = { in: ["i32", "v128"], out: "void", immediate: "memory" } as const;
export const V128_V128_TO_V128 = { in: ["v128", "v128"], out: "v128", immediate: "none" } as const;
export const I32_TO_V128 = { in: ["i32"], out: "v128", immediate: "none" } as const;
export const I64_TO_V128 = { in: ["i64"], out: "v128", immediate: "none" } as const;
export const F32_TO_V128 = { in: ["f32"], out: "v128", immediate: "none" } as const;
export const F64_TO_V128 = { in: ["f64"], out: "v128", immediate: "none" } as const;
export const LANE_V128_TO_I32 = { in: ["v128"], out: "i32", immediate: "lane" } as const;
export const LANE_V128_I32_TO_V128 = { in: ["v128", "i32"], out: "v128", immediate: "lane" } as const;
export const LANE_V128_TO_I64 = { in: ["v128"], out: "i64", immediate: "lane" } as const;
export const LANE_V128_I64_TO_V128 = { in: ["v128", "i64"], out: "v128", immediate: "lane" } as const;
export const LANE_V128_TO_F32 = { in: ["v128"], out: "f32", immediate: "lane" } as const;
export const LANE_V128_F32_TO_V128 = { in: ["v128", "f32"], out: "v128", immediate: "lane" } as const;
export const LANE_V128_TO_F64 = { in: ["v128"], out: "f64", immediate: "lane" } as const;
export const LANE_V128_F64_TO_V128 = { in: ["v128", "f64"], out: "v128", immediate: "lane" } as const;
export const V128_TO_V128 = { in: ["v128"], out: "v128", immediate: "none" } as const;
export const V128_V128_V128_TO_V128 = { in: ["v128", "v128", "v128"], out: "v128", immediate: "none" } as const;
export const V128_TO_I32 = { in: ["v128"], out: "i32", immediate: "none" } as const;
export const MEM_LANE_I32_V128_TO_V128 = { in: ["i32", "v128"], out: "v128", immediate: "memoryLane" } as const;
export const MEM_LANE_I32_V128_TO_VOID = { in: ["i32", "v128"], out: "void", immediate: "memoryLane" } as const;
export const V128_I32_TO_V128 = { in: ["v128", "i32"], out: "v128", immediate: "none" } as const;
export const MEM_I32_I32_TO_I32 = { in: ["i32", "i32"], out: "i32", immediate: "memory" } as const;
export const MEM_I32_I32_I64_TO_I32 = { in: ["i32", "i32", "i64"], out: "i32", immediate: "memory" } as const;
export const MEM_I32_I64_I64_TO_I32 = { in: ["i32", "i64", "i64"], out: "i32", immediate: "memory" } as const;
export const ZEROS_NONE_TO_VOID = { in: [], out: "void", immediate: "zeros" } as const;
export const MEM_I32_I64_TO_I64 = { in: ["i32", "i64"], out: "i64", immediate: "memory" } as const;
export const MEM_I32_I32_I32_TO_I32 = { in: ["i32", "i32", "i32"], out: "i32", immediate: "memory" } as const;
export const MEM_I32_I64_I64_TO_I64 = { in: ["i32", "i64", "i64"], out: "i64", immediate: "memory" } as const;
