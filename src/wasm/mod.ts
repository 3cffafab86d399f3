export { type HostFunction, hostFunction, type Kernel, kernel, type NamedCallee } from "./callee.ts";
export { ifElse, select } from "./expr.ts";
export type { FunctionBuilder } from "./function.ts";
export { type Global, type MemoryOptions, ModuleBuilder, type ModuleOptions } from "./module.ts";
export { atomic_fence, f32, f32x4, f64, f64x2, i8x16, i16x8, i32, i32x4, i64, i64x2, memory, v128 } from "./ops.ts";
export type {
  ConstValue,
  Expr,
  Label,
  Local,
  NamedParams,
  Operand,
  ResultOf,
  Results,
  Type,
  ValType,
} from "./types.ts";
