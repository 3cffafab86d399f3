import { closeGroups, mergeGroups, outputGroups } from "./phases.ts";

export { AggregateState } from "./aggregate_state.ts";
export { runAggregate } from "./run.ts";

export const aggregatePhases = { "aggregate.merge": mergeGroups, "aggregate.output": outputGroups };
export const aggregateEach = { "aggregate.close": closeGroups };
