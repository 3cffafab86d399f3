export { JobsError, type JobsErrorCode } from "./error.ts";
export * from "./physical/mod.ts";
