/** Opcodes behind prefix 0xFC: saturating truncation and bulk memory. Rows as in `base.ts`. */

import { F32_TO_I32, F32_TO_I64, F64_TO_I32, F64_TO_I64, ZEROS_I32_I32_I32_TO_VOID } from "./shapes.ts";

export const BULK_OPCODES = {
  "i32.trunc_sat_f32_s": [0x00, F32_TO_I32, 0],
  "i32.trunc_sat_f32_u": [0x01, F32_TO_I32, 0],
  "i32.trunc_sat_f64_s": [0x02, F64_TO_I32, 0],
  "i32.trunc_sat_f64_u": [0x03, F64_TO_I32, 0],
  "i64.trunc_sat_f32_s": [0x04, F32_TO_I64, 0],
  "i64.trunc_sat_f32_u": [0x05, F32_TO_I64, 0],
  "i64.trunc_sat_f64_s": [0x06, F64_TO_I64, 0],
  "i64.trunc_sat_f64_u": [0x07, F64_TO_I64, 0],
  "memory.copy": [0x0a, ZEROS_I32_I32_I32_TO_VOID, 2],
  "memory.fill": [0x0b, ZEROS_I32_I32_I32_TO_VOID, 1],
} as const;
