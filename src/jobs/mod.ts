export { JobsError, type JobsErrorCode } from "./error.ts";
export * from "./machine/mod.ts";
export * from "./physical/mod.ts";
export * from "./placement/mod.ts";
export {
  canMove,
  isEnded,
  isForgettable,
  JOB_STATE_TABLE,
  JOB_STATES,
  type JobState,
  jobStatesDiagram,
} from "./states.ts";
