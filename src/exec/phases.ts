import { aggregateEach, aggregatePhases } from "./aggregate/mod.ts";
import { joinEach, joinPhases } from "./join/mod.ts";
import { sortEach, sortPhases } from "./sort/mod.ts";
import type { WorkerContext } from "./worker_context.ts";

/** A function that workers call for tasks of a phase; results are plain data. */
export type PhaseHandler = (worker: WorkerContext, argument: unknown, task: number) => unknown;
/** A function that every worker calls once. */
export type EachHandler = (worker: WorkerContext, argument: unknown) => unknown;

/** By name, as messages carry it. */
export const phaseHandlers: Readonly<Record<string, PhaseHandler>> = {
  ...aggregatePhases,
  ...joinPhases,
  ...sortPhases,
};

export const eachHandlers: Readonly<Record<string, EachHandler>> = {
  ...aggregateEach,
  ...joinEach,
  ...sortEach,
  /** Drops a terminal's state; `argument` is its name. */
  dropState(worker, argument) {
    const name = argument as string;
    worker.states.get(name)?.dispose();
    worker.states.delete(name);
  },
  dropAllStates(worker) {
    for (const state of worker.states.values()) state.dispose();
    worker.states.clear();
  },
};
