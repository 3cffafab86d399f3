/** Handing leadership to a chosen voter (Ongaro 2014, 3.10): proposals rest until it has the whole log, then it campaigns. */
import type { PeerId } from "../kernel/mod.ts";
import type { Core, Leading } from "./core.ts";

export type TransferResult =
  | { readonly kind: "started" }
  | { readonly kind: "refused"; readonly reason: "not-leader" | "is-leader" | "not-voter" | "transferring" };

/** Ends with another leader, or without one election timeout later. */
export function startTransfer(core: Core, to: PeerId): TransferResult {
  const { leading } = core;
  if (leading === null) return { kind: "refused", reason: "not-leader" };
  if (to === core.id) return { kind: "refused", reason: "is-leader" };
  if (!core.members.current.voters.includes(to)) return { kind: "refused", reason: "not-voter" };
  if (leading.transfer !== null) return { kind: "refused", reason: "transferring" };
  leading.transfer = { to, deadlineMs: core.nowMs + core.options.electionTimeoutMs };
  handOver(core, leading);
  return { kind: "started" };
}

/**
 * Tells the successor to campaign once it has everything. From here on other voters may vote while this leader's lease
 * runs, and the message can arrive at any time in this term: the lease counts no more until the next one.
 */
export function handOver(core: Core, leading: Leading): void {
  if (leading.transfer === null) return;
  const { to } = leading.transfer;
  const progress = leading.peers.get(to);
  if (progress === undefined || progress.match < core.log.lastIndex) return;
  leading.isLeaseBroken = true;
  core.send(to, { kind: "timeoutNow", term: core.term });
}
