export { ControlBlock } from "./control.ts";
export type { ExecuteOptions } from "./driver.ts";
export { ExecError, type ExecErrorCode } from "./error.ts";
export { type Execution, executePlan } from "./execute.ts";
export { InlinePool, type InlinePoolOptions } from "./inline_pool.ts";
export type { TaskOutput, WorkerRequest } from "./messages.ts";
export type { Pool } from "./pool.ts";
export { carryOut } from "./runner.ts";
export type { WorkerContext } from "./worker_context.ts";
