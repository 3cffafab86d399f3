export { decodePhysicalPlan, encodePhysicalPlan } from "./codec.ts";
export { explainPhysical } from "./explain.ts";
export * from "./model.ts";
export type { PhysicalOptions, SourceFacts } from "./options.ts";
export {
  decodeOutline,
  type ExchangeOutline,
  encodeOutline,
  type FragmentOutline,
  type JobOutline,
  PLAN_TASKS_MAX,
  type PlanOutline,
} from "./outline.ts";
export { planPhysical } from "./planner.ts";
export { slotsAtOnce, type TaskGraph, taskGraph } from "./regions.ts";
export { boundRows, splitsOfTask, taskPlan } from "./task_plan.ts";
