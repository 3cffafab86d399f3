/** Which jobs may use which free slots now. Pure. */
import type { AgentFacts } from "../../jobs/mod.ts";

export interface Claim {
  readonly number: number;
  readonly priority: number;
  /** Slots that it lacks for what could begin now, at the least. */
  readonly wantedSlots: number;
  readonly taskMemoryBytes: number;
  /** Some of its tasks run, or have run: it is not held up by jobs that have not begun. */
  readonly hasBegun: boolean;
}

export type FreeAgent = Omit<AgentFacts, "freeSlots"> & { readonly freeSlots: number[] };

/** Higher priority first, then the older one. */
export function claimOrder(a: Claim, b: Claim): number {
  return b.priority - a.priority || a.number - b.number;
}

/**
 * Lets one job after the other take what it needs. Nobody overtakes: behind a job that waits for more slots than are free, no
 * other job begins; those that have begun go on. `take` has the job use slots, and takes them out of `agents`.
 */
export function allocate<C extends Claim>(
  claims: readonly C[],
  agents: readonly FreeAgent[],
  hooks: { readonly take: (claim: C) => void; readonly waits: (claim: C, why: string) => void },
): void {
  let ahead: C | null = null;
  let counts = new Map<number, SlotCounts>();
  for (const claim of [...claims].sort(claimOrder)) {
    if (ahead !== null && !claim.hasBegun) {
      hooks.waits(claim, `behind job ${ahead.number}`);
      continue;
    }
    // Most jobs ask for the same memory: what is free is counted once, until one takes of it.
    const { free, all } = counts.get(claim.taskMemoryBytes) ?? countSlots(agents, claim.taskMemoryBytes);
    if (free >= claim.wantedSlots) {
      counts = new Map();
      hooks.take(claim);
    } else {
      counts.set(claim.taskMemoryBytes, { free, all });
      hooks.waits(claim, `${free} of ${all} slots are free, ${claim.wantedSlots} are needed at once`);
      ahead ??= claim;
    }
  }
}

interface SlotCounts {
  readonly free: number;
  readonly all: number;
}

function countSlots(agents: readonly FreeAgent[], memoryBytes: number): SlotCounts {
  let [free, all] = [0, 0];
  for (const { freeSlots, slotCount, slotMemoryBytes } of agents) {
    if (slotMemoryBytes < memoryBytes) continue;
    free += freeSlots.length;
    all += slotCount;
  }
  return { free, all };
}
