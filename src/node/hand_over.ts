/** What a node does before it stops, so that its going costs the others nothing: leadership and vote are given up first. */
import type { Gossip } from "./gossip.ts";
import type { NodePorts } from "./ports.ts";
import type { Replica } from "./replica.ts";
import { successors } from "./succession.ts";

const LEADERSHIP_MS = 3_000;
const VOTE_MS = 3_000;
const LAST_WORD_MS = 50;
const LOOK_MS = 20;

export interface HandOverOptions {
  readonly ports: NodePorts;
  readonly replica: Replica;
  readonly gossip: Gossip;
}

export async function handOver({ ports, replica, gossip }: HandOverOptions): Promise<void> {
  const { self } = ports.transport;
  const { consensus } = replica;
  gossip.leave();
  const [successor] = successors(consensus.progress(), gossip);
  if (consensus.status().role === "leader" && successor !== undefined) {
    consensus.transferLeader(successor);
    await until(ports, LEADERSHIP_MS, () => consensus.status().role !== "leader");
  }
  const hasVote = () => consensus.status().membership.voters.includes(self);
  const isAlone = () => consensus.status().membership.voters.length === 1;
  const hasLeader = () => consensus.status().role !== "leader";
  if (hasVote() && !isAlone() && hasLeader()) await until(ports, VOTE_MS, () => !hasVote());
  gossip.left();
  // Connections are about to be cut: the last word needs a moment to get out.
  if (gossip.members().length > 1) await until(ports, LAST_WORD_MS, () => false);
}

/** Resolves when `isDone`, or when the time is over. */
async function until({ clock }: NodePorts, timeoutMs: number, isDone: () => boolean): Promise<void> {
  const endMs = clock.nowMs() + timeoutMs;
  while (!isDone() && clock.nowMs() < endMs) {
    await new Promise<void>((resolve) => void clock.wake(LOOK_MS, resolve));
  }
}
