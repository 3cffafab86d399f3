/** Which jobs may use which free slots now. Pure. */
import type { AgentFacts } from "../../jobs/mod.ts";
import type { PeerId } from "../../kernel/mod.ts";

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

/** Takes the slots away that tasks are in. */
export function withoutUsed(
  agents: readonly FreeAgent[],
  used: Iterable<{ readonly peer: PeerId | null; readonly slot: number }>,
): void {
  const bySlot = new Map<PeerId, Set<number>>();
  for (const { peer, slot } of used) {
    if (peer === null) continue;
    const slots = bySlot.get(peer);
    if (slots === undefined) bySlot.set(peer, new Set([slot]));
    else slots.add(slot);
  }
  for (const { peer, freeSlots } of agents) {
    const slots = bySlot.get(peer);
    if (slots === undefined) continue;
    const left = freeSlots.filter((slot) => !slots.has(slot));
    freeSlots.splice(0, freeSlots.length, ...left);
  }
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
  for (const claim of [...claims].sort(claimOrder)) {
    if (ahead !== null && !claim.hasBegun) {
      hooks.waits(claim, `behind job ${ahead.number}`);
      continue;
    }
    const able = agents.filter(({ slotMemoryBytes }) => slotMemoryBytes >= claim.taskMemoryBytes);
    const free = able.reduce((sum, { freeSlots }) => sum + freeSlots.length, 0);
    if (free >= claim.wantedSlots) hooks.take(claim);
    else {
      const all = able.reduce((sum, { slotCount }) => sum + slotCount, 0);
      hooks.waits(claim, `${free} of ${all} slots are free, ${claim.wantedSlots} are needed at once`);
      ahead ??= claim;
    }
  }
}
