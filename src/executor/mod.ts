export { ExecutorError, type ExecutorErrorCode } from "./error.ts";
export { Executor } from "./executor.ts";
export type { EnginePort, ExecutorPorts, ExecutorSettings, JobCode } from "./ports.ts";
