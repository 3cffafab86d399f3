export { type AgentFacts, type Place, Placement, type PlacementStrategy, placeTasks, type TaskNeeds } from "./place.ts";
export { checkFits, type JobDemand, queueOrder, startable } from "./queue.ts";
