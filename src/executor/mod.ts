export { ExecutorError, type ExecutorErrorCode } from "./error.ts";
export { Executor } from "./executor.ts";
export {
  type EnginePort,
  EXCHANGE_PARTS,
  type ExchangeParts,
  type ExecutorPorts,
  type ExecutorSettings,
  type JobCode,
} from "./ports.ts";
